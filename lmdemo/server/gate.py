"""The gate: what is let through to Gradio, and what is said to the rest.

Gradio opens many more routes than this page uses, parses bodies of any size, and runs what a request names with what
it carries. The gate is ASGI middleware in front of it: it lets through the requests that the page and the documented
endpoints make, and Gradio's clients, once they are whole, and answers every other one with a sentence. Ranges are not
its business: each handler checks its own fields. Before it, and before all other middleware, lies the threshold, which
puts the headers on every answer.
"""

import os
import re
from contextlib import AbstractContextManager

from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lmdemo.server import bodies, gone, gradio_queue
from lmdemo.server.headers import address_of, on_a_space, with_visitor
from lmdemo.server.queue_limits import Function, Place, QueueLimits
from lmdemo.server.rates import Rates, cost
from lmdemo.server.refusal import Refusal

PATH = re.compile(r"(?:/[\w.-]{1,128}){0,17}/?", re.ASCII)  # a file system may stumble over longer names
NOWHERE = "/nowhere"
READ = (
    "/",
    "/config",
    "/config/",
    "/theme.css",
    "/assets/{file:path}",
    "/static/{file:path}",
    "/favicon.ico",
    "/robots.txt",
    "/manifest.json",
    "/gradio.js",
    "/healthz",
    *(
        f"/gradio_api/{name}{slash}"
        for name in ("info", "app_id", "startup-events", "queue/status", "theme.css", "openapi.json")
        for slash in ("", "/")
    ),
    "/gradio_api/mcp/schema",
    # under `gradio app.py` alone: an open page hears there of an edit
    *(["/gradio_api/dev/reload"] if os.environ.get("GRADIO_WATCH_DIRS") else ()),
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
        self._rates = Rates()
        routes = [
            *(Route(path, self._read, methods=["GET"]) for path in READ),
            Route("/gradio_api/heartbeat/{session}", self._heartbeat, methods=["GET"]),
            Route("/gradio_api/queue/join", self._join, methods=["POST"]),
            Route("/gradio_api/queue/data", self._follow_session, methods=["GET"]),
            *(Route(f"/gradio_api/call/{{name}}{slash}", self._call, methods=["POST"]) for slash in ("", "/")),
            *(Route(f"/gradio_api/call/v2/{{name}}{slash}", self._call_named, methods=["POST"]) for slash in ("", "/")),
            Route("/gradio_api/call/{name}/{run}", self._follow_call, methods=["GET"]),
            Route("/gradio_api/run/{name}", self._run, methods=["POST"]),
            Route("/gradio_api/cancel", self._cancel, methods=["POST"]),
            Route("/gradio_api/reset", self._reset, methods=["POST"]),
            *(Route(f"/gradio_api/mcp{slash}", self._tool, methods=["POST"]) for slash in ("", "/")),
        ]
        router = Router(routes, redirect_slashes=False)
        self._routes = ExceptionMiddleware(router, handlers={Refusal: _refused, HTTPException: _no_route})

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
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        try:
            self._rates.spend(address_of(scope), cost(path))
        except Refusal as refusal:
            await refusal.response()(scope, receive, send)
            return
        # Gradio gets what came, with none of the marks that are left on it here
        routed = scope | {"asked": scope}
        if not PATH.fullmatch(path):
            routed["path"] = NOWHERE
        await self._routes(routed, receive, send)

    async def _read(self, request: Request) -> Response:
        # the page reads its address itself; what Gradio would take from it is for other pages than this one
        return _Onward(self._app, request.scope["asked"] | {"query_string": b""})

    async def _heartbeat(self, request: Request) -> Response:
        bodies.session(request.path_params["session"])
        return _Onward(self._app, request.scope["asked"])

    async def _follow_session(self, request: Request) -> Response:
        session = bodies.session(request.query_params.get("session_hash"))
        if not _queue(request).has_mailbox(session):
            return gone.session()
        return _Following(self._app, request.scope["asked"], _queue(request), session)

    async def _follow_call(self, request: Request) -> Response:
        session = _queue(request).session_of(request.path_params["run"])
        if session is None:
            return gone.call()
        return _Following(self._app, request.scope["asked"], _queue(request), session)

    async def _join(self, request: Request) -> Response:
        whole = await bodies.read(request)
        body = bodies.parse(bodies.Join, whole)
        function = _function(request, body.fn_index, queued=True)
        bodies.check_values(body, function.inputs)
        return await self._enter(request, whole, body.session_hash, function)

    async def _call(self, request: Request) -> Response:
        function = _endpoint(request)
        whole = await bodies.read(request)
        body = bodies.parse(bodies.Call, whole)
        bodies.check_values(body, function.inputs)
        return await self._enter(request, whole, body.session_hash, function)

    async def _call_named(self, request: Request) -> Response:
        function = _endpoint(request)
        whole = await bodies.read(request)
        bodies.check_named(function.inputs, whole)
        return await self._enter(request, whole, None, function)

    async def _run(self, request: Request) -> Response:
        whole = await bodies.read(request)
        body = bodies.parse(bodies.Join, whole)
        function = _function(request, body.fn_index, queued=False)
        bodies.check_values(body, function.inputs)
        return _Onward(self._app, request.scope["asked"], whole)

    async def _cancel(self, request: Request) -> Response:
        body = bodies.parse(bodies.Cancel, await bodies.read(request))
        await _queue(request).cancel(body.session_hash, body.event_id)
        return JSONResponse({"success": True})

    async def _reset(self, request: Request) -> Response:
        bodies.parse(bodies.Reset, await bodies.read(request))
        return JSONResponse({"success": True})

    async def _tool(self, request: Request) -> Response:
        return _Onward(self._app, request.scope["asked"], await bodies.read(request))

    async def _enter(self, request: Request, whole: bytes, session: str | None, function: Function) -> Response:
        """Let a run into the queue, if it has a place there."""
        queue = _queue(request)
        if session is not None and queue.unread(session) > gradio_queue.UNREAD:
            raise Refusal(
                429, f"More than {gradio_queue.UNREAD} messages to this page are unread; read what its runs have sent."
            )
        asked = Place(session, address_of(request.scope), queue.seconds(function), read=False)
        return _Entering(self._app, request.scope["asked"], whole, self._limits.enter(asked, queue.places()))


class _Onward(Response):
    """Lets a request through, with the body that was read of it."""

    def __init__(self, app: ASGIApp, asked: Scope, body: bytes | None = None) -> None:
        self._app, self._asked, self._body = app, asked, body

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(self._asked, receive if self._body is None else _replay(self._body, receive), send)


class _Entering(_Onward):
    """Lets a run into the queue, in the place that it has there.

    Raises:
        Refusal: it has none.
    """

    def __init__(self, app: ASGIApp, asked: Scope, body: bytes, place: AbstractContextManager[None]) -> None:
        super().__init__(app, asked, body)
        self._place = place

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._place:
            await super().__call__(scope, receive, send)


class _Following(Response):
    """Lets a session read what comes of its runs."""

    def __init__(self, app: ASGIApp, asked: Scope, queue: gradio_queue.RunQueue, session: str) -> None:
        self._app, self._asked, self._queue, self._session = app, asked, queue, session

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        await self._queue.follow(self._app, self._session, self._asked, receive, send)


def _queue(request: Request) -> gradio_queue.RunQueue:
    return gradio_queue.queue_of(gradio_queue.page_of(request.scope["app"]))


def _function(request: Request, number: int, *, queued: bool) -> Function:
    """The function of the page that has this number.

    Raises:
        Refusal: there is none, or it is called in another way.
    """
    function = gradio_queue.function(gradio_queue.page_of(request.scope["app"]), number)
    if function is None:
        raise Refusal(404, "This page has no such function; it may be of an earlier start, reload it.")
    if function.queued is not queued:
        raise Refusal(400, "This function has no queue." if queued else "This function is called through the queue.")
    return function


def _endpoint(request: Request) -> Function:
    """The documented endpoint that the path names.

    Raises:
        Refusal: there is none; functions of the page are not called by name.
    """
    endpoints = gradio_queue.endpoints(gradio_queue.page_of(request.scope["app"]))
    name = request.path_params["name"]
    if name not in endpoints:
        raise Refusal(404, f"The endpoints are {', '.join(f'/{known}' for known in endpoints)}.")
    return endpoints[name]


async def _refused(_request: Request, refusal: Exception) -> Response:
    return refusal.response()


async def _no_route(_request: Request, error: Exception) -> Response:
    if error.status_code == 405:
        allowed = sorted(set(error.headers["Allow"].split(", ")) - {"HEAD"})
        return Refusal(405, f"Only {' and '.join(allowed)} is answered here.", allow=allowed).response()
    return Refusal(404, "There is nothing here.").response()


def _replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body that was read, and then what comes after it."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def next_message() -> Message:
        return messages.pop() if messages else await receive()

    return next_message
