"""Bodies of requests: whole, small, JSON, and of the form that the page and the endpoints send."""

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect, Request

from lmdemo.server.refusal import Refusal

if TYPE_CHECKING:
    from gradio.block_function import BlockFunction

MAX_BYTES = 64 * 1024
MAX_DEPTH = 16  # of lists and objects within each other; what reads them after us must not run out of stack
PATIENCE = 10.0  # seconds a body may take to arrive
NAME = re.compile(r"[\w-]{1,64}", re.ASCII)

Functions = Mapping[int, "BlockFunction"]


async def read(request: Request) -> bytes:
    """The whole body.

    Raises:
        Refusal: it is not told to be JSON, does not arrive in time, or is longer than `MAX_BYTES`; no more than that
            is read.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refusal(415, "The Content-Type of a body must be application/json.")
    told = request.headers.get("content-length", "0")
    too_long = Refusal(413, f"A request may have {MAX_BYTES:,} bytes.")
    if not told.isdecimal() or int(told[:20]) > MAX_BYTES:
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
    return bytes(body)


def parse(body: bytes) -> dict:
    """`body` as a JSON object.

    Raises:
        Refusal: it is something else, nests too deep, or holds text that is not Unicode.
    """
    try:
        value = json.loads(body)
        json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair cannot be written again
        too_deep = _depth(value) > MAX_DEPTH
    except RecursionError:
        too_deep = True
    except ValueError as error:
        raise Refusal(400, "The body must be JSON, with text in Unicode.") from error
    if too_deep:
        raise Refusal(400, f"The body may nest {MAX_DEPTH} levels deep.")
    if not isinstance(value, dict):
        raise Refusal(400, "The body must be a JSON object.")
    return value


def _depth(value: object) -> int:
    """How many lists and objects lie within each other."""
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inside is None else 1 + max(map(_depth, inside), default=0)


def name(field: str, value: object) -> str:
    """The name of a session, which its client has made up, or of a run.

    Raises:
        Refusal: it is not one that a client of Gradio's would send.
    """
    if not isinstance(value, str) or not NAME.fullmatch(value):
        raise Refusal(400, f"{field} must be 1 to 64 letters, digits, - and _.")
    return value


def call(body: Mapping[str, object], functions: Functions, *, queued: bool) -> None:
    """Check what a page sends to run one of its functions.

    Raises:
        Refusal: there is no such function, or its data do not fit it.
    """
    _only(body, "data", "fn_index", "session_hash", "event_data", "trigger_id", "event_id")
    name("session_hash", body.get("session_hash"))
    function = _function(body.get("fn_index"), functions)
    if bool(function.queue) is not queued:
        raise Refusal(400, "This function has no queue." if queued else "This function is called through the queue.")
    if not isinstance(body.get("trigger_id"), int | None):
        raise Refusal(400, "trigger_id must be a whole number or null.")
    if body.get("event_id") is not None:
        name("event_id", body["event_id"])
    data(body.get("data"), len(function.inputs))


def endpoint_call(body: Mapping[str, object], function: "BlockFunction") -> None:
    """Check what a program sends to one of the endpoints.

    Raises:
        Refusal: a field is missing or of a kind that no endpoint takes.
    """
    _only(body, "data", "session_hash", "event_data")
    if body.get("session_hash") is not None:
        name("session_hash", body.get("session_hash"))
    data(body.get("data"), len(function.inputs), _names(function))


def named_call(body: Mapping[str, object], function: "BlockFunction") -> None:
    """Check what a program sends to one of the endpoints with the values by name.

    Raises:
        Refusal: a value is missing, is of another endpoint, or of a kind that none takes.
    """
    names = _names(function)
    if set(body) != set(names):
        raise Refusal(400, f"The body must hold {', '.join(names)}." if names else "The body must be an empty object.")
    data(list(body.values()), len(names))


def cancel(body: Mapping[str, object]) -> None:
    """Check what ends a run.

    Raises:
        Refusal: a field is missing or of another kind.
    """
    _only(body, "session_hash", "fn_index", "event_id")
    name("session_hash", body.get("session_hash"))
    if not isinstance(body.get("fn_index"), int):
        raise Refusal(400, "fn_index must be a whole number.")
    name("event_id", body.get("event_id"))


def reset(body: Mapping[str, object]) -> None:
    """Check what Gradio's clients send after a cancel; nothing follows from it.

    Raises:
        Refusal: it is something else.
    """
    _only(body, "event_id")
    name("event_id", body.get("event_id"))


def data(value: object, length: int, names: Sequence[str] = ()) -> None:
    """Check the values for a function's inputs: as many as it has, each plain or a list of plain ones.

    Objects are refused: to Gradio some of them are files, to fetch from a path or an address.
    """
    if not isinstance(value, list):
        raise Refusal(400, "data must be a list of the values.")
    if len(value) != length:
        which = f": {', '.join(names)}" if names else ""
        raise Refusal(400, f"data must have {length} values{which}; it has {len(value)}.")
    if any(_holds_object(item) for item in value):
        raise Refusal(400, "Values must be text, numbers, true, false, null or lists of them.")


def _holds_object(value: object) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and any(map(_holds_object, value)))


def _names(function: "BlockFunction") -> list[str]:
    return [name or "" for name in function.input_parameter_names]


def _function(index: object, functions: Functions) -> "BlockFunction":
    whole = isinstance(index, int) and not isinstance(index, bool)
    if not whole or index not in functions or functions[index].fn is None or functions[index].is_cancel_function:
        raise Refusal(404, "This page has no such function; it may be of an earlier start, reload it.")
    return functions[index]


def _only(body: Mapping[str, object], *allowed: str) -> None:
    if not set(body) <= set(allowed):
        raise Refusal(400, f"The body may hold {', '.join(allowed)}.")
