"""Bodies of requests: whole, small, JSON, and of the form that the page and the endpoints send.

Nothing is parsed that holds more than could be asked for: what is refused must cost less than what is answered.
"""

import asyncio
from collections.abc import Collection, Sequence
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, StringConstraints, TypeAdapter, ValidationError
from starlette.requests import ClientDisconnect, Request

from lmdemo.server.refusal import Refusal

MAX_BYTES = 64 * 1024
MAX_NESTED = 2_500  # brackets and braces: a prompt may hold 2,000, and what is asked a dozen beside them
MAX_DEPTH = 16  # of lists and objects within each other; what reads them after us must not run out of stack
PATIENCE = 10.0  # seconds a body may take to arrive

DEEP = f"The body may nest {MAX_DEPTH} levels deep."
# What is said of a field that is missing or of another kind.
FIELDS = {
    "session_hash": "session_hash must be 1 to 64 letters, digits, - and _.",
    "event_id": "event_id must be 1 to 64 letters, digits, - and _.",
    "fn_index": "fn_index must be a whole number.",
    "trigger_id": "trigger_id must be a whole number or null.",
    "data": "data must be a list of the values.",
}


Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}\z")]


class Body(BaseModel):
    """Exactly the fields that are stated, each of its own kind."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Join(Body):
    """What a page sends to run one of its functions."""

    session_hash: Name
    fn_index: int
    data: list[Any]
    event_data: Any = None
    trigger_id: int | None = None
    event_id: Name | None = None


class Call(Body):
    """What a program sends to one of the endpoints."""

    session_hash: Name | None = None
    data: list[Any]
    event_data: Any = None


class Cancel(Body):
    """What ends a run."""

    session_hash: Name
    fn_index: int
    event_id: Name


class Reset(Body):
    """What Gradio's clients send after a cancel; nothing follows from it."""

    event_id: Name


Model = TypeVar("Model", bound=Body)
_NAME = TypeAdapter(Name)
_NAMED = TypeAdapter(dict[str, Any])


async def read(request: Request) -> bytes:
    """The whole body.

    Raises:
        Refusal: it is not said to be JSON, does not arrive in time, or is longer than `MAX_BYTES`; no more than that
            is read.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refusal(415, "The Content-Type of a body must be application/json.")
    stated = request.headers.get("content-length", "0")
    too_long = Refusal(413, f"A request may have {MAX_BYTES:,} bytes.")
    if not stated.isdecimal() or int(stated[:20]) > MAX_BYTES:
        raise too_long
    body = bytearray()
    try:
        async with asyncio.timeout(PATIENCE):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BYTES:
                    raise too_long
    except TimeoutError as error:
        raise Refusal(408, f"The body did not arrive within {PATIENCE:g} seconds.") from error
    except ClientDisconnect as error:  # nobody reads this
        raise Refusal(400, "The body ended before its time.") from error
    if body.count(b"[") + body.count(b"{") > MAX_NESTED:
        raise Refusal(400, f"The body may hold {MAX_NESTED:,} lists and objects.")
    return bytes(body)


def parse(model: type[Model], body: bytes) -> Model:
    """`body` as one of the forms above.

    Raises:
        Refusal: it is another, is no JSON, nests too deep, or holds text that is not Unicode.
    """
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise Refusal(400, _sentence(error, list(model.model_fields))) from error


def check_named(names: Sequence[str], body: bytes) -> None:
    """Check what a program sends to one of the endpoints with the values by name.

    Raises:
        Refusal: one is missing, is of another endpoint, or of a kind that none takes.
    """
    try:
        values = _NAMED.validate_json(body, strict=True)
    except ValidationError as error:
        raise Refusal(400, _sentence(error, names)) from error
    if set(values) != set(names):
        raise Refusal(400, f"The body must hold {', '.join(names)}." if names else "The body must be an empty object.")
    check_plain(values.values())


def session(value: object) -> str:
    """The name of a session, which its client has made up.

    Raises:
        Refusal: it is not one that a client of Gradio's would send.
    """
    try:
        return _NAME.validate_python(value)
    except ValidationError as error:
        raise Refusal(400, FIELDS["session_hash"]) from error


def check_values(body: Join | Call, names: Sequence[str]) -> None:
    """As many values as a function has inputs, and of a kind that some take; counted before they are looked into.

    Raises:
        Refusal: there are more, or fewer, or one is none.
    """
    if len(body.data) != len(names):
        which = f": {', '.join(names)}" if any(names) else ""
        raise Refusal(400, f"data must have {len(names)} values{which}; it has {len(body.data)}.")
    check_plain(body.data)
    if _depth(body.event_data) >= MAX_DEPTH:
        raise Refusal(400, DEEP)


def check_plain(values: Collection[object]) -> None:
    """Each value plain, or a list of plain ones.

    Objects are refused: to Gradio some of them are files, to fetch from a path or an address.

    Raises:
        Refusal: one is something else, or nests too deep.
    """
    if max(map(_depth, values), default=0) >= MAX_DEPTH - 1:  # within the body and its data
        raise Refusal(400, DEEP)
    if any(map(_holds_object, values)):
        raise Refusal(400, "Values must be text, numbers, true, false, null or lists of them.")


def _sentence(error: ValidationError, fields: Sequence[str]) -> str:
    """What is wrong first, without what was sent."""
    first, *_ = error.errors(include_url=False, include_input=False)
    match first["type"]:
        case "json_invalid":
            return DEEP if "recursion" in first["msg"] else "The body must be JSON, with text in Unicode."
        case "model_type" | "dict_type":
            return "The body must be a JSON object."
        case "extra_forbidden":
            return f"The body may hold {', '.join(fields)}."
    return FIELDS[str(first["loc"][0])]


def _depth(value: object) -> int:
    """How many lists and objects lie within each other."""
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inside is None else 1 + max(map(_depth, inside), default=0)


def _holds_object(value: object) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and any(map(_holds_object, value)))
