"""The middleware: reads a request, and lets it through or answers it."""

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lmdemo.ui.door import request_body, results
from lmdemo.ui.door.forwarded import with_visitor
from lmdemo.ui.door.passages import PASSAGES, Kind
from lmdemo.ui.door.queue_limits import QueueLimits, address_of
from lmdemo.ui.door.refusal import Refusal

if TYPE_CHECKING:
    from gradio.block_function import BlockFunction
    from gradio.blocks import Blocks
    from gradio.queueing import Queue


class Door:
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
                request_body.name("session_hash", named["session"])
                await self._app(scope, receive, send)
            case Kind.FOLLOW_SESSION:
                session = request_body.name("session_hash", request.query_params.get("session_hash"))
                if results.has_mailbox(queue, session):
                    await results.follow(self._app, queue, session, scope, receive, send)
                else:
                    await results.gone_session()(scope, receive, send)
            case Kind.FOLLOW_CALL:
                session = results.session_of(queue, named["event"])
                if session is not None:
                    await results.follow(self._app, queue, session, scope, receive, send)
                else:
                    await results.gone_call()(scope, receive, send)
            case _:
                whole = await request_body.read(request)
                body = request_body.parse(whole)
                _check(kind, named, body, blocks)
                await self._post(kind, body, queue, scope, _replay(whole, receive), send)

    async def _post(self, kind: Kind, body: dict, queue: "Queue", scope: Scope, receive: Receive, send: Send) -> None:
        """Let a body through that is what this kind of request carries."""
        match kind:
            case Kind.JOIN | Kind.CALL | Kind.CALL_NAMED:
                with self._limits.place(queue, body.get("session_hash"), address_of(scope.get("client"))):
                    await self._app(scope, receive, send)
            case Kind.CANCEL if results.end_is_told(queue, body["session_hash"], body["event_id"]):
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
            request_body.call(body, blocks.fns, queued=False)
        case Kind.CANCEL:
            request_body.cancel(body)
        case Kind.RESET:
            request_body.reset(body)
        case Kind.JOIN:
            request_body.call(body, blocks.fns, queued=True)
        case Kind.CALL:
            request_body.endpoint_call(body, _endpoint(named["name"], blocks))
        case Kind.CALL_NAMED:
            request_body.named_call(body, _endpoint(named["name"], blocks))


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
