"""Thousands of short sessions, a few at a time: whether the app's memory grows with them."""

import asyncio
import random
from dataclasses import dataclass, field

import numpy as np

from lmdemo.errors import LmdemoError
from lmdemo.load.app import App, app_under_load
from lmdemo.load.crowd import Deed, do, host_of
from lmdemo.load.measure import rest, warm_up
from lmdemo.load.turns import jobs_in, unaccounted
from lmdemo.load.visitor import Asked, Leave, Outcome, Visitor

AT_ONCE = 4  # sessions
WRITE = ("page/generate", (False, ["int8"], "It was", 20, 1.0, 0, 1, False))
LONG = ("page/generate", (False, ["int8"], "It was", 500, 1.0, 0, 1, False))
CALL = ("api/generate", ("It was", 20, 1.0, 0, 1))
DEEDS = (
    Deed(1, *WRITE),
    Deed(1, *CALL),
    Deed(1, "api/evaluate", (200, 25)),
    Deed(1, "page/evaluate", (400, 200, ["int8"])),
    Deed(1, *LONG, Leave.CANCEL),
    Deed(1, *LONG, Leave.VANISH),
    Deed(1, *WRITE, Leave.NEVER_READ),
    Deed(1, *CALL, Leave.NEVER_READ),
)
LEAVE_AFTER = (0.0, 0.2)  # seconds
FLAT = 5.0  # MB per 1,000 sessions


@dataclass
class Soak:
    """Memory over sessions."""

    sessions: list[int] = field(default_factory=list)  # that had ended at each look
    memory: list[int] = field(default_factory=list)  # bytes resident then
    asked: list[Asked] = field(default_factory=list)
    threads: tuple[int, int] = (0, 0)  # before and after
    unaccounted: tuple[int, int] | None = None
    whole: bool = True  # all sessions fitted into the time

    @property
    def slope(self) -> tuple[float, float]:
        """MB per 1,000 sessions over the second half, by least squares, and half of its 95% interval."""
        half = len(self.sessions) // 2
        x, y = np.array(self.sessions[half:]) / 1e3, np.array(self.memory[half:]) / 1e6
        x, y = x - x.mean(), y - y.mean()
        slope = (x @ y) / (x @ x)
        error = np.sqrt(((y - slope * x) ** 2).sum() / max(1, len(x) - 2) / (x @ x))
        return float(slope), float(1.96 * error)

    @property
    def flat(self) -> bool:
        """Whether memory does not grow: the slope is below FLAT."""
        return self.slope[0] < FLAT

    @property
    def errors(self) -> list[str]:
        """What went wrong, in words."""
        return [one.problem for one in self.asked if one.outcome is Outcome.ERROR]


def run(sessions: int, seconds: float, url: str | None = None, seed: int = 0) -> Soak:
    """Open that many sessions, as far as they fit into `seconds`, and watch the memory.

    Raises:
        LmdemoError: the app did not start, its process cannot be seen, or `url` is not on this machine.
    """
    with app_under_load(url) as app:
        if app.process is None:
            raise LmdemoError("The process behind that address cannot be seen, and so not its memory.")
        return asyncio.run(_soak(app, sessions, seconds, seed))


async def _soak(app: App, sessions: int, seconds: float, seed: int) -> Soak:
    soak, draw = Soak(), random.Random(seed)
    asked = await warm_up(app)
    threads = app.threads()
    waiting = [(draw.choice(DEEDS), draw.uniform(*LEAVE_AFTER)) for _ in range(sessions)]

    async def visit_all() -> None:
        while waiting:
            deed, after = waiting.pop()
            async with Visitor(app.address, app.events, host_of(app.address, len(waiting))) as visitor:
                await visitor.arrive()
                soak.asked.append(await do(visitor, deed, after))
            soak.sessions.append(len(soak.asked))  # each time: what others compute meanwhile comes and goes
            soak.memory.append(app.memory())

    try:
        async with asyncio.timeout(seconds), asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(visit_all())
    except TimeoutError:
        soak.whole = False
    threads_again, resting = await rest(app)
    soak.threads = threads, threads_again
    if app.log and soak.whole:  # a session that was broken off has told nobody what it asked for
        soak.unaccounted = unaccounted([*asked, *soak.asked, *resting], jobs_in(app.log))
    return soak
