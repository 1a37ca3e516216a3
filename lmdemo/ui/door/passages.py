"""The requests that are let through: those of the page, of the documented endpoints, and of Gradio's clients."""

import re
from dataclasses import dataclass
from enum import Enum, auto

NAME = r"[\w.-]{1,128}"  # a file system may stumble over longer ones
FILES = rf"(?:{NAME}/){{0,16}}{NAME}"


class Kind(Enum):
    """What a request wants, as far as the door has to know."""

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
)
