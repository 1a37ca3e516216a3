"""A crowd on the app, measured: what came of it, who waited how long, and what it did to the timings."""

import asyncio
import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lmdemo.load.app import App, app_under_load
from lmdemo.load.crowd import EVALUATE, EVERYTHING, GENERATE, Crowd, Deed, crowd, do
from lmdemo.load.turns import jobs_in, overtakes, turns_of_jobs, turns_of_visitors, unaccounted
from lmdemo.load.visitor import Asked, Leave, Outcome, Visitor

# Of each endpoint, idle, before the crowd and again after it: the speed of a machine at rest drifts within a minute.
PROBES = 30
QUIET = 11.0  # seconds after which a thread of the web server that has nothing to do may end
LOOK = 0.2  # seconds between two looks at the memory


@dataclass(frozen=True)
class State:
    """The app's process at rest; None where it cannot be seen."""

    memory: int | None  # bytes resident, the median over probes: at one moment it is up to 3% more or less
    threads: int | None


@dataclass(frozen=True)
class Load:
    """What a crowd did to the app."""

    visitors: int
    sessions: int
    seconds: float  # that the crowd came and went
    asked: tuple[Asked, ...]
    problems: tuple[str, ...]  # of opening a page
    idle: tuple[Asked, ...]  # the same requests of the endpoints with nobody else there
    before: State
    peak: int | None  # bytes
    after: State
    overtakes: int
    unaccounted: tuple[int, int] | None  # runs without a line in the log, lines too many; None without the log

    def count(self, outcome: Outcome) -> int:
        """Requests with that outcome; what went wrong in opening a page is an error too."""
        opened = len(self.problems) if outcome is Outcome.ERROR else 0
        return opened + sum(one.outcome is outcome for one in self.asked)

    @property
    def errors(self) -> list[str]:
        """What went wrong, in words."""
        return [*self.problems, *(one.problem for one in self.asked + self.idle if one.outcome is Outcome.ERROR)]

    @property
    def waits(self) -> tuple[float, float, float] | None:
        """Seconds until the first sign of life: median, 95th percentile, worst."""
        waits = [one.waited for one in self.asked if one.waited is not None]
        return tuple(float(wait) for wait in np.quantile(waits, (0.5, 0.95, 1))) if waits else None

    @cached_property
    def ratios(self) -> Mapping[tuple[str, str], tuple[float, int]]:
        """By endpoint and variant: words/s under load ÷ idle, of the medians; and how many answers under load."""
        loaded, idle = speeds(self.asked), speeds(self.idle)
        return {
            key: (float(np.median(loaded.get(key, math.nan)) / np.median(idle[key])), len(loaded.get(key, [])))
            for key in idle
        }


def run(visitors: int, seconds: float, url: str | None = None, seed: int = 0, probes: int = PROBES) -> Load:
    """Let `visitors` come and go for that long, and measure the app before, meanwhile and after.

    Raises:
        LmdemoError: the app did not start, or `url` is not the address of one on this machine.
    """
    with app_under_load(url) as app:
        return asyncio.run(_measure(app, visitors, seconds, seed, probes))


async def _measure(app: App, visitors: int, seconds: float, seed: int, probes: int) -> Load:
    warm = await warm_up(app)
    idle, memory = await _probe(app, probes)
    before = State(memory, app.threads())
    watching = asyncio.create_task(_watch(app))
    met: Crowd = await crowd(app.address, app.events, visitors, seconds, seed)
    drained, _ = await _probe(app, 1)  # served after everyone who came before
    watching.cancel()
    (peak,) = await asyncio.gather(watching)
    threads, resting = await rest(app)
    idle_again, memory_again = await _probe(app, probes)
    everything = [*warm, *idle, *met.asked, *drained, *resting, *idle_again]
    jobs = jobs_in(app.log) if app.log else None
    return Load(
        visitors=visitors,
        sessions=met.sessions,
        seconds=seconds,
        asked=tuple(met.asked),
        problems=tuple(met.problems),
        idle=(*warm, *idle, *idle_again),
        before=before,
        peak=peak,
        after=State(memory_again, threads),
        overtakes=overtakes(turns_of_visitors(met.asked) if jobs is None else turns_of_jobs(jobs)),
        unaccounted=None if jobs is None else unaccounted(everything, jobs),
    )


async def warm_up(app: App) -> list[Asked]:
    """Everything that the crowd will ask for, once and at the same time, read to its end."""

    async def one(kind: str, data: Sequence[object]) -> Asked:
        async with Visitor(app.address, app.events) as visitor:
            await visitor.arrive()
            return await do(visitor, Deed(1, kind, data))

    asked = await asyncio.gather(*(one(*what) for what in EVERYTHING))
    for one_asked in asked:
        one_asked.answer = None  # of several at once: no measure of the app at rest
    return asked


async def rest(app: App) -> tuple[int | None, list[Asked]]:
    """The threads of the app at rest again, and what was asked of it to see that: those without work end by then."""
    await asyncio.sleep(QUIET)
    asked, _ = await _probe(app, 1)
    return app.threads(), asked


async def _probe(app: App, rounds: int) -> tuple[list[Asked], int | None]:
    """Both endpoints in turns, as the crowd calls them, and the median of the bytes resident after each."""
    asked, memory = [], []
    async with Visitor(app.address, app.events) as visitor:
        for what in (GENERATE, EVALUATE) * rounds:
            asked.append(await do(visitor, Deed(1, *what, Leave.NOT)))
            memory.append(app.memory())
    return asked, None if None in memory else int(np.median(memory))


async def _watch(app: App) -> int | None:
    """The most bytes resident, until it is cancelled."""
    peak = app.memory()
    with suppress(asyncio.CancelledError):  # how the watching ends
        while peak is not None:
            await asyncio.sleep(LOOK)
            peak = max(peak, app.memory())
    return peak


def speeds(asked: Iterable[Asked]) -> dict[tuple[str, str], list[float]]:
    """Words/s that the endpoints answered with, by endpoint and variant."""
    found: dict[tuple[str, str], list[float]] = {}
    for one in asked:
        if one.outcome is not Outcome.DONE or not one.answer:
            continue
        if one.kind == GENERATE[0]:
            rates = {name: one.answer[name]["words_per_second"] for name in ("fp32", "int8")}
        else:
            rates = {row["variant"]: row["tokens_per_second"] for row in one.answer}
        for name, rate in rates.items():
            found.setdefault((one.kind, name), []).append(rate)
    return found
