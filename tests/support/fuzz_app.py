"""The running app under fuzzed requests: sends them, counts the answers, and knows what none of them may hold."""

import asyncio
import json
import re
from collections import Counter
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import gradio
import httpx
from anyio.from_thread import BlockingPortal

from lmdemo.bench import ROOT
from waiting import LAST_NET, wait_until

LOOK = 0.2  # seconds that a stream is read which may never end
FOLLOW = 2.0  # seconds without a word after which a run is left to itself: another stream may have taken its results
SERVERS = (str(ROOT / "lmdemo"), str(ROOT / "app.py"), str(Path(gradio.__file__).parent.parent), "/tmp/gradio")
JSON = (("Content-Type", "application/json"),)
# What the server writes over requests that are not HTTP; nothing of a request is in it.
SERVER_LINES = re.compile(
    rb"ERROR:    ASGI callable returned without completing response\."
    rb"|WARNING:  (Invalid HTTP request received\."
    rb"|Unsupported upgrade request\."
    rb"|No supported WebSocket library detected\. Please use \"pip install 'uvicorn\[standard\]'\","
    rb" or install 'websockets' or 'wsproto' manually\.)"
)
Result = TypeVar("Result")
OUTCOMES = ("done", "refused", "stopped", "too long")  # of a job; "failed" would be a fault


@dataclass(frozen=True)
class Sent:
    """A request, as it goes out."""

    label: str  # which row of the summary counts it
    method: str
    target: str  # as it stands in the request line, ASCII
    body: bytes | None = None
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Answer:
    """What came back: the status and, of a stream that has no end of its own, the first piece."""

    status: int
    text: str

    def event(self) -> str | None:
        """The id of the run that was started, if one was."""
        try:
            answer = json.loads(self.text)
        except ValueError:
            return None
        return answer.get("event_id") if self.status == 200 and isinstance(answer, dict) else None


@dataclass(frozen=True)
class Loop:
    """An event loop in a thread of its own: the browser's fixture keeps one running in the tests' thread."""

    portal: BlockingPortal

    def run(self, coroutine: Coroutine[object, object, Result]) -> Result:
        """Wait for `coroutine` there."""

        async def there() -> Result:
            return await coroutine

        return self.portal.call(there)


