"""The int8 model of `quantize_dynamic`, run as fast as it can be here: integers, modules and sizes are int8's own.

Stock int8 is slow for reasons that are not int8's fault. There are three ways of running it: its modules; the operators
under them, called without Python between, with oneDNN's kernel for the decoder; and a kernel of our own where one
could be built (compiled.py). The fastest is kept (ways.py).
"""

from collections.abc import Callable
from functools import partial

from torch import nn

from lmdemo.choosing import Choice
from lmdemo.compiled import compiled
from lmdemo.errors import VariantError
from lmdemo.inference import QuantizedRunner, Runner, int8_rows_decoder
from lmdemo.int8lm import Int8LM, Int8LMRunner
from lmdemo.memory import Growth
from lmdemo.model import LSTMModel
from lmdemo.ways import KERNEL, MODULES, ChosenRunner, ChosenWays, Runs, Ways

OPERATORS = "torch's operators"  # the way beside the modules and the kernel


class PackedInt8Model(nn.Module):
    """A model that `quantize_dynamic` made, with the ways of running it; modules and state dict are the model's own."""

    def __init__(self, model: LSTMModel) -> None:
        super().__init__()
        self.config = model.config
        self.drop, self.encoder, self.rnn, self.decoder = model.drop, model.encoder, model.rnn, model.decoder
        self.problem = ""  # why there is no kernel; known when the ways are
        self.held_by_ways: int | None = 0  # bytes of the copies that its ways have of the weights
        self.whole = ChosenWays("int8", model.config.ntoken, self._find_ways)

    forward = LSTMModel.forward
    init_hidden = LSTMModel.init_hidden

    @property
    def chosen_ways(self) -> tuple[Choice, ...]:
        """What was chosen so far."""
        return self.whole.chosen_ways

    def start(self) -> ChosenRunner:
        """A runner, with the hidden state of a text's beginning."""
        return self.whole.start()

    def _find_ways(self) -> Ways:
        growth = Growth()
        ways: dict[str, Callable[[], Runs]] = {
            MODULES: partial(Runner, self),
            OPERATORS: partial(QuantizedRunner, self, int8_rows_decoder(self)),
        }
        grown, copied = growth.read(), 0
        found = compiled()
        self.problem = found.problem
        if found.library is not None:
            try:
                lm = Int8LM(self, found.library)
                ways[KERNEL], copied = partial(Int8LMRunner, lm), lm.bytes
            except VariantError as error:
                self.problem = str(error)
        self.held_by_ways = None if grown is None else grown + copied
        return ways
