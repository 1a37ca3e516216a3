"""The int8 model of `quantize_dynamic`, run as fast as it can be here: integers, modules and sizes are int8's own.

Stock int8 is slow for reasons that are not int8's fault. There are three ways of running it: its modules; the operators
under them, called without Python between, with oneDNN's kernel for the decoder; and a kernel of our own where one
could be built (compiled.py). The fastest is kept (ways.py).
"""

from collections.abc import Callable
from functools import partial

from torch import nn

from lmdemo.compiled import compiled
from lmdemo.errors import VariantError
from lmdemo.inference import QuantizedRunner, Runner, int8_rows_decoder
from lmdemo.int8lm import Int8LM, Int8LMRunner
from lmdemo.memory import Growth
from lmdemo.model import LSTMModel
from lmdemo.ways import KERNEL, MODULES, ChosenWays, Found, Runs, RunsInChosenWays

OPERATORS = "torch's operators"  # the way beside the modules and the kernel


class PackedInt8Model(RunsInChosenWays, nn.Module):
    """A model that `quantize_dynamic` made, with the ways of running it; modules and state dict are the model's own."""

    def __init__(self, model: LSTMModel) -> None:
        super().__init__()
        self.config = model.config
        self.drop, self.encoder, self.rnn, self.decoder = model.drop, model.encoder, model.rnn, model.decoder
        self.whole = ChosenWays("int8", model.config.ntoken, partial(_find_ways, model))

    forward = LSTMModel.forward
    init_hidden = LSTMModel.init_hidden


def _find_ways(model: nn.Module) -> Found:
    growth = Growth()
    ways: dict[str, Callable[[], Runs]] = {
        MODULES: partial(Runner, model),
        OPERATORS: partial(QuantizedRunner, model, int8_rows_decoder(model)),
    }
    grown, copied = growth.read(), 0
    found = compiled()
    problem = found.problem
    if found.library is not None:
        try:
            lm = Int8LM(model, found.library)
            ways[KERNEL], copied = partial(Int8LMRunner, lm), lm.bytes
        except VariantError as error:
            problem = str(error)
    return Found(ways, problem, None if grown is None else grown + copied)
