"""Many visitors at once, in a mix that a seed fixes: who comes when, what they ask for, how they leave."""

import asyncio
import random
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from lmdemo.load.visitor import Asked, Events, Leave, Visitor

GENERATE = ("api/generate", ("It was a cold night in November, and", 100, 1.0, 0, 1))
EVALUATE = ("api/evaluate", (2_000, 25))
WRITE = ("page/generate", (False, ["int8"], "It was a cold night in November, and", 80, 1.0, 0, 1, False))
WRITE_LONG = ("page/generate", (False, ["int8"], "It was a cold night in November, and", 1_000, 1.0, 0, 1, False))
MEASURE = ("page/evaluate", (1_000, 200, ["int8"]))
MEASURE_LONG = ("page/evaluate", (8_000, 200, ["fp32-packed", "int8"]))
EVERYTHING = (WRITE, WRITE_LONG, MEASURE, MEASURE_LONG, GENERATE, EVALUATE)
THINK = (2.0, 8.0)  # seconds between two requests of a visitor
LEAVE_AFTER = (0.0, 1.0)  # seconds after the first sign of life


@dataclass(frozen=True)
class Deed:
    """Something that a visitor does, and how often among others."""

    weight: int
    kind: str
    data: Sequence[object]
    leave: Leave = Leave.NOT


DEEDS = (
    Deed(6, *WRITE),
    Deed(3, *MEASURE),
    Deed(5, *GENERATE),
    Deed(4, *EVALUATE),
    Deed(2, *WRITE_LONG, Leave.CANCEL),
    Deed(1, *MEASURE_LONG, Leave.CANCEL),
    Deed(2, *WRITE_LONG, Leave.VANISH),
    Deed(1, *MEASURE_LONG, Leave.VANISH),
    Deed(1, *GENERATE, Leave.VANISH),
    Deed(1, *WRITE, Leave.NEVER_READ),
    Deed(1, *GENERATE, Leave.NEVER_READ),
)


@dataclass
class Crowd:
    """What a crowd asked for."""

    visitors: int
    sessions: int = 0  # pages opened: who vanishes comes back in a new one
    asked: list[Asked] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)  # of opening a page


async def crowd(address: str, events: Events, visitors: int, seconds: float, seed: int = 0) -> Crowd:
    """Let visitors come and go for that long; whoever waits then is still served."""
    met = Crowd(visitors)
    until = time.monotonic() + seconds
    draw = random.Random(seed)
    # all are there for the second half
    coming = sorted(draw.uniform(0, seconds / 2) for _ in range(visitors))
    async with asyncio.TaskGroup() as group:
        for number, when in enumerate(coming):
            visitor = partial(Visitor, address, events, host_of(address, number))
            group.create_task(_visit(met, visitor, random.Random(draw.random()), when, until))
    return met


def host_of(address: str, number: int) -> str | None:
    """An address of this machine for a visitor of their own, where it has more than one (Linux)."""
    one_of_many = sys.platform == "linux" and address.startswith("http://127.")
    return f"127.1.{number // 250}.{1 + number % 250}" if one_of_many else None


async def _visit(
    met: Crowd, new_visitor: Callable[[], Visitor], draw: random.Random, when: float, until: float
) -> None:
    """One visitor, from their coming until the end."""
    await asyncio.sleep(when)
    while time.monotonic() < until:
        async with new_visitor() as visitor:
            await _session(met, visitor, draw, until)


async def _session(met: Crowd, visitor: Visitor, draw: random.Random, until: float) -> None:
    """Open the page and ask for one thing after another, until the end or until one vanishes."""
    try:
        await visitor.arrive()
    except OSError as error:
        met.problems.append(f"{type(error).__name__}: {error}")
    met.sessions += 1
    while time.monotonic() < until:
        (deed,) = draw.choices(DEEDS, [deed.weight for deed in DEEDS])
        met.asked.append(await do(visitor, deed, draw.uniform(*LEAVE_AFTER)))
        if deed.leave in (Leave.VANISH, Leave.NEVER_READ):
            return
        await asyncio.sleep(min(draw.uniform(*THINK), max(0.0, until - time.monotonic())))


async def do(visitor: Visitor, deed: Deed, after: float = 0.0) -> Asked:
    """Ask for what a deed says and leave as it says."""
    ask = visitor.press if deed.kind.startswith("page/") else visitor.call
    return await ask(deed.kind, deed.data, deed.leave, after)
