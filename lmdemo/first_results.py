"""What a visitor finds on arrival, computed in the background as soon as the page is served.

First two sizes, then an example of texts that part, then an evaluation; what the passages of a whole long text did
comes when nobody computes. What was measured in doubt is measured again until it is sound.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Protocol, TypeVar

from lmdemo.compiled import compiled
from lmdemo.fidelity import FidelityRun
from lmdemo.generation import Generation, GenerationSettings
from lmdemo.machine import Watch
from lmdemo.measured import Evaluation
from lmdemo.memory import give_back
from lmdemo.size import Size

log = logging.getLogger(__name__)
Result = TypeVar("Result")

EXAMPLE_WORDS = 80
EXAMPLE_TEMPERATURE, EXAMPLE_TOP_K = 0.8, 40  # a text that reads; the tutorial's, and the endpoint's, are 1.0 and all
EXAMPLE_SEEDS = range(1, 25)
EXAMPLE_PARTS = range(12, 40)  # where its texts should part, from 0: after a sentence to share, before the end
PATIENCE = 5.0  # seconds until first results that are in doubt are measured again; then twice as long, and so on
MOST_PATIENCE = 600.0


class Measures(Protocol):
    """What computes them: a lab."""

    @property
    def prompt(self) -> str:
        """Of the example."""

    @property
    def available_tokens(self) -> int:
        """Words that can be predicted in the test text."""

    def weigh_first(self) -> dict[str, Size]:
        """The sizes of the tutorial's two variants."""

    def generate(self, settings: GenerationSettings) -> Iterator[Generation]:
        """The tutorial's two variants writing."""

    def prepare(self) -> None:
        """Find out what would disturb a timing, were it found out within."""

    def evaluate_defaults(self) -> Iterator[Evaluation]:
        """The default variants on the default slice."""

    def read_whole(self) -> Iterator[FidelityRun]:
        """The default variants on the whole text, when nobody else computes."""


class FirstResults:
    """The first results of one lab; each is None if it could not be computed, or if there is nothing to compute.

    When one was in doubt and has been measured again, another future takes its place.
    """

    def __init__(self, lab: Measures) -> None:
        """Nothing is computed before `start`."""
        self._lab = lab
        self._closed = threading.Event()
        self._unstarted = threading.Lock()  # whoever takes it starts them; it is never given back
        self.sizes: Future[dict[str, Size] | None] = Future()  # of the tutorial's two variants
        self.example: Future[Generation | None] = Future()
        self.evaluation: Future[Evaluation | None] = Future()
        self.whole: Future[FidelityRun | None] = Future()  # None where the evaluation has read the whole text

    def start(self) -> bool:
        """Begin to compute them in the background; whether that was not begun before."""
        begins = self._unstarted.acquire(blocking=False)
        if begins:
            threading.Thread(target=compiled, name="kernel", daemon=True).start()  # seconds, where it never was built
            threading.Thread(target=self.compute, name="first-results", daemon=True).start()
        return begins

    def close(self) -> None:
        """Compute no more: another lab has taken this one's place."""
        self._closed.set()

    def compute(self) -> None:
        """Compute all of them, and measure again until they are sound."""
        _fulfil(self.sizes, self._lab.weigh_first)
        _fulfil(self.example, self.find_example)
        _fulfil(self.evaluation, self._first_evaluation)
        give_back()
        _fulfil(self.whole, self._read_whole)
        give_back()
        try:
            self._measure_until_sound()
        except Exception:  # a thread that ends in silence would tell nobody; what was measured first stays
            log.exception("The first results could not be measured again.")

    def find_example(self) -> Generation:
        """Of the first seed, from 1, whose texts part where a reader can follow; else of the last tried.

        Of the others no more is written than it takes to know.
        """
        *tried, last = EXAMPLE_SEEDS
        for seed in tried:
            for example in self._write_example(seed):
                place = example.first_difference
                if place not in EXAMPLE_PARTS and (place is not None or example.compared >= EXAMPLE_PARTS.stop):
                    break
            else:
                return example
        return _last(self._write_example(last))

    def _write_example(self, seed: int) -> Iterator[Generation]:
        settings = GenerationSettings(self._lab.prompt, EXAMPLE_WORDS, EXAMPLE_TEMPERATURE, EXAMPLE_TOP_K, seed)
        return self._lab.generate(settings)

    def _first_evaluation(self) -> Evaluation:
        self._lab.prepare()
        return self.evaluate()

    def evaluate(self) -> Evaluation:
        """The evaluation anew."""
        return _last(self._lab.evaluate_defaults())

    def _read_whole(self) -> FidelityRun | None:
        first = self.evaluation.result()
        if first is None or first.comparison.tokens == self._lab.available_tokens:
            return None
        for run in self._lab.read_whole():
            if run.final or self._closed.is_set():
                break
        return run if run.final else None

    def _measure_until_sound(self) -> None:
        """As long as they are in doubt: measure again after a while in which this machine was at rest."""
        patience = PATIENCE
        while (first := self.evaluation.result()) and not first.sound:
            rested = self.rested(patience)
            if self._closed.is_set():
                return
            patience = min(2 * patience, MOST_PATIENCE)
            if rested:
                self._measure_again(self.example.result())

    def rested(self, seconds: float) -> bool:
        """Wait so long, unless these are closed; whether nothing much ran on this machine meanwhile."""
        watch = Watch()
        self._closed.wait(seconds)
        return not watch.read().disturbed

    def _measure_again(self, example: Generation | None) -> None:
        again = self.evaluate()
        if again.sound:
            if example:
                self.example = _done(_last(self._lab.generate(example.settings)))
            self.evaluation = _done(again)


def _fulfil(first: Future[Result | None], compute: Callable[[], Result | None]) -> None:
    try:
        first.set_result(compute())
    except Exception:  # a thread that ends in silence would leave pages waiting
        log.exception("A first result could not be computed; the page starts without it.")
        first.set_result(None)


def _done(result: Result) -> Future[Result]:
    future: Future[Result] = Future()
    future.set_result(result)
    return future


def _last(steps: Iterator[Result]) -> Result:
    *_, last = steps
    return last
