"""One visitor of a running app, over HTTP: what the page sends and reads, and what a program does through the API.

A visitor computes nothing and draws nothing; every request goes to the one address it was given. What it asked for
and what came of it is an `Asked`.
"""

import asyncio
import json
import re
import time
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from types import TracebackType

import httpx

from lmdemo.bench.app import PATIENCE

BUSY = (429, 503)  # what the app answers when its queue takes no more of a visitor, or of anybody
API = "/gradio_api"


class Outcome(Enum):
    """What came of a request."""

    DONE = "done"
    CANCELLED = "cancelled"  # Stop was pressed
    VANISHED = "vanished"  # the connection was closed in the middle
    UNREAD = "never read"  # the answer was never asked for
    FULL = "queue full"  # refused at once, with a sentence
    ERROR = "error"  # anything else


class Leave(Enum):
    """How a visitor ends what they asked for."""

    NOT = "not"  # they read it to the end
    CANCEL = "cancel"
    VANISH = "vanish"
    NEVER_READ = "never read"


@dataclass
class Asked:
    """One request for something to be computed; times are of `time.monotonic`."""

    kind: str  # as in the app's log: page/generate …
    asked: float
    accepted: float | None = None  # answered with the name of its event
    started: float | None = None  # its first sign of life
    ended: float | None = None
    computed: bool = False  # something of it was seen; it may be left after its start and before that
    event: str | None = None
    outcome: Outcome = Outcome.ERROR
    problem: str = ""
    answer: object = None  # of an endpoint

    @property
    def waited(self) -> float | None:
        """Seconds until the first sign of life."""
        return None if self.started is None else self.started - self.asked


@dataclass(frozen=True)
class Events:
    """The numbers of the page's events, which a build of the page fixes."""

    run: Mapping[str, int]  # by kind
    arrival: Sequence[tuple[int, int]]  # what a page asks at once: event, inputs


def page_events(config: Mapping) -> Events:
    """The events of the page that `/config` describes."""
    parts = config["components"]
    buttons = {part["props"]["value"]: part["id"] for part in parts if part["type"] == "button"}

    def of(target: list) -> list[int]:
        return [event["id"] for event in config["dependencies"] if target in map(list, event["targets"])]

    (opening,) = (event for event in config["dependencies"] if event["api_name"] == "_open")
    arrival = of(list(opening["targets"][0]))
    arrival += [event["id"] for event in config["dependencies"] if event["trigger_after"] in arrival]
    inputs = {event["id"]: len(event["inputs"]) for event in config["dependencies"]}
    run = {"page/generate": of([buttons["Write"], "click"])[0], "page/evaluate": of([buttons["Measure"], "click"])[0]}
    return Events(run, [(event, inputs[event]) for event in arrival])


