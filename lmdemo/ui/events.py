"""How events run: by name, what computes goes one at a time, and what it sends is paced by the clock."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Hashable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import aclosing, closing
from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction, signature
from typing import TypeVar

import gradio as gr

from lmdemo.errors import LmdemoError

Snapshot = TypeVar("Snapshot")
Components = Mapping[str, Hashable]  # components and layouts, by the names that handlers know them by
Update = dict[str, object]  # what outputs are to hold, by name; those that are not in it stay as they are

FIRST_WAIT = 30  # seconds a page that comes right after the start waits for the first results
LOOK_AGAIN = 10.0  # seconds between two looks for better first results, while those on the page are in doubt
TEXT_INTERVAL = 0.1  # seconds between updates of a text
CHART_INTERVAL = 0.25  # of a chart, which the browser takes longer to draw

TURN = {"concurrency_id": "compute", "concurrency_limit": 1}  # one computing event at a time, on tabs and endpoints
# The handlers check their fields themselves, each with its sentence; Gradio's components know less and say it worse,
# with the names of handler and component, and a traceback in the log. Not where an input is a State: they bring that.
AS_SENT = {"preprocess": False}
COMPUTING = {**TURN, **AS_SENT, "show_progress": "full", "api_visibility": "private"}
QUICK = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}


def named(fn: Callable, inputs: Components, outputs: Components) -> dict[str, object]:
    """What a listener of Gradio takes, so that `fn` is called by name and answers by name.

    Args:
        fn: takes its inputs under their names; returns, or yields, an `Update` of some outputs. It may be async.

    Raises:
        TypeError: `fn` does not take these inputs.
    """
    signature(fn).bind(**dict.fromkeys(inputs))

    def given(values: tuple[object, ...]) -> dict[str, object]:
        return dict(zip(inputs, values, strict=True))

    def update(answer: Update) -> dict:
        return {outputs[name]: value for name, value in answer.items()} or gr.skip()

    if isasyncgenfunction(fn):

        async def handler(*values: object) -> AsyncIterator[dict]:
            async with aclosing(fn(**given(values))) as answers:
                async for answer in answers:
                    yield update(answer)

    elif isgeneratorfunction(fn):

        def handler(*values: object) -> Iterator[dict]:
            with closing(fn(**given(values))) as answers:
                yield from map(update, answers)

    elif iscoroutinefunction(fn):

        async def handler(*values: object) -> dict:
            return update(await fn(**given(values)))

    else:

        def handler(*values: object) -> dict:
            return update(fn(**given(values)))

    handler.__name__ = getattr(fn, "func", fn).__name__  # no more of it: Gradio counts what the handler itself takes
    return {"fn": handler, "inputs": list(inputs.values()), "outputs": list(outputs.values())}


async def first_result(first: Future[Snapshot | None]) -> Snapshot | None:
    """A first result, waiting FIRST_WAIT seconds for it at most; None if it is not there.

    It waits without a thread: pages that come right after the start would use up all that serve the others.
    """
    try:
        return await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(first)), FIRST_WAIT)
    except TimeoutError:
        return None


def throttled(
    snapshots: Iterator[Snapshot], interval: float, pace: Callable[[Snapshot], float] = lambda _: 1.0
) -> Iterator[Snapshot]:
    """The first snapshot at once, then at most one every `interval` seconds, and the last one always.

    Also if what gives them ends in an error of ours, which is raised after the last. After a snapshot that takes a
    browser long to draw the interval is `pace` times as long: what comes faster than it is drawn piles up in the page,
    which then hears of no press on Stop.
    """
    due = float("-inf")
    waiting: Snapshot | None = None
    ended: LmdemoError | None = None
    try:
        for waiting in snapshots:
            if time.monotonic() >= due:
                yield waiting
                due, waiting = time.monotonic() + interval * pace(waiting), None
    except LmdemoError as error:
        ended = error
    if waiting is not None:
        yield waiting
    if ended is not None:
        raise ended
