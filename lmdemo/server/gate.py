"""The gate: what is let through to Gradio, and what is said to the rest.

Gradio opens many more routes than this page uses, parses bodies of any size, and runs what a request names with what
it carries. The gate is ASGI middleware in front of it: it lets through the requests that the page and the documented
endpoints make, and Gradio's clients, once they are whole, and answers every other one with a sentence. Ranges are not
its business: each handler checks its own fields. Before it, and before all other middleware, lies the threshold, which
puts the headers on every answer.
"""

import os
import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lmdemo.server import bodies, gradio_queue
from lmdemo.server.headers import on_a_space, with_visitor
from lmdemo.server.queue_limits import QueueLimits, address_of
from lmdemo.server.refusal import Refusal

if TYPE_CHECKING:
    from gradio.block_function import BlockFunction
    from gradio.blocks import Blocks
    from gradio.queueing import Queue

NAME = r"[\w.-]{1,128}"  # a file system may stumble over longer ones
FILES = rf"(?:{NAME}/){{0,16}}{NAME}"


class Kind(Enum):
    """What a request wants, as far as the gate has to know."""

    READ = auto()
    JOIN = auto()  # the queue, by the number of a function
    CALL = auto()  # an endpoint, by its name
    CALL_NAMED = auto()  # the same, with its values by name
    RUN = auto()  # a function without a queue
    FOLLOW_SESSION = auto()  # the stream of a session's results
    FOLLOW_CALL = auto()  # the stream of one call's results
    CANCEL = auto()
    RESET = auto()
    HEARTBEAT = auto()
    TOOL = auto()  # a message of an agent, where its protocol is installed


@dataclass(frozen=True)
class Passage:
    """A method and the paths it is open on."""

    kind: Kind
    method: str
    path: re.Pattern[str]


def _open(kind: Kind, method: str, *paths: str) -> Passage:
    return Passage(kind, method, re.compile("|".join(f"(?:{path})" for path in paths), re.ASCII))


PASSAGES = (
    _open(
        Kind.READ,
        "GET",
        "/",
        "/config/?",
        "/theme.css",
        rf"/(?:assets|static)/{FILES}",
        "/favicon.ico",
        "/robots.txt",
        "/manifest.json",
        "/gradio.js",
        "/healthz",
        "/gradio_api/(?:info|app_id|startup-events|queue/status|theme.css|openapi.json)/?",
    ),
    _open(Kind.HEARTBEAT, "GET", r"/gradio_api/heartbeat/(?P<session>[^/]+)"),
    _open(Kind.JOIN, "POST", "/gradio_api/queue/join"),
    _open(Kind.FOLLOW_SESSION, "GET", "/gradio_api/queue/data"),
    _open(Kind.CALL, "POST", rf"/gradio_api/call/(?P<name>{NAME})/?"),
    _open(Kind.CALL_NAMED, "POST", rf"/gradio_api/call/v2/(?P<name>{NAME})/?"),
    _open(Kind.FOLLOW_CALL, "GET", rf"/gradio_api/call/(?P<name>{NAME})/(?P<event>{NAME})"),
    _open(Kind.RUN, "POST", rf"/gradio_api/run/{NAME}"),
    _open(Kind.CANCEL, "POST", "/gradio_api/cancel"),
    _open(Kind.RESET, "POST", "/gradio_api/reset"),
    _open(Kind.READ, "GET", "/gradio_api/mcp/schema"),
    _open(Kind.TOOL, "POST", "/gradio_api/mcp/?"),
    # under `gradio app.py` alone: an open page hears there of an edit
    *([_open(Kind.READ, "GET", "/gradio_api/dev/reload")] if os.environ.get("GRADIO_WATCH_DIRS") else ()),
)


def middleware() -> list[Middleware]:
    """The middleware for an app."""
    return [Middleware(Gate, on_a_space=on_a_space(os.environ))]