@dataclass
class Visitor:
    """A visitor with connections of their own and, as a page has it, a session."""

    address: str
    events: Events
    host: str | None = None  # of this machine's, from which requests are made: visitors that share one share its limits
    session: str = field(default_factory=lambda: uuid.uuid4().hex)

    def __post_init__(self) -> None:
        # a connection is given up before the server does so, after 5 s, and a request meets its end
        kept = httpx.Limits(keepalive_expiry=2)
        transport = httpx.AsyncHTTPTransport(verify=False, local_address=self.host, limits=kept)
        self.client = httpx.AsyncClient(base_url=self.address, timeout=PATIENCE, transport=transport)
        self._alive: asyncio.Task | None = None

    async def __aenter__(self) -> "Visitor":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        if self._alive is not None:
            self._alive.cancel()
            await asyncio.gather(self._alive, return_exceptions=True)
        await self.client.aclose()

    async def arrive(self) -> None:
        """Open the page: its HTML and what that names, what it asks at once, the connection that keeps it alive."""
        html = (await self.client.get("/")).raise_for_status().text
        for file in re.findall(r'(?:src|href)="\./(assets/[^"]+)"', html):
            (await self.client.get(f"/{file}")).raise_for_status()
        self._alive = asyncio.create_task(self._stay())
        for event, inputs in self.events.arrival:
            job = {"data": [f"{self.address}/"] * inputs, "fn_index": event, "session_hash": self.session}
            (await self.client.post(f"{API}/run/predict", json=job)).raise_for_status()

    async def _stay(self) -> None:
        async with self.client.stream("GET", f"{API}/heartbeat/{self.session}", timeout=None) as beats:
            async for _ in beats.aiter_raw():
                pass

    async def press(self, kind: str, data: Sequence[object], leave: Leave = Leave.NOT, after: float = 0) -> Asked:
        """Press Write or Measure, and read, or leave `after` seconds after the first sign of life."""
        job = {"data": data, "fn_index": self.events.run[kind], "session_hash": self.session}
        return await self._ask(Asked(kind, time.monotonic()), "/queue/join", job, leave, after)

    async def call(self, kind: str, data: Sequence[object], leave: Leave = Leave.NOT, after: float = 0) -> Asked:
        """Call an endpoint, and read, or leave `after` seconds after it was accepted."""
        path = f"/call/{kind.removeprefix('api/')}"
        return await self._ask(Asked(kind, time.monotonic()), path, {"data": data}, leave, after)

    async def _ask(self, asked: Asked, path: str, job: dict, leave: Leave, after: float) -> Asked:
        try:
            answer = await self.client.post(f"{API}{path}", json=job)
            if answer.status_code in BUSY:
                asked.outcome, asked.problem = Outcome.FULL, _sentence(answer)
                return asked
            answer.raise_for_status()
            asked.accepted, asked.event = time.monotonic(), answer.json()["event_id"]
            if leave is Leave.NEVER_READ:
                asked.outcome = Outcome.UNREAD
            else:
                await self._follow(asked, path, leave, after)
        except (httpx.HTTPError, ValueError, KeyError) as error:
            asked.outcome, asked.problem = Outcome.ERROR, f"{type(error).__name__}: {error}"
        return asked

    async def _follow(self, asked: Asked, path: str, leave: Leave, after: float) -> None:
        read = self._read_page if path == "/queue/join" else self._read_call
        lively = asyncio.Event()
        reading = asyncio.create_task(read(asked, lively))
        try:
            if leave is not Leave.NOT:
                if path == "/queue/join":
                    await asyncio.wait([asyncio.create_task(lively.wait()), reading], return_when="FIRST_COMPLETED")
                await asyncio.wait([reading], timeout=after)
                if not reading.done() and leave is Leave.CANCEL:
                    asked.outcome = Outcome.CANCELLED
                    job = {"session_hash": self.session, "fn_index": self.events.run[asked.kind]}
                    await self.client.post(f"{API}/cancel", json=job | {"event_id": asked.event})
                elif not reading.done():
                    asked.outcome = Outcome.VANISHED
                    reading.cancel()
            await reading
        except asyncio.CancelledError:
            if asked.outcome is not Outcome.VANISHED:
                raise
        finally:
            reading.cancel()

    async def _read_page(self, asked: Asked, lively: asyncio.Event) -> None:
        """Read the session's stream until the event has ended."""
        async for message in self._messages("/queue/data", {"session_hash": self.session}):
            if message.get("event_id") != asked.event:
                continue  # of a run that was left unread before
            if message["msg"] == "process_starts":
                asked.started = time.monotonic()
                lively.set()
            asked.computed |= message["msg"] == "process_generating"
            if message["msg"] == "process_completed":
                asked.ended = time.monotonic()
                if asked.outcome is not Outcome.CANCELLED:
                    self._close(asked, message["success"], message.get("output"))
                return
        asked.problem = "The stream ended before the run."

    async def _read_call(self, asked: Asked, lively: asyncio.Event) -> None:
        """Read the answer of an endpoint; one that streams sends what it has so far."""
        event = ""
        path = f"{API}/call/{asked.kind.removeprefix('api/')}/{asked.event}"
        async with self.client.stream("GET", path) as lines:
            async for line in lines.aiter_lines():
                if line.startswith("event: "):
                    event = line.removeprefix("event: ")
                elif line.startswith("data: ") and event in ("generating", "complete", "error"):
                    data = json.loads(line.removeprefix("data: "))
                    asked.started = asked.started or time.monotonic()
                    asked.computed = True
                    lively.set()
                    if event != "error" and data:
                        asked.answer = data[0] or asked.answer
                    if event != "generating":
                        asked.ended = time.monotonic()
                        self._close(asked, event == "complete", data)
                        return
        asked.problem = "The stream ended before the answer."

    def _close(self, asked: Asked, success: bool, output: object) -> None:
        asked.outcome = Outcome.DONE if success else Outcome.ERROR
        if not success:
            asked.problem = str(output)

    async def _messages(self, path: str, query: dict[str, str]) -> AsyncIterator[dict]:
        async with self.client.stream("GET", f"{API}{path}", params=query) as lines:
            async for line in lines.aiter_lines():
                if line.startswith("data:"):
                    yield json.loads(line.removeprefix("data:"))


def _sentence(answer: httpx.Response) -> str:
    """Why a full queue refused; a `ValueError` if it does not say."""
    body = answer.json()
    sentence = body.get("detail") or body.get("error") if isinstance(body, dict) else None
    if not isinstance(sentence, str):
        raise ValueError("Refused without a sentence.")
    return sentence
