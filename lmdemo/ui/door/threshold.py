"""What stands before Gradio's own middleware: headers that it would stumble over do not come in, every answer goes out
with ours, and an answer that finds its connection gone leaves one line in the log.

Gradio puts its middleware for other origins before any that an app is given, so that it answers or decorates what the
door has refused, and the refusals can be read on other people's pages. It takes the headers for sound; here they are
made so. What it answers itself, and what is answered when something fails, never gets as far as the door.
"""

import logging
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

from starlette.applications import Starlette
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lmdemo.ui.door.refusal import Refusal

log = logging.getLogger(__name__)

HOST = re.compile(rb"([\w.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(:\d{1,5})?", re.ASCII)
UNDER = re.compile(rb"(/[\w.~-]{1,128}){0,8}/?", re.ASCII)  # the path that a proxy has the app under
LONGEST_ORIGIN = 512  # bytes
Pairs = Sequence[tuple[bytes, bytes]]  # headers, as ASGI has them
FOREIGN = (b"x-gradio-server",)  # from a front end in Node, which this app does not run; it would move the page's root


class Unsent(Exception):  # noqa: N818 - nothing went wrong here
    """The server does not take an answer: what came after the request was no HTTP, and the connection was given up."""


class Threshold:
    """ASGI middleware before everything else."""

    def __init__(self, app: ASGIApp, headers: Pairs) -> None:
        """Let through to `app`; every answer carries `headers`, name and value of each."""
        self._app = app
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = [(name, value) for name, value in scope["headers"] if name not in FOREIGN]
        answer = self._app
        try:
            _check(headers)
        except Refusal as refusal:
            answer = refusal.response()
        try:
            await answer(scope | {"headers": headers}, receive, partial(self._send, send))
        except Unsent as unsent:
            log.warning("An answer could not be sent: %s.", type(unsent.__cause__).__name__)

    async def _send(self, send: Send, message: Message) -> None:
        """As `send`, with the headers, and with errors that can be told from the app's."""
        if message["type"] == "http.response.start":
            message = message | {"headers": [*message.get("headers", ()), *self._headers]}
        try:
            await send(message)
        except Exception as error:
            raise Unsent from error


@asynccontextmanager
async def threshold(app: Starlette, headers: Pairs) -> AsyncIterator[None]:
    """For the `lifespan` of an app: puts the threshold before the middleware that stands by then."""
    app.middleware_stack = Threshold(app.middleware_stack, headers)
    yield


def _check(headers: Pairs) -> None:
    """Check the headers that say who is asked, and by whom.

    Raises:
        Refusal: a host is none, or a page's origin is told and not who is asked.
    """
    for name, value in headers:
        if name == b"host" and not HOST.fullmatch(value):
            raise Refusal(400, "A host is a name or an address, and a port at most.")
        if name == b"x-forwarded-host" and not all(map(_forwarded, value.split(b","))):
            raise Refusal(400, "A forwarded host is a name or an address, a port and a path at most.")
        if name == b"origin" and len(value) > LONGEST_ORIGIN:
            raise Refusal(400, f"An Origin may have {LONGEST_ORIGIN} bytes.")
    names = {name for name, _ in headers}
    if b"origin" in names and b"host" not in names:
        raise Refusal(400, "A request with an Origin must name the Host.")


def _forwarded(value: bytes) -> bool:
    """Whether a proxy may have been asked for this; Gradio's own addresses begin with it, and with its path."""
    host, slash, path = value.strip().partition(b"/")
    return bool(HOST.fullmatch(host) and UNDER.fullmatch(slash + path))
