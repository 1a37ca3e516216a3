"""Requests of any method on any path, and the pieces that they are made of: hypothesis strategies."""

import json
import re
from collections.abc import Sequence
from urllib.parse import quote

import gradio
from gradio.routes import App
from hypothesis import strategies as st

from fuzz_app import Sent

API = "/gradio_api"
OPEN = ("assets", "static", "config", "healthz", "heartbeat", "run", "cancel", "reset", "info", "gradio.js")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "get", "PROPFIND", "X" * 30)
FORGED = "ok\r\nERROR:    forged\nTraceback:\x1b[31m forged\r"
HOSTILE = (
    *("", "\x00", "a\x00b", FORGED, "\ud800", "‮gnp.exe", "​", "<script>alert(1)</script>", "{{7*7}}", "${7*7}", "%s%n"),
    *("'; DROP TABLE x; --", "../../../../etc/passwd", "file:///etc/passwd", "http://127.0.0.1:1/", "x" * 3000, "NaN"),
    *("-1", "1e999", "9" * 5000, "٣", "null", "__class__", "=cmd|' /C calc'!A0", "[" * 50, "İ", "﷽" * 20),
)
NUMBERS = (0, -0.0, -1, 1, 2, 3.0, 0.1, 99, 5000, 2**31, 2**32, 2**53 + 1, 2**63, -(2**63), 10**30, 10**400)
FLOATS = (float("nan"), float("inf"), float("-inf"), 1e308, 5e-324)

hostile = st.sampled_from(HOSTILE)
text = hostile | st.text(max_size=40)
leaves = st.none() | st.booleans() | st.sampled_from(NUMBERS) | st.sampled_from(FLOATS) | st.integers() | text
plain = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3), max_leaves=6)
anything = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3), max_leaves=6
)
sessions = st.sampled_from(["a", "b", "0123456789abcdef"]) | st.from_regex(
    r"[\w-]{1,64}", fullmatch=True, alphabet=st.characters(max_codepoint=127)
)
segments = st.sampled_from(
    [
        *(
            "..",
            ".",
            "%2e%2e",
            "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
            "..%5c..%5c",
            "%00",
            "%0d%0aERROR:%20forged",
            "%ff",
            "%",
        ),
        *(
            "%25%32%65",
            "~",
            "a" * 300,
            "index.html",
            "app.py",
            "lmdemo",
            "generate",
            "0",
            "-1",
            "é".encode().hex(),
            ";a=b",
        ),
        *("file=%2Fetc%2Fpasswd", "%F0%9F%98%80", "%c0%ae%c0%ae", "C:", "NUL", ".git", "'", '"', "<script>", "${a}"),
    ]
) | st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="?#"), min_size=1, max_size=30)


async def routes() -> list[str]:
    """The paths of Gradio's route table; in a running loop, or Gradio would begin one and leave it open."""
    with gradio.Blocks() as empty:
        pass
    return sorted({*App.create_app(empty).openapi()["paths"], "/gradio.js", "/healthz", "/openapi.json", "/nothing"})


def label(method: str, target: str) -> str:
    """The row of the summary: the method and the path, where it is one that the page uses."""
    path = target.partition("?")[0]
    rest = path.removeprefix(API + "/")
    first = rest.strip("/").partition("/")[0]
    if rest in ("queue/join", "queue/data"):
        first = rest
    elif path == "/":
        first = "page"
    elif first == "call":
        first = "call/event" if method == "GET" else "call"
    elif first not in OPEN:
        first = "any other path"
    return f"{method if method in METHODS[:3] else 'other'} {first}"


@st.composite
def targets(draw: st.DrawFn, known: Sequence[str]) -> str:
    """A path of the route table with its gaps filled, perhaps spoilt, perhaps with a query."""
    path = re.sub(r"\{[^}]*\}", lambda _: draw(segments), draw(st.sampled_from(known)))
    match draw(st.integers(0, 9)):
        case 0:
            path += "/"
        case 1:
            path = f"{path}/{draw(segments)}"
        case 2:
            path = path.replace("/", draw(st.sampled_from(["//", "/./", "/../", "%2f", "\\"])))
        case 3:
            place = draw(st.integers(0, len(path) - 1))
            path = path[:place] + f"%{ord(path[place]) % 256:02x}" + path[place + 1 :]
        case 4:
            path = draw(st.sampled_from([path.upper(), f"http://elsewhere{path}", path.lstrip("/") or "*", path * 3]))
    return path + draw(st.just("") | queries().map(lambda query: f"?{query}"))


