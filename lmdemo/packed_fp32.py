"""fp32-packed: the pieces of packed.py, or a kernel of our own where one could be built; the faster (ways.py)."""

from collections.abc import Callable
from functools import partial

from lmdemo.choosing import Choice
from lmdemo.compiled import compiled
from lmdemo.fp32lm import Fp32LM, Fp32LMRunner
from lmdemo.inference import PackedRunner, Runner
from lmdemo.model import LSTMModel
from lmdemo.packed import PackedLSTMModel
from lmdemo.ways import KERNEL, MODULES, ChosenRunner, ChosenWays, Runs, Ways

PIECES = "in pieces"  # the way beside the modules and the kernel


class PackedFp32Model(PackedLSTMModel):
    """A `PackedLSTMModel` that may also run in the kernel as a whole; modules and state dict are the model's own."""

    def __init__(self, model: LSTMModel) -> None:
        super().__init__(model)
        self.problem = ""  # why there is no kernel; known when the ways are
        self.held_by_ways: int | None = 0  # bytes that the kernel has copied
        self.whole = ChosenWays("fp32", model.config.ntoken, self._find_ways)

    @property
    def chosen_ways(self) -> tuple[Choice, ...]:
        """What was chosen so far: of pieces, and of the whole."""
        return *super().chosen_ways, *self.whole.chosen_ways

    def start(self) -> ChosenRunner:
        """A runner, with the hidden state of a text's beginning."""
        return self.whole.start()

    def _find_ways(self) -> Ways:
        ways: dict[str, Callable[[], Runs]] = {MODULES: partial(Runner, self), PIECES: partial(PackedRunner, self)}
        found = compiled()
        self.problem = found.problem
        if found.library is not None:
            lm = Fp32LM(self, found.library)
            self.held_by_ways = lm.bytes
            ways[KERNEL] = partial(Fp32LMRunner, lm)
        return ways
