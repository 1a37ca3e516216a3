"""A model rounded to few bits at work: what it writes beside fp32, and what the rounding costs.

What every rounding costs is found out once, behind the page, when nobody else computes; whoever asks before that for
one of them has it measured alone.
"""

import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn

from lmdemo.bit_costs import Cost, Sensitivity, cost_of, sensitivity
from lmdemo.checkpoint import Checkpoint
from lmdemo.generation import Generation, GenerationSettings, write
from lmdemo.inference import Pause, go_on
from lmdemo.memory import give_back
from lmdemo.quick import QuickModel
from lmdemo.rounding import RoundedRow, Rounding, round_row, rounded_weights, with_weights
from lmdemo.turns import Turns
from lmdemo.variants import BASELINE

log = logging.getLogger(__name__)

ROUNDED = "rounded"  # the name of the model beside fp32


@dataclass(frozen=True)
class Simulated:
    """A snapshot of one rounding: the texts first, then what it costs; the last one is `final`."""

    rounding: Rounding
    row: RoundedRow | None  # the row that was asked for
    generation: Generation  # of fp32 and `ROUNDED`
    cost: Cost | None  # None until it is known
    costs: Sensitivity | None  # of all roundings, as far as they are known

    @property
    def computed(self) -> dict[str, int]:
        """How much was written, by both together."""
        return self.generation.computed

    @property
    def final(self) -> bool:
        """Whether all of it is there but what comes behind the page."""
        return self.generation.final and self.cost is not None


class Simulation:
    """The roundings of one checkpoint; safe to use from many threads."""

    def __init__(self, checkpoint: Checkpoint, turns: Turns, baseline: nn.Module) -> None:
        """Nothing is computed yet. `baseline` writes fp32's texts: the model of `checkpoint`, in whatever way."""
        self._checkpoint, self._turns, self._baseline = checkpoint, turns, baseline
        self._unstarted = threading.Lock()  # whoever takes it starts; it is never given back
        self._closed, self._ended = threading.Event(), threading.Event()
        self._costs: Sensitivity | None = None
        self._seconds_left: float | None = None
        self._alone: dict[Rounding, Cost] = {}  # measured for who asked before they were known, or of two matrices

    @property
    def costs(self) -> Sensitivity | None:
        """What the roundings cost, as far as that is known."""
        return self._costs

    @property
    def seconds_left(self) -> float | None:
        """How long the rest of `costs` will take, by what took so long until now; None before anything is known."""
        return self._seconds_left

    @property
    def to_come(self) -> bool:
        """Whether more of `costs` is to be expected."""
        return not self._ended.is_set()

    def start(self) -> None:
        """Begin with `costs` in the background, unless that was begun before."""
        if self._unstarted.acquire(blocking=False):
            threading.Thread(target=self.compute, name="sensitivity", daemon=True).start()

    def close(self) -> None:
        """Compute no more in the background."""
        self._closed.set()

    def compute(self) -> None:
        """Find `costs` out, each step when no run is under way."""
        began = time.monotonic()
        try:
            for found in self._turns.take_at_rest(sensitivity(self._checkpoint, pause=self._turns.stand_aside)):
                self._costs = found
                if found.costs:
                    self._seconds_left = (time.monotonic() - began) * (1 - found.share) / found.share
                if self._closed.is_set():
                    break
        except Exception:  # a thread that ends in silence would tell nobody; what was found stays
            log.exception("What fewer bits cost could not be measured.")
        finally:
            self._ended.set()
            give_back()

    def run(
        self,
        settings: GenerationSettings,
        rounding: Rounding,
        place: tuple[object, object] | None = None,
        pause: Pause = go_on,
    ) -> Iterator[Simulated]:
        """fp32 and the model rounded writing, as in `lmdemo.generate`, and then what the rounding costs; snapshots.

        Args:
            settings: of the texts.
            rounding: of the model beside fp32.
            place: the name of a matrix and the row of it to tell of, as `round_row` takes them.
            pause: called between pieces of some milliseconds; what it raises ends the run there.

        Raises:
            InputError: with the first snapshot, for a place that is none.
        """
        return self._turns.take(self._steps(settings, rounding, place, pause))

    def row(self, name: object, row: object, rounding: Rounding) -> RoundedRow:
        """What `rounding` does to a row of one matrix, as `round_row`.

        Raises:
            InputError: no such matrix, or no such row.
        """
        with self._turns.turn:
            return round_row(self._checkpoint.model, name, row, rounding)

    def _steps(
        self, settings: GenerationSettings, rounding: Rounding, place: tuple[object, object] | None, pause: Pause
    ) -> Iterator[Simulated]:
        model = self._checkpoint.model
        pause()
        row = round_row(model, *place, rounding) if place else None
        rounded = with_weights(model, rounded_weights(model, rounding))
        models = {BASELINE: self._baseline, ROUNDED: QuickModel(rounded)}
        for generation in write(models, self._checkpoint.vocabulary, settings, pause):
            yield self._snapshot(rounding, row, generation)
        if self._known(rounding) is None:
            for cost in cost_of(self._checkpoint, rounding, rounded, pause):
                if cost is not None:
                    self._alone[rounding] = cost
                yield self._snapshot(rounding, row, generation)

    def _snapshot(self, rounding: Rounding, row: RoundedRow | None, generation: Generation) -> Simulated:
        return Simulated(rounding, row, generation, self._known(rounding), self._costs)

    def _known(self, rounding: Rounding) -> Cost | None:
        found = self._costs.cost(rounding) if self._costs else None
        return found or self._alone.get(rounding)
