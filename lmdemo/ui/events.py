"""How events run: what computes goes one at a time, and what it sends is paced by the clock."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from typing import TypeVar

from lmdemo.errors import LmdemoError

Snapshot = TypeVar("Snapshot")

FIRST_WAIT = 30  # seconds a page that comes right after the start waits for the first results
TEXT_INTERVAL = 0.1  # seconds between updates of a text
CHART_INTERVAL = 0.25  # of a chart, which the browser takes longer to draw

# After a cancel the page needs about 0.2 s to clear the run away: until then an update that was under way may still
# arrive and overwrite what Stop says, and the next press is ignored.
SETTLE = 0.4  # seconds

TURN = {"concurrency_id": "compute", "concurrency_limit": 1}  # one computing event at a time, on tabs and endpoints
# The handlers check their fields themselves, each with its sentence; Gradio's components know less and say it worse,
# with the names of handler and component, and a traceback in the log. Not where an input is a State: they bring that.
AS_SENT = {"preprocess": False}
COMPUTING = {**TURN, **AS_SENT, "show_progress": "full", "api_visibility": "private"}
QUICK = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}


async def first_result(first: Future[Snapshot | None]) -> Snapshot | None:
    """A first result, waiting FIRST_WAIT seconds for it at most; None if it is not there.

    It waits without a thread: pages that come right after the start would use up all that serve the others.
    """
    try:
        return await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(first)), FIRST_WAIT)
    except TimeoutError:
        return None


def throttled(snapshots: Iterator[Snapshot], interval: float) -> Iterator[Snapshot]:
    """The first snapshot at once, then at most one every `interval` seconds, and the last one always.

    Also if what gives them ends in an error of ours, which is raised after the last.
    """
    shown = float("-inf")
    waiting: Snapshot | None = None
    ended: LmdemoError | None = None
    try:
        for waiting in snapshots:
            if time.monotonic() - shown >= interval:
                yield waiting
                shown, waiting = time.monotonic(), None
    except LmdemoError as error:
        ended = error
    if waiting is not None:
        yield waiting
    if ended is not None:
        raise ended


def settled(handler: Callable[..., str]) -> Callable[..., Awaitable[str]]:
    """`handler`, called once the page has cleared a cancelled run away."""

    async def wait_and_call(*values: object) -> str:
        await asyncio.sleep(SETTLE)
        return handler(*values)

    return wait_and_call
