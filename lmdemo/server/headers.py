"""The headers of a request and of its answer: what comes in, what goes out, and whose request it is.

The threshold stands before Gradio's own middleware: headers that it would stumble over do not come in, every answer
goes out with ours, and an answer that finds its connection gone leaves one line in the log. Ours say that the page
loads from its own host alone and may be embedded. What is no HTTP the server answers itself, before any app; its
sentence has none of them.

Gradio puts its middleware for other origins before any that an app is given, so that it answers or decorates what the
gate has refused, and the refusals can be read on other people's pages. It takes the headers for sound; here they are
made so. What it answers itself, and what is answered when something fails, never gets as far as the gate.

On a Space all requests come from the host's own proxy. Each proxy appends to X-Forwarded-For where a request came to it
from, so what stands last is the host's word and what stands before it may be the visitor's own. Elsewhere nobody
vouches for the header: there uvicorn takes it from a proxy on the same machine, or from those in FORWARDED_ALLOW_IPS,
and has put the visitor in the client's place already.
"""

import logging
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from ipaddress import IPv6Address, ip_address, ip_network

from starlette.applications import Starlette
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lmdemo.errors import InputError
from lmdemo.server.refusal import Refusal

log = logging.getLogger(__name__)

# Gradio's front end makes functions of the templates' code, sets styles as it draws, and starts with inline scripts.
POLICY = {
    "default-src": "'self'",
    "script-src": "'self' 'unsafe-inline' 'unsafe-eval'",
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data: blob:",  # charts are made into pictures here
    "font-src": "'self' data:",
    "worker-src": "'self' blob:",
    "object-src": "'none'",
    "base-uri": "'self'",
    "form-action": "'none'",
}
FIXED = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",  # the address holds the prompt
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
SOURCE = re.compile(r"'self'|'none'|\*|https?:|(https?://)?(\*\.)?[\w.-]+(:(\d+|\*))?", re.ASCII)

HOST = re.compile(rb"([\w.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(:\d{1,5})?", re.ASCII)
UNDER = re.compile(rb"(/[\w.~-]{1,128}){0,8}/?", re.ASCII)  # the path that a proxy has the app under
LONGEST_ORIGIN = 512  # bytes
Pairs = Sequence[tuple[bytes, bytes]]  # headers, as ASGI has them
FOREIGN = (b"x-gradio-server",)  # from a front end in Node, which this app does not run; it would move the page's root


def security_headers(frame_ancestors: str | None) -> list[tuple[bytes, bytes]]:
    """Name and value of each, for pages of `frame_ancestors` to frame; without any, for all pages.

    Raises:
        InputError: `frame_ancestors` is not a list of sources as a content security policy has them.
    """
    policy = POLICY
    if frame_ancestors and frame_ancestors.split():
        sources = frame_ancestors.split()
        if not all(SOURCE.fullmatch(source) for source in sources):
            raise InputError(
                "LMDEMO_FRAME_ANCESTORS must be hosts with spaces between, as in https://docs.example.org."
            )
        policy = POLICY | {"frame-ancestors": " ".join(sources)}
    headers = FIXED | {"content-security-policy": "; ".join(f"{name} {value}" for name, value in policy.items())}
    return [(name.encode(), value.encode()) for name, value in headers.items()]


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
            headers = _with_prefix(headers)
        except Refusal as refusal:
            answer = refusal.response()
        try:
            await answer(scope | {"headers": headers}, receive, partial(self._send, send))
        except Unsent as unsent:
            log.warning("An answer could not be sent: %s.", type(unsent.__cause__).__name__)

    async def _send(self, send: Send, message: Message) -> None:
        """As `send`, with the headers, and with errors that can be distinguished from the app's."""
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
        Refusal: a host is none, or there is a page's origin and not who is asked.
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


def _with_prefix(headers: Pairs) -> Pairs:
    """With a forwarded path put where Gradio looks for it, behind the forwarded host, unless one is there.

    Raises:
        Refusal: it is no path.
    """
    first = dict(reversed(headers))  # the first of each counts
    prefix = first.get(b"x-forwarded-prefix", b"").rstrip(b"/")
    if not UNDER.fullmatch(prefix):
        raise Refusal(400, "A forwarded prefix is a path.")
    host = (first.get(b"x-forwarded-host") or first.get(b"host", b"")).split(b",")[0].strip()
    if not prefix or not host or b"/" in host:
        return headers
    kept = [(name, value) for name, value in headers if name != b"x-forwarded-host"]
    return [*kept, (b"x-forwarded-host", host + prefix)]


def _forwarded(value: bytes) -> bool:
    """Whether a proxy may have been asked for this; Gradio's own addresses begin with it, and with its path."""
    host, slash, path = value.strip().partition(b"/")
    return bool(HOST.fullmatch(host) and UNDER.fullmatch(slash + path))


def on_a_space(environment: Mapping[str, str]) -> bool:
    """Whether the app runs on a Space."""
    return bool(environment.get("SPACE_ID"))


def with_visitor(scope: Scope) -> Scope:
    """`scope` of a request on a Space, with the visitor for its client."""
    forwarded = b",".join(value for name, value in scope["headers"] if name == b"x-forwarded-for")
    visitor = _visitor(forwarded.decode("latin-1"))
    return scope if visitor is None else scope | {"client": (visitor, 0)}


def _visitor(forwarded: str) -> str | None:
    """The last address in the header that is not of the host's own network; None if it does not tell one."""
    for entry in reversed(forwarded.split(",")):
        try:
            address = ip_address(entry.strip())
        except ValueError:  # what stands before it is not the host's word any more
            return None
        if address.is_global:
            return str(address)
    return None


def address_of(scope: Scope) -> str:
    """Where a request comes from, as limits count it: of IPv6 the network, all of which one visitor may have."""
    host = (scope.get("client") or ("",))[0]
    try:
        address = ip_address(host)
    except ValueError:  # no address: a test, or a socket of this machine
        return host
    return str(ip_network((address, 64), strict=False)) if isinstance(address, IPv6Address) else host
