"""The int8 model of `quantize_dynamic`, run as fast as it can be here: integers, modules and sizes are int8's own.

Stock int8 is slow for reasons that are not int8's fault. There are three ways of running it: its modules; the operators
under them, called without Python between, with oneDNN's kernel for the decoder; and a kernel of our own where one
could be built (compiled.py). For one word, and for windows of about a length, the way is kept that is fastest on this
machine among those whose output is the modules' own (choosing.py). Nothing is found out before it is needed.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial

import torch
from torch import Tensor, nn

from lmdemo.choosing import Choice, about, choose
from lmdemo.compiled import compiled
from lmdemo.errors import VariantError
from lmdemo.inference import Pause, QuantizedRunner, Runner
from lmdemo.int8lm import Int8LM, Int8LMRunner
from lmdemo.model import Hidden, LSTMModel
from lmdemo.once import Once

SEED = 0  # of the words whose numbers stand for the real ones
MODULES, OPERATORS, KERNEL = "stock", "torch's operators", "a kernel of our own"  # the ways

Ways = Mapping[str, Callable[[], Runner | Int8LMRunner]]  # each begins a text


class PackedInt8Model(nn.Module):
    """A model that `quantize_dynamic` made, with the ways of running it; modules and state dict are the model's own."""

    def __init__(self, model: LSTMModel) -> None:
        super().__init__()
        self.config = model.config
        self.drop, self.encoder, self.rnn, self.decoder = model.drop, model.encoder, model.rnn, model.decoder
        self.problem = ""  # why there is no kernel; known when the ways are
        self.ways: Once[Ways] = Once(self._find_ways)
        self._choosing = threading.Lock()
        self._chosen: dict[int, Choice] = {}

    forward = LSTMModel.forward
    init_hidden = LSTMModel.init_hidden

    @property
    def choices(self) -> tuple[Choice, ...]:
        """What was chosen so far."""
        return tuple(self._chosen.values())

    def start(self) -> "PackedInt8Runner":
        """A runner, with the hidden state of a text's beginning."""
        return PackedInt8Runner(self)

    def way(self, words: int) -> str:
        """The fastest for so many words at a time; measured now, if windows of about the length never were."""
        count = about(words)
        with self._choosing:
            if count not in self._chosen:
                self._chosen[count] = self._choose(count)
        return self._chosen[count].chosen

    def _find_ways(self) -> Ways:
        ways: dict[str, Callable[[], Runner | Int8LMRunner]] = {
            MODULES: partial(Runner, self),
            OPERATORS: partial(QuantizedRunner, self),
        }
        found = compiled()
        self.problem = found.problem
        if found.library is not None:
            try:
                ways[KERNEL] = partial(Int8LMRunner, Int8LM(self, found.library))
            except VariantError as error:
                self.problem = str(error)
        return ways

    def _choose(self, count: int) -> Choice:
        ids = torch.randint(self.config.ntoken, (count + 1,), generator=torch.Generator().manual_seed(SEED))
        with torch.inference_mode():
            runners = {name: begin() for name, begin in self.ways().items()}
            if count == 1:
                steps = {name: running.step for name, running in runners.items()}
                return choose("int8, one word", steps, int(ids[0]))[1]
            reads = {name: running.losses for name, running in runners.items()}
            return choose(f"int8, {count} words", reads, ids[:-1], ids[1:])[1]


class PackedInt8Runner:
    """A `PackedInt8Model` on one text: what `inference.Runner` does, each call in the way that is fastest for it."""

    def __init__(self, model: PackedInt8Model) -> None:
        self._model, self._way = model, model.way(1)
        self._running = model.ways()[self._way]()

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

    def prefill(self, ids: Tensor, pause: Pause) -> None:
        """As `Runner.prefill`, in the way of the words that follow."""
        self._by(1).prefill(ids, pause)

    def prepare_reading(self, lengths: Iterable[int]) -> None:
        """As `Runner.prepare_reading`."""
        for length in lengths:
            self._by(length).prepare_reading([length])

    def _by(self, words: int) -> Runner | Int8LMRunner:
        """What runs in the way for so many words, with the state that the text has come to."""
        way = self._model.way(words)
        if way != self._way:
            running = self._model.ways()[way]()
            running.hidden = self._running.hidden
            self._way, self._running = way, running
        return self._running
