"""One loaded checkpoint, its variants, and the rule that one computation runs at a time.

Everything that serves visitors (the tabs, the API) computes through a `Lab`, so no figure is taken while
another computation runs in this process. It knows nothing of pages, nor where its checkpoint came from.
"""

import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import TypeVar

from torch import nn

from lmdemo.checkpoint import Checkpoint
from lmdemo.evaluation import Comparison, check_slice, compare
from lmdemo.fidelity import FidelityRun, fidelity
from lmdemo.generation import Generation, GenerationSettings, write
from lmdemo.inputs import some_of
from lmdemo.machine import Machine, this_machine
from lmdemo.memory import give_back
from lmdemo.roofline import Limit, limits
from lmdemo.size import sizes
from lmdemo.variants import BASELINE, FAIR, TUTORIAL, build_available

log = logging.getLogger(__name__)
Step = TypeVar("Step")

EXAMPLE_PROMPT = "It was a cold night in November, and"
EXAMPLE_WORDS = 80
EXAMPLE_SEEDS = range(1, 25)
EXAMPLE_PARTS = range(12, 40)  # where its texts should part, from 0: after a sentence to share, before the end
DEFAULT_TOKENS = 4_000
DEFAULT_WINDOW = 200  # long enough that no variant pays for short calls
DEFAULT_MEASURED = (BASELINE, FAIR, "int8")


@dataclass(frozen=True)
class Evaluation:
    """A snapshot of variants timed, then held against fp32, on one slice; the last one is `final`."""

    checkpoint: str  # its name
    revision: str | None
    machine: Machine
    comparison: Comparison
    limits: Mapping[str, Limit]  # empty until this machine has been measured
    fidelity: FidelityRun | None = None  # begins when the timing has ended

    @property
    def computed(self) -> dict[str, int]:
        """How much was read, by all variants together."""
        again = self.fidelity.read * len(self.comparison.results) if self.fidelity else 0
        return {"tokens": self.comparison.computed["tokens"] + again}

    @property
    def final(self) -> bool:
        """Whether all of it is measured."""
        return self.fidelity is not None and self.fidelity.final


class Lab:
    """A checkpoint with its variants built and measured; safe to use from many threads."""

    def __init__(self, checkpoint: Checkpoint, turn: AbstractContextManager | None = None) -> None:
        """Build and measure the variants of `checkpoint`; labs that share `turn` compute one at a time."""
        self.checkpoint = checkpoint
        self._turn = turn or threading.Lock()
        self.models, self.unavailable = build_available(checkpoint.model, self._turn)
        with self._turn:
            self.sizes = sizes(self.models)
        self.machine = this_machine()
        self.limits: Mapping[str, Limit] = {}  # measured with the first results
        self._unstarted = threading.Lock()  # whoever takes it starts the first results; it is never given back
        # what a visitor finds on arrival, computed once in the background; None if it could not be
        self.example: Future[Generation | None] = Future()
        self.evaluation: Future[Evaluation | None] = Future()

    @property
    def available_tokens(self) -> int:
        """Words that can be predicted in the test text."""
        return len(self.checkpoint.test_ids) - 1

    def generate(self, settings: GenerationSettings, variants: object = TUTORIAL) -> Iterator[Generation]:
        """fp32 and the named variants writing; snapshots as in `lmdemo.generate`.

        Raises:
            InputError: at once, for a name that is not in `models`.
        """
        return self._exclusive(write(self._chosen(variants), self.checkpoint.vocabulary, settings))

    def compare(
        self, tokens: object = DEFAULT_TOKENS, window: object = DEFAULT_WINDOW, variants: object = TUTORIAL
    ) -> Iterator[Comparison]:
        """fp32 and the named variants on the first `tokens` words of the test text, as in `lmdemo.compare`.

        Raises:
            InputError: at once, for a length or window out of its range, or a name that is not in `models`.
        """
        tokens, window = check_slice(tokens, window, self.available_tokens)
        return self._exclusive(compare(self._chosen(variants), self.checkpoint.test_ids[: tokens + 1], window))

    def evaluate(
        self, tokens: object = DEFAULT_TOKENS, window: object = DEFAULT_WINDOW, variants: object = DEFAULT_MEASURED
    ) -> Iterator[Evaluation]:
        """As `compare`, and then how far each variant is from fp32 on the same slice.

        Raises:
            InputError: at once, as `compare`.
        """
        timing = self.compare(tokens, window, variants)
        return self._evaluate(timing, self._chosen(variants))

    def start(self) -> bool:
        """Begin to compute the first results in the background; whether that was not begun before."""
        begins = self._unstarted.acquire(blocking=False)
        if begins:
            threading.Thread(target=self._compute_first, name="first-results", daemon=True).start()
        return begins

    def _chosen(self, variants: object) -> dict[str, nn.Module]:
        names = some_of("Variants", variants, self.models)
        return {name: model for name, model in self.models.items() if name == BASELINE or name in names}

    def _evaluate(self, timing: Iterator[Comparison], models: Mapping[str, nn.Module]) -> Iterator[Evaluation]:
        checkpoint = self.checkpoint
        for comparison in timing:
            evaluation = Evaluation(checkpoint.name, checkpoint.revision, self.machine, comparison, self.limits)
            yield evaluation
        ids = checkpoint.test_ids[: comparison.tokens + 1]
        for run in self._exclusive(fidelity(models, ids, comparison.window)):
            yield replace(evaluation, fidelity=run)

    def _compute_first(self) -> None:
        for first, compute in ((self.example, self._find_example), (self.evaluation, self._first_evaluation)):
            try:
                first.set_result(compute())
            except Exception:  # a thread that ends in silence would leave pages waiting
                log.exception("A first result could not be computed; the page starts without it.")
                first.set_result(None)
        give_back()

    def _first_evaluation(self) -> Evaluation:
        """Of the default variants, when the limits of this machine are known."""
        with self._turn:
            self.limits = limits(self.checkpoint.config, self.sizes)
        measured: Sequence[str] = [name for name in DEFAULT_MEASURED if name in self.models]
        return _last(self.evaluate(min(DEFAULT_TOKENS, self.available_tokens), variants=measured))

    def _find_example(self) -> Generation:
        """Of the first seed, from 1, whose texts part where a reader can follow; else of the last tried."""
        for seed in EXAMPLE_SEEDS:
            example = _last(self.generate(GenerationSettings(EXAMPLE_PROMPT, EXAMPLE_WORDS, seed=seed)))
            if example.first_difference in EXAMPLE_PARTS:
                break
        return example

    def _exclusive(self, steps: Iterator[Step]) -> Iterator[Step]:
        """`steps`, each taken while no other computation of this lab takes one.

        The turn is held within a step only: a visitor who leaves in the middle holds nothing.
        """
        while True:
            with self._turn:
                step = next(steps, None)
            if step is None:
                return
            yield step


def _last(steps: Iterator[Step]) -> Step:
    *_, last = steps
    return last