class Gate:
    """ASGI middleware in front of Gradio's app."""

    def __init__(self, app: ASGIApp, *, on_a_space: bool = False) -> None:
        """Let through to `app`; on a Space the host says whose request it is."""
        self._app = app
        self._on_a_space = on_a_space
        self._limits = QueueLimits()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # a WebSocket: the page uses none
            await send({"type": "websocket.close", "code": 1008})
            return
        if self._on_a_space:
            scope = with_visitor(scope)
        try:
            await self._serve(scope, receive, send)
        except Refusal as refusal:
            await refusal.response()(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind, named = _passage(scope)
        request = Request(scope, receive)
        blocks: Blocks = scope["app"].get_blocks()
        queue = blocks._queue
        match kind:
            case Kind.READ:
                # the page reads its address itself; what Gradio would take from it is for other pages than this one
                await self._app(scope | {"query_string": b""}, receive, send)
            case Kind.HEARTBEAT:
                bodies.name("session_hash", named["session"])
                await self._app(scope, receive, send)
            case Kind.FOLLOW_SESSION:
                session = bodies.name("session_hash", request.query_params.get("session_hash"))
                if gradio_queue.has_mailbox(queue, session):
                    await gradio_queue.follow(self._app, queue, session, scope, receive, send)
                else:
                    await gradio_queue.gone_session()(scope, receive, send)
            case Kind.FOLLOW_CALL:
                session = gradio_queue.session_of(queue, named["event"])
                if session is not None:
                    await gradio_queue.follow(self._app, queue, session, scope, receive, send)
                else:
                    await gradio_queue.gone_call()(scope, receive, send)
            case _:
                whole = await bodies.read(request)
                body = bodies.parse(whole)
                _check(kind, named, body, blocks)
                await self._post(kind, body, queue, scope, _replay(whole, receive), send)

    async def _post(self, kind: Kind, body: dict, queue: "Queue", scope: Scope, receive: Receive, send: Send) -> None:
        """Let a body through that is what this kind of request carries."""
        match kind:
            case Kind.JOIN | Kind.CALL | Kind.CALL_NAMED:
                with self._limits.place(queue, body.get("session_hash"), address_of(scope.get("client"))):
                    await self._app(scope, receive, send)
            case Kind.CANCEL if gradio_queue.end_is_told(queue, body["session_hash"], body["event_id"]):
                await JSONResponse({"success": True})(scope, receive, send)  # as the first time
            case _:
                await self._app(scope, receive, send)


def _check(kind: Kind, named: dict[str, str], body: dict, blocks: "Blocks") -> None:
    """Check that a body is what this kind of request carries.

    Raises:
        Refusal: it is something else.
    """
    match kind:
        case Kind.RUN:
            bodies.call(body, blocks.fns, queued=False)
        case Kind.CANCEL:
            bodies.cancel(body)
        case Kind.RESET:
            bodies.reset(body)
        case Kind.JOIN:
            bodies.call(body, blocks.fns, queued=True)
        case Kind.CALL:
            bodies.endpoint_call(body, _endpoint(named["name"], blocks))
        case Kind.CALL_NAMED:
            bodies.named_call(body, _endpoint(named["name"], blocks))


def _passage(scope: Scope) -> tuple[Kind, dict[str, str]]:
    """What a request wants, and the names in its path.

    Raises:
        Refusal: it is none that is let through.
    """
    path = scope["path"].removeprefix(scope.get("root_path", "")) or "/"
    method = "GET" if scope["method"] == "HEAD" else scope["method"]
    methods = []
    for passage in PASSAGES:
        if match := passage.path.fullmatch(path):
            if method == passage.method:
                return passage.kind, match.groupdict()
            methods.append(passage.method)
    if methods:
        raise Refusal(405, f"Only {' and '.join(methods)} is answered here.", allow=methods)
    raise Refusal(404, "There is nothing here.")


def _endpoint(name: str, blocks: "Blocks") -> "BlockFunction":
    """The documented endpoint of that name.

    Raises:
        Refusal: there is none; functions of the page are not called by name.
    """
    public = {fn.api_name: fn for fn in blocks.fns.values() if fn.api_visibility == "public" and fn.api_name}
    if name not in public:
        raise Refusal(404, f"The endpoints are {', '.join(f'/{known}' for known in public)}.")
    return public[name]


def _replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body that was read, and then what comes after it."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def next_message() -> Message:
        return messages.pop() if messages else await receive()

    return next_message
