"""One visitor of a running app, over HTTP: what the page sends and reads, and what a program does through the API.

A visitor computes nothing and draws nothing; every request goes to the one address it was given. What it asked for
and what came of it is an `Asked`. It waits in sockets alone, so that locust's greenlets take it as it is, and tests in
threads too.
"""

import json
import re
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

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
    def failed(self) -> bool:
        """Whether it came to no end that a visitor may meet."""
        return self.outcome is Outcome.ERROR

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

    def of(target: list) -> list[int]:
        return [event["id"] for event in config["dependencies"] if target in map(list, event["targets"])]

    (opening,) = (event for event in config["dependencies"] if event["api_name"] == "_open")
    arrival = of(list(opening["targets"][0]))
    arrival += [event["id"] for event in config["dependencies"] if event["trigger_after"] in arrival]
    inputs = {event["id"]: len(event["inputs"]) for event in config["dependencies"]}
    by_name = {event["api_name"]: event["id"] for event in config["dependencies"]}
    run = {"page/generate": by_name["write"], "page/evaluate": by_name["measure"]}
    return Events(run, [(event, inputs[event]) for event in arrival])


class Visitor:
    """A visitor with connections of their own and, as a page has it, a session."""

    def __init__(self, address: str, events: Events, host: str | None = None) -> None:
        """Nothing is asked yet.

        Args:
            host: of this machine's, from which requests are made: visitors that share one share its limits.
        """
        self.address, self.events, self.session = address, events, uuid.uuid4().hex
        self.asked: list[Asked] = []  # so far, the last of it perhaps under way
        # a connection is given up before the server does so, after 5 s, and a request meets its end
        kept = httpx.Limits(keepalive_expiry=2)
        transport = httpx.HTTPTransport(verify=False, local_address=host, limits=kept)
        self._client = httpx.Client(base_url=address, timeout=PATIENCE, transport=transport)
        self._beats: httpx.Response | None = None

    def __enter__(self) -> "Visitor":
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    def leave(self) -> None:
        """Close the page."""
        if self._beats is not None:
            self._beats.close()
        self._client.close()

    def arrive(self) -> None:
        """Open the page: its HTML and what that names, what it asks at once, the connection that keeps it alive.

        Raises:
            httpx.HTTPError: something of it did not come.
        """
        html = self._client.get("/").raise_for_status().text
        for file in re.findall(r'(?:src|href)="\./(assets/[^"]+)"', html):
            self._client.get(f"/{file}").raise_for_status()
        heartbeat = self._client.build_request("GET", f"{API}/heartbeat/{self.session}")
        self._beats = self._client.send(heartbeat, stream=True)  # open while the page is; nobody needs what it says
        for event, inputs in self.events.arrival:
            job = {"data": [f"{self.address}/"] * inputs, "fn_index": event, "session_hash": self.session}
            self._client.post(f"{API}/run/predict", json=job).raise_for_status()

    def press(self, kind: str, data: Sequence[object], leave: Leave = Leave.NOT, after: float = 0) -> Asked:
        """Press Write or Measure, and read, or leave `after` seconds after the run began."""
        job = {"data": data, "fn_index": self.events.run[kind], "session_hash": self.session}
        return self._ask(Asked(kind, time.monotonic()), "/queue/join", job, leave, after)

    def call(self, kind: str, data: Sequence[object], leave: Leave = Leave.NOT, after: float = 0) -> Asked:
        """Call an endpoint, and read, or vanish `after` seconds after it was accepted."""
        path = f"/call/{kind.removeprefix('api/')}"
        return self._ask(Asked(kind, time.monotonic()), path, {"data": data}, leave, after)

    def _ask(self, asked: Asked, path: str, job: dict, leave: Leave, after: float) -> Asked:
        self.asked.append(asked)
        read = self._read_page if path == "/queue/join" else self._read_call
        try:
            answer = self._client.post(f"{API}{path}", json=job)
            if answer.status_code in BUSY:
                asked.outcome, asked.problem = Outcome.FULL, sentence(answer)
                return asked
            asked.event = answer.raise_for_status().json()["event_id"]
            asked.accepted = time.monotonic()
            if leave is Leave.NEVER_READ:
                asked.outcome = Outcome.UNREAD
            else:
                read(asked, leave, after)
        except (httpx.HTTPError, ValueError, KeyError) as error:
            asked.outcome, asked.problem = Outcome.ERROR, f"{type(error).__name__}: {error}"
        return asked

    def _read_page(self, asked: Asked, leave: Leave, after: float) -> None:
        """Read the session's stream until the event has ended, or been left."""
        asked.problem = "The stream ended before the run."
        for message in self._messages("/queue/data", {"session_hash": self.session}):
            if message.get("event_id") != asked.event:
                continue  # of a run that was left unread before
            now = time.monotonic()
            if message["msg"] == "process_starts":
                asked.started = now
            asked.computed |= message["msg"] == "process_generating"
            if message["msg"] == "process_completed":
                asked.ended = now
                if asked.outcome is not Outcome.CANCELLED:
                    _close(asked, message["success"], message.get("output"))
                return
            if leave is Leave.NOT or asked.started is None or now < asked.started + after:
                continue
            if leave is Leave.VANISH:
                asked.outcome = Outcome.VANISHED
                return
            if asked.outcome is not Outcome.CANCELLED:
                asked.outcome = Outcome.CANCELLED
                job = {"session_hash": self.session, "fn_index": self.events.run[asked.kind], "event_id": asked.event}
                self._client.post(f"{API}/cancel", json=job)

    def _read_call(self, asked: Asked, leave: Leave, after: float) -> None:
        """Read the answer of an endpoint, or until it is left; one that streams sends what it has so far."""
        event = ""
        asked.problem = "The stream ended before the answer."
        path = f"{API}/call/{asked.kind.removeprefix('api/')}/{asked.event}"
        patience = PATIENCE if leave is Leave.NOT else max(after, 0.01)  # seconds
        try:
            with self._client.stream("GET", path, timeout=httpx.Timeout(PATIENCE, read=patience)) as lines:
                for line in lines.iter_lines():
                    if line.startswith("event: "):
                        event = line.removeprefix("event: ")
                    elif line.startswith("data: ") and event in ("generating", "complete", "error"):
                        data = json.loads(line.removeprefix("data: "))
                        asked.started = asked.started or time.monotonic()
                        asked.computed = True
                        if event != "error" and data:
                            asked.answer = data[0] or asked.answer
                        if event != "generating":
                            asked.ended = time.monotonic()
                            _close(asked, event == "complete", data)
                            return
                    if leave is not Leave.NOT and time.monotonic() >= asked.accepted + after:
                        asked.outcome = Outcome.VANISHED
                        return
        except httpx.ReadTimeout:
            if leave is Leave.NOT:
                raise
            asked.outcome = Outcome.VANISHED

    def _messages(self, path: str, query: dict[str, str]) -> Iterator[dict]:
        with self._client.stream("GET", f"{API}{path}", params=query) as lines:
            for line in lines.iter_lines():
                if line.startswith("data:"):
                    yield json.loads(line.removeprefix("data:"))


def _close(asked: Asked, success: bool, output: object) -> None:
    asked.outcome = Outcome.DONE if success else Outcome.ERROR
    asked.problem = "" if success else str(output)


def sentence(answer: httpx.Response) -> str:
    """Why a full queue refused; a `ValueError` if it does not say."""
    body = answer.json()
    sentence = body.get("detail") or body.get("error") if isinstance(body, dict) else None
    if not isinstance(sentence, str):
        raise ValueError("Refused without a sentence.")
    return sentence
