"""The app that locust puts under load: one of our own, seen from outside, on this machine and nowhere else."""

import logging
import sys
import time
from argparse import ArgumentParser
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import gevent
import httpx
import numpy as np
import psutil
from locust.env import Environment

from lmdemo.bench.app import PATIENCE, ROOT, running_app
from visitor import Asked, Events, Leave, Outcome, Visitor, page_events

GENERATE = ("api/generate", ("It was a cold night in November, and", 100, 1.0, 0, 1))
EVALUATE = ("api/evaluate", (2_000, 25))
logging.getLogger("httpx").setLevel(logging.WARNING)  # locust logs what any library says
WORDS = {"page/generate": 3, "page/evaluate": 0, "api/generate": 1, "api/evaluate": 0}  # their place in what is asked
QUIET = 11.0  # seconds after which a thread of the web server that has nothing to do may end


def add_app_options(parser: ArgumentParser) -> None:
    """What `App` is told, beside locust's own."""
    parser.add_argument("--folder", type=Path, default=ROOT, help="a copy of this repository to run")
    parser.add_argument("--most-words", type=int, help="that anybody reads to the end, for a short form of it all")


@dataclass(frozen=True)
class Deed:
    """Something that a visitor does, and how often among others."""

    weight: int
    kind: str
    data: tuple
    leave: Leave = Leave.NOT


@dataclass(frozen=True)
class State:
    """The app's process at rest."""

    memory: int  # bytes resident, the median over probes: at one moment it is up to 3% more or less
    threads: int


class App:
    """A running app, its log, and what was asked of it."""

    def __init__(self, environment: Environment) -> None:
        """Start it, for as long as `environment` runs.

        Raises:
            LmdemoError: it served no page.
        """
        # at the end of the time whoever waits is still served: a task that is killed tells nobody what it asked for
        environment.stop_timeout = PATIENCE
        self._environment, self._running, self._visitors = environment, ExitStack(), 0
        self.log = Path(self._running.enter_context(TemporaryDirectory()), "log")
        self._most_words = environment.parsed_options.most_words
        running = running_app(log=self.log, folder=environment.parsed_options.folder)
        self.process, self.address, _ = self._running.enter_context(running)
        self.process: psutil.Process
        config = httpx.get(f"{self.address}/config", timeout=PATIENCE, trust_env=False).raise_for_status().json()
        self.events: Events = page_events(config)
        self.asked: list[Asked] = []
        self.problems: list[str] = []  # of opening a page

    def stop(self) -> None:
        """End it; its log is gone then."""
        self._running.close()

    def arrive(self) -> Visitor:
        """A new visitor, from an address of their own where this machine has more than one (Linux)."""
        number, self._visitors = self._visitors, self._visitors + 1
        host = f"127.1.{number // 250 % 250}.{1 + number % 250}" if sys.platform == "linux" else None
        visitor, began = Visitor(self.address, self.events, host), time.monotonic()
        try:
            visitor.arrive()
        except httpx.HTTPError as error:
            self.problems.append(f"{type(error).__name__}: {error}")
        self._tell("page", "open", began, self.problems[-1] if self.problems else None)
        return visitor

    def do(self, visitor: Visitor, deed: Deed, after: float = 0.0) -> Asked:
        """Let a visitor ask for what a deed says and leave as it says; kept here, and told to locust."""
        ask = visitor.press if deed.kind.startswith("page/") else visitor.call
        data = list(deed.data)
        # who leaves a text in the middle still finds one
        if self._most_words is not None and (deed.leave is Leave.NOT or deed.kind.endswith("evaluate")):
            data[WORDS[deed.kind]] = min(self._most_words, data[WORDS[deed.kind]])
        asked = ask(deed.kind, data, deed.leave, after)
        self.asked.append(asked)
        problem = asked.problem if asked.outcome is Outcome.ERROR else None
        self._tell(asked.outcome.value, asked.kind, asked.asked, problem)
        return asked

    def warm_up(self, deeds: list[Deed]) -> list[Asked]:
        """Everything that will be asked for, once and at the same time, read to its end."""

        def one(deed: Deed) -> Asked:
            with self.arrive() as visitor:
                return self.do(visitor, deed)

        asked = [greenlet.get() for greenlet in [gevent.spawn(one, deed) for deed in deeds]]
        for one_asked in asked:
            one_asked.answer = None  # of several at once: no measure of the app at rest
        return asked

    def probe(self, rounds: int) -> State:
        """Both endpoints in turns, as visitors call them, with nobody else there; and the app after each."""
        memory = []
        with Visitor(self.address, self.events) as visitor:
            for what in (GENERATE, EVALUATE) * rounds:
                self.do(visitor, Deed(1, *what))
                memory.append(self.process.memory_info().rss)
        return State(int(np.median(memory)), self.process.num_threads())

    def rest(self) -> None:
        """Let the threads that have no work end."""
        self.probe(1)
        gevent.sleep(QUIET)
        self.probe(1)

    def _tell(self, what: str, kind: str, began: float, problem: str | None) -> None:
        self._environment.events.request.fire(
            request_type=what,
            name=kind,
            response_time=1e3 * (time.monotonic() - began),
            response_length=0,
            exception=problem,
            context={},
        )