@dataclass
class FuzzedApp:
    """The app at `address`, which writes its standard error to `log`."""

    address: str
    log: Path
    loop: Loop
    routes: list[str]  # the paths that Gradio opens
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    read: int = 0  # bytes of the log

    def __post_init__(self) -> None:
        """Keep connections open from one request to the next."""
        # an idle connection is given up before the server does so, after 5 s, and a request meets its end
        limits = httpx.Limits(max_connections=32, keepalive_expiry=2)
        self.client = httpx.AsyncClient(base_url=self.address, timeout=LAST_NET, limits=limits)
        config = self.get("/config")
        self.functions = {function["id"]: function for function in config["dependencies"]}
        self.components = {component["id"]: component for component in config["components"]}

    def close(self) -> None:
        """Close the connections."""
        self.loop.run(self.client.aclose())

    def get(self, path: str) -> dict:
        """The JSON of a page, outside the counts."""
        return httpx.get(self.address + path, timeout=LAST_NET).raise_for_status().json()

    def answer(self, path: str, body: Mapping[str, object]) -> str:
        """The whole answer to a call of a function of the page, its results included if they come by the queue."""
        sent, answer = self.post(path, body)
        if event := answer.event():
            answer = self.loop.run(self.send(_stream(sent, event), LAST_NET))
            assert "close_stream" in answer.text
        self.check_log()
        return answer.text

    def post(self, path: str, body: Mapping[str, object]) -> tuple[Sent, Answer]:
        """Send a body, and leave what follows from it to itself."""
        content = json.dumps(body).encode()  # NaN too, as Python writes and reads it
        sent = Sent("POST queue/join" if path.endswith("join") else "POST run", "POST", path, content, JSON)
        return sent, self.loop.run(self.send(sent))

    def together(self, requests: Sequence[Sent]) -> None:
        """Send requests at the same time; a run that one of them starts is ended."""
        self.loop.run(asyncio.wait_for(self._together(requests), 2 * LAST_NET))
        self.check_log()

    async def _together(self, requests: Sequence[Sent]) -> None:
        answers = await asyncio.gather(*map(self.send, requests))
        pairs = zip(requests, answers, strict=True)
        streams = {_stream(sent, event) for sent, answer in pairs if (event := answer.event())}
        await asyncio.gather(*(self.send(stream, FOLLOW) for stream in streams))

    async def send(self, sent: Sent, look: float = LOOK) -> Answer:
        """Send one request and check its answer; of a stream, until nothing comes for `look` seconds."""
        request = self.client.build_request(sent.method, "/", headers=sent.headers, content=sent.body)
        request.extensions["target"] = sent.target.encode("ascii")
        answer = await self.client.send(request, stream=True)
        streaming = answer.headers.get("content-type", "").startswith("text/event-stream")
        read = b""
        try:
            async with asyncio.timeout(look if streaming else LAST_NET) as limit:
                async for piece in answer.aiter_bytes():
                    read += piece
                    if streaming:
                        limit.reschedule(asyncio.get_running_loop().time() + look)
        except TimeoutError:
            assert streaming, f"{sent} is not answered"
        finally:
            await answer.aclose()
        text = read.decode("utf-8", "replace")
        self.counts[sent.label, str(answer.status_code)] += 1
        check(answer.status_code, text)
        return Answer(answer.status_code, text)

    def raw(self, data: Sequence[bytes], look: float) -> list[bytes]:
        """Send bytes, each on a connection of its own; what comes back within `look` seconds, after which it closes."""
        answers = self.loop.run(self._all_raw(data, look))
        self.check_log()
        return answers

    async def _all_raw(self, data: Sequence[bytes], look: float) -> list[bytes]:
        return await asyncio.gather(*(self._raw(each, look) for each in data))

    def left(self, data: Sequence[bytes]) -> list[bytes]:
        """Send bytes, each on a connection of its own; the heads of the answers, after which all are closed."""
        heads = self.loop.run(self._left(data))
        self.check_log()
        return heads

    async def _left(self, data: Sequence[bytes]) -> list[bytes]:
        parts = urlsplit(self.address)
        connections = [await asyncio.open_connection(parts.hostname, parts.port) for _ in data]
        for (_, writer), each in zip(connections, data, strict=True):
            writer.write(each)
        heads = [await reader.readuntil(b"\r\n\r\n") for reader, _ in connections]
        for _, writer in connections:
            writer.close()
        return heads

    async def _raw(self, data: bytes, look: float) -> bytes:
        parts = urlsplit(self.address)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        answer = b""
        try:
            writer.write(data)
            async with asyncio.timeout(look):
                await writer.drain()
                while piece := await reader.read(65536):
                    answer += piece
        except (TimeoutError, ConnectionError):
            pass  # half a request has no answer, and what is too long is not read to its end
        finally:
            writer.close()
        statuses = re.findall(rb"^HTTP/1\.1 (\d{3})", answer, re.MULTILINE)
        self.counts["raw bytes", statuses[0].decode() if statuses else "none"] += 1
        check(max(map(int, statuses), default=0), answer.decode("latin-1"))
        return answer

    def check_log(self) -> None:
        """Nothing was written to the log but whole lines of the app's own, none of them about a fault."""
        with self.log.open("rb") as file:
            file.seek(self.read)
            new = file.read()
        self.read += len(new)
        foreign = [line for line in new.splitlines() if not _own(line)]
        assert not foreign, new.decode("utf-8", "replace")

    def settle(self) -> None:
        """Wait until the queue is empty, and check what was written to the log meanwhile."""
        wait_until(lambda: not self.get("/gradio_api/queue/status")["queue_size"], "an empty queue")
        self.get("/healthz")  # which the model answers when the last run has ended
        self.check_log()

    def sent(self) -> int:
        """How many requests have gone out so far."""
        return sum(self.counts.values())

    def summary(self) -> list[str]:
        """A table of the answers: a row a kind of request, a column a status."""
        statuses = sorted({status for _, status in self.counts})
        labels = sorted({label for label, _ in self.counts})
        width = max(map(len, labels), default=0)
        lines = [" ".join([" " * width, *(f"{status:>9}" for status in statuses), f"{'all':>9}"])]
        for label in labels:
            row = [self.counts[label, status] for status in statuses]
            lines.append(" ".join([f"{label:{width}}", *(f"{count or '':>9}" for count in row), f"{sum(row):>9}"]))
        sums = [sum(self.counts[label, status] for label in labels) for status in statuses]
        return [*lines, " ".join([f"{'all':{width}}", *(f"{count:>9}" for count in sums), f"{sum(sums):>9}"])]


def _stream(sent: Sent, event: str) -> Sent:
    """What follows the run that was started."""
    body = json.loads(sent.body or b"null")
    if "/call/" in sent.target and not body.get("session_hash"):
        return Sent("GET call/event", "GET", f"{sent.target.partition('?')[0].rstrip('/')}/{event}")
    return Sent("GET queue/data", "GET", f"/gradio_api/queue/data?session_hash={body['session_hash']}")


def _own(line: bytes) -> bool:
    """Whether a line of the log is one that the app writes when nothing is wrong with it."""
    if SERVER_LINES.fullmatch(line):
        return True
    try:
        told = json.loads(line)
    except ValueError:
        return False
    if line != json.dumps(told).encode() or b"forged" in line:
        return False
    if told["message"] == "job":
        return told["outcome"] in OUTCOMES
    return told["logger"] == "lmdemo.server.headers" and told["message"].endswith("LocalProtocolError.")


def check(status: int, text: str) -> None:
    """No answer says that the server failed, nor what it is made of."""
    assert status < 500, f"{status}: {text[:500]}"
    assert "Traceback (most recent call last)" not in text, text[:2000]
    for path in SERVERS:
        assert path not in text, text[max(0, text.index(path) - 200) :][:500]
