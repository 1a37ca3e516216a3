"""One computation at a time: no figure is taken while another computation runs in this process."""

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TypeVar

Step = TypeVar("Step")


class Turns:
    """What computes takes turns, step by step; what can wait stands aside while a run is under way."""

    def __init__(self, turn: AbstractContextManager | None = None) -> None:
        """`turn` is held by whoever computes; without it a lock."""
        self.turn = turn or threading.Lock()
        self._rest = threading.Condition()
        self._runs = 0  # under way

    def take(self, steps: Iterator[Step]) -> Iterator[Step]:
        """A run: `steps`, each taken while no other computation takes one.

        The turn is held within a step only: a visitor who leaves in the middle holds nothing.
        """
        with self._under_way():
            while True:
                with self.turn:
                    step = next(steps, None)
                if step is None:
                    return
                yield step

    def take_at_rest(self, steps: Iterator[Step]) -> Iterator[Step]:
        """As `take`, of what nobody waits for: each step when no run is under way, so that none is timed beside it."""
        while True:
            self._await_rest()
            with self.turn:
                step = next(steps, None)
            if step is None:
                return
            yield step

    def stand_aside(self) -> None:
        """A pause within a step of `take_at_rest`: where a run has begun meanwhile, it has the turn until it ends."""
        if not self._runs:
            return
        self.turn.__exit__(None, None, None)
        try:
            self._await_rest()
        finally:
            self.turn.__enter__()

    def _await_rest(self) -> None:
        with self._rest:
            self._rest.wait_for(lambda: not self._runs)

    @contextmanager
    def _under_way(self) -> Iterator[None]:
        with self._rest:
            self._runs += 1
        try:
            yield
        finally:
            with self._rest:
                self._runs -= 1
                self._rest.notify_all()
