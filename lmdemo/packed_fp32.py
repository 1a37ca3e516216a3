"""fp32-packed: the pieces of packed.py, or a kernel of our own where one could be built; the faster (ways.py)."""

import copy
from collections.abc import Callable
from functools import partial

from lmdemo.choosing import Choice
from lmdemo.compiled import compiled
from lmdemo.fp32lm import Fp32LM, Fp32LMRunner
from lmdemo.inference import PackedRunner, Runner
from lmdemo.model import LSTMModel
from lmdemo.packed import PackedLSTMModel
from lmdemo.ways import KERNEL, MODULES, ChosenWays, Found, Runs, RunsInChosenWays

PIECES = "in pieces"  # the way beside the modules and the kernel


class PackedFp32Model(PackedLSTMModel, RunsInChosenWays):
    """A `PackedLSTMModel` that may also run in the kernel as a whole; modules and state dict are the model's own."""

    def __init__(self, model: LSTMModel) -> None:
        super().__init__(model)
        pieces = copy.copy(self)  # the same modules and pieces, and not this, which holds the ways
        self.whole = ChosenWays("fp32", model.config.ntoken, partial(_find_ways, pieces))

    @property
    def chosen_ways(self) -> tuple[Choice, ...]:
        """What was chosen so far: of pieces, and of the whole."""
        return *super().chosen_ways, *self.whole.chosen_ways


def _find_ways(pieces: PackedLSTMModel) -> Found:
    ways: dict[str, Callable[[], Runs]] = {MODULES: partial(Runner, pieces), PIECES: partial(PackedRunner, pieces)}
    found = compiled()
    if found.library is None:
        return Found(ways, found.problem)
    lm = Fp32LM(pieces, found.library)
    return Found(ways | {KERNEL: partial(Fp32LMRunner, lm)}, held=lm.bytes)
