"""A model that can be run in several ways: for one word, and for windows of about a length, the one that is fastest.

Of the ways those count whose output is that of the first, the modules themselves (choosing.py). Nothing is found out
before it is needed. It knows nothing of what the ways are.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from lmdemo.choosing import Choice, about, choose
from lmdemo.inference import PREFILL, Pause
from lmdemo.model import Hidden
from lmdemo.once import Once

SEED = 0  # of the words whose numbers stand for the real ones
MODULES, KERNEL = "stock", "a kernel of our own"  # ways that every model of the kind has, where there is a compiler


class Runs(Protocol):
    """A model on one text, as `inference.Runner` does it."""

    hidden: Hidden

    def step(self, word: int) -> Tensor: ...
    def read(self, ids: Tensor) -> Iterator[Tensor]: ...
    def losses(self, ids: Tensor, targets: Tensor) -> Tensor: ...
    def prefill(self, ids: Tensor, pause: Pause, window: int = PREFILL) -> None: ...
    def prepare_reading(self, lengths: Iterable[int]) -> None: ...


Ways = Mapping[str, Callable[[], Runs]]  # each begins a text


@dataclass(frozen=True)
class Found:
    """The ways that there are of running one model, the first the modules'."""

    ways: Ways
    problem: str = ""  # why there is no kernel
    held: int | None = 0  # bytes of the copies that they have of the weights; None where they cannot be told


class ChosenWays:
    """The ways of running one model, and which of them was chosen for how many words.

    The model holds these. So nothing here may hold the model, but only what is in it: else its weights would stay
    until the collector of circles comes.
    """

    def __init__(self, work: str, ntoken: int, find: Callable[[], Found]) -> None:
        """`work` names the model in what is said of the ways chosen."""
        self._work, self._ntoken = work, ntoken
        self._find: Once[Found] = Once(find)
        self._choosing = threading.Lock()
        self._chosen: dict[int, Choice] = {}

    def ways(self) -> Ways:
        """All of them; found now, if they are not yet."""
        return self._find().ways

    @property
    def problem(self) -> str:
        """Why there is no kernel, once that is known."""
        return self._find.made.problem if self._find.made else ""

    @property
    def held(self) -> int | None:
        """Bytes of the copies of the weights, once there are any; None where they cannot be told."""
        return self._find.made.held if self._find.made else 0

    @property
    def chosen_ways(self) -> tuple[Choice, ...]:
        """What was chosen so far."""
        return tuple(self._chosen.values())

    def start(self) -> "ChosenRunner":
        """A runner, with the hidden state of a text's beginning."""
        return ChosenRunner(self)

    def way(self, words: int) -> str:
        """The fastest for so many words at a time; measured now, if windows of about the length never were."""
        count = about(words)
        with self._choosing:
            if count not in self._chosen:
                self._chosen[count] = self._choose(count)
        return self._chosen[count].chosen

    def _choose(self, count: int) -> Choice:
        ids = torch.randint(self._ntoken, (count + 1,), generator=torch.Generator().manual_seed(SEED))
        with torch.inference_mode():
            runners = {name: begin() for name, begin in self.ways().items()}
            if count == 1:
                steps = {name: running.step for name, running in runners.items()}
                return choose(f"{self._work}, one word", steps, int(ids[0]))[1]
            reads = {name: running.losses for name, running in runners.items()}
            return choose(f"{self._work}, {count} words", reads, ids[:-1], ids[1:])[1]


class RunsInChosenWays:
    """What a model has that holds its ways as `whole`."""

    whole: ChosenWays

    @property
    def chosen_ways(self) -> tuple[Choice, ...]:
        """What was chosen so far."""
        return self.whole.chosen_ways

    @property
    def problem(self) -> str:
        """Why there is no kernel; known when the ways are."""
        return self.whole.problem

    @property
    def held_by_ways(self) -> int | None:
        """Bytes of the copies that its ways have of the weights."""
        return self.whole.held

    def start(self) -> "ChosenRunner":
        """A runner, with the hidden state of a text's beginning."""
        return self.whole.start()


class ChosenRunner:
    """A model on one text: what `inference.Runner` does, each call in the way that is fastest for it."""

    def __init__(self, chosen: ChosenWays) -> None:
        self._chosen, self._way = chosen, chosen.way(1)
        self._running = chosen.ways()[self._way]()

    @property
    def hidden(self) -> Hidden:
        """The state after what was read."""
        return self._running.hidden

    def step(self, word: int) -> Tensor:
        """As `Runner.step`."""
        return self._by(1).step(word)

    def read(self, ids: Tensor) -> Iterator[Tensor]:
        """As `Runner.read`."""
        return self._by(len(ids)).read(ids)

    def losses(self, ids: Tensor, targets: Tensor) -> Tensor:
        """As `Runner.losses`."""
        return self._by(len(ids)).losses(ids, targets)

    def prefill(self, ids: Tensor, pause: Pause, window: int = PREFILL) -> None:
        """As `Runner.prefill`, in the way of the words that follow."""
        self._by(1).prefill(ids, pause, window)

    def prepare_reading(self, lengths: Iterable[int]) -> None:
        """As `Runner.prepare_reading`."""
        for length in lengths:
            self._by(length).prepare_reading([length])

    def _by(self, words: int) -> Runs:
        """What runs in the way for so many words, with the state that the text has come to."""
        way = self._chosen.way(words)
        if way != self._way:
            running = self._chosen.ways()[way]()
            running.hidden = self._running.hidden
            self._way, self._running = way, running
        return self._running
