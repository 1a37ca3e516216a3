"""One loaded checkpoint, its variants, and the rule that one computation runs at a time.

Everything that serves visitors (the tabs, the API) computes through a `Lab`, so no figure is taken while
another computation runs in this process. It knows nothing of pages, nor where its checkpoint came from.
"""

import logging
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TypeVar

from lmdemo.checkpoint import Checkpoint
from lmdemo.errors import InputError
from lmdemo.evaluation import Comparison, check_slice, compare
from lmdemo.generation import Generation, GenerationSettings, generate
from lmdemo.machine import this_machine
from lmdemo.size import sizes
from lmdemo.variants import build_variants

log = logging.getLogger(__name__)
Step = TypeVar("Step")

EXAMPLE_PROMPT = "It was a cold night in November, and"
EXAMPLE_WORDS = 80
EXAMPLE_SEEDS = range(1, 13)
FIRST_TOKENS = 2_000
DEFAULT_WINDOW = 25


@dataclass(frozen=True)
class FirstResults:
    """What is computed here once after the start, so that no page is empty."""

    generation: Generation
    comparison: Comparison


class Lab:
    """A checkpoint with its variants built and measured; safe to use from many threads."""

    def __init__(self, checkpoint: Checkpoint, turn: AbstractContextManager | None = None) -> None:
        """Build and measure the variants of `checkpoint`; labs that share `turn` compute one at a time."""
        self.checkpoint = checkpoint
        self.models = build_variants(checkpoint.model)
        self.sizes = sizes(self.models)
        self.machine = this_machine()
        self._turn = turn or threading.Lock()
        self._starting = threading.Lock()
        self._started = False
        self._ready = threading.Event()
        self._first: FirstResults | None = None

    @property
    def available_tokens(self) -> int:
        """Words that can be predicted in the test text."""
        return len(self.checkpoint.test_ids) - 1

    def generate(self, settings: GenerationSettings) -> Iterator[Generation]:
        """All variants writing; snapshots as in `lmdemo.generate`."""
        return self._exclusive(
            generate(
                self.models,
                self.checkpoint.vocabulary,
                settings.prompt,
                settings.words,
                settings.temperature,
                settings.top_k,
                settings.seed,
                allow_unk=settings.allow_unk,
            )
        )

    def compare(self, tokens: object = FIRST_TOKENS, window: object = DEFAULT_WINDOW) -> Iterator[Comparison]:
        """All variants on the first `tokens` words of the test text; snapshots as in `lmdemo.compare`.

        Raises:
            InputError: at once, for a length or window out of its range.
        """
        tokens, window = check_slice(tokens, window, self.available_tokens)
        return self._exclusive(compare(self.models, self.checkpoint.test_ids[: tokens + 1], window))

    def start(self) -> None:
        """Begin to compute the first results in the background, unless that was begun before."""
        with self._starting:
            if self._started:
                return
            self._started = True
        threading.Thread(target=self._compute_first, name="first-results", daemon=True).start()

    def first(self, timeout: float | None) -> FirstResults | None:
        """The first results, waiting at most `timeout` seconds for them; None if they are not there."""
        self.start()
        self._ready.wait(timeout)
        return self._first

    def _compute_first(self) -> None:
        try:
            generation = self._example()
            comparison = _last(self.compare(min(FIRST_TOKENS, self.available_tokens)))
            self._first = FirstResults(generation, comparison)
        except (InputError, RuntimeError):
            log.exception("The first results could not be computed; the page starts without them.")
        finally:
            self._ready.set()

    def _example(self) -> Generation:
        """A text to look at: of the first seed, from 1, whose texts part in the first half; else of the last tried."""
        for seed in EXAMPLE_SEEDS:
            example = _last(self.generate(GenerationSettings(EXAMPLE_PROMPT, EXAMPLE_WORDS, seed=seed)))
            if example.differences and example.first_difference < EXAMPLE_WORDS // 2:
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