@st.composite
def queries(draw: st.DrawFn) -> str:
    """A query string: of the page, of Gradio's own parameters, or none at all."""
    names = [
        *("prompt", "words", "temperature", "top_k", "seed", "allow_unk", "tab", "tokens", "window", "variants", "run"),
        *("embed", "__theme", "page", "deep_link", "all_endpoints", "session_hash", "view", "key", "size", "serialize"),
    ]
    pairs = draw(st.lists(st.tuples(st.sampled_from(names) | segments, text), max_size=5))
    return "&".join(f"{name}={quote(value, errors='surrogatepass')}" for name, value in pairs)


def headers() -> st.SearchStrategy[tuple[tuple[str, str], ...]]:
    """Headers that a server reads, sound and not."""
    values = st.sampled_from(
        [
            *(
                "",
                "*",
                "null",
                "http://localhost:9",
                "https://elsewhere.example",
                "http://[",
                "[",
                "[::1]:80",
                "a:b",
                "a b",
            ),
            *(
                "https",
                "http,https",
                "<script>",
                '"',
                "\\",
                ",",
                "é",
                "\x7f",
                "1" * 400,
                "bytes=0-9",
                "bytes=9-0",
                "bytes=z",
            ),
            *(
                "gzip, br",
                "br;q=x",
                "identity",
                "application/json",
                "text/html; charset=x",
                "multipart/form-data",
                "=;=;",
            ),
        ]
    )
    names = [
        *("Host", "Origin", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-For", "X-Gradio-Server", "Range"),
        *("Accept-Encoding", "Content-Type", "Cookie", "Referer", "User-Agent", "If-None-Match", "If-Range", "Accept"),
        *("Access-Control-Request-Method", "Access-Control-Request-Headers", "Authorization", "Expect", "X-Zzz"),
    ]
    pair = st.tuples(st.sampled_from(names), values.map(lambda value: value.encode("latin-1").decode("latin-1")))
    return st.just(()) | st.lists(pair, max_size=3, unique_by=lambda pair: pair[0]).map(tuple)


@st.composite
def on_any_path(draw: st.DrawFn, known: Sequence[str]) -> Sent:
    """Any method on any path, at times with a body."""
    method, target = draw(st.sampled_from(METHODS)), draw(targets(known))
    body = draw(st.none() | bodies(anything)) if method not in ("GET", "HEAD") else None
    given = draw(headers().map(_sendable))
    return Sent(label(method, target), method, target, body, given)


def _sendable(given: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """Without what the client would not send: the raw bytes have it."""
    return tuple((name, value) for name, value in given if value.isascii() and value.isprintable())


@st.composite
def bodies(draw: st.DrawFn, values: st.SearchStrategy[object]) -> bytes:
    """One of the values as JSON, or spoilt."""
    whole = json.dumps(draw(values)).encode()
    match draw(st.integers(0, 15)):
        case 0:
            return whole[: draw(st.integers(0, len(whole)))]
        case 1:
            return whole + draw(st.binary(max_size=20))
        case 2:
            return draw(st.binary(max_size=200))
        case 3:
            return whole.decode().encode(draw(st.sampled_from(["utf-16", "utf-32", "utf-8-sig"])))
        case 4:
            deep = draw(st.sampled_from([10, 20, 500, 5000, 20_000]))
            return b'{"data": ' + b"[" * deep + whole + b"]" * deep + b"}"
        case 5:
            return b'{"data": [], ' + whole.lstrip(b"{")
        case 6:
            return whole + b" " * draw(st.sampled_from([1000, 65_000, 65_536, 200_000]))
    return whole
