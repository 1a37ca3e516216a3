"""What computes a run is closed when the run is over, also where Gradio does not know of it.

Gradio closes what it has heard of. When a run is stopped in its first step, nothing of it was heard yet: the step goes
on in its thread to its end, and what computes would wait for a next one until the garbage collector comes.
"""

import asyncio
from collections.abc import Callable, Coroutine, Generator


class Endings:
    """What computes each run under way."""

    def __init__(self, close: Callable[[Generator], Coroutine]) -> None:
        """There is none yet; `close` closes what computes as soon as no step of it is under way."""
        self._close = close
        self._steps: dict[str, Generator] = {}  # by the name of the run
        self._closing: set[asyncio.Future] = set()  # under way, which the loop alone would forget

    def expect(self, run: str, steps: Generator) -> None:
        """`steps` are to be closed at the end of this run."""
        self._steps[run] = steps

    def end(self, run: str) -> None:
        """This run is over: close what computed it."""
        if steps := self._steps.pop(run, None):
            closing = asyncio.ensure_future(self._close(steps))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
