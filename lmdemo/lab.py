"""One loaded checkpoint, its variants, and the rule that one computation runs at a time.

Everything that serves visitors (the tabs, the API) computes through a `Lab`, so no figure is taken while
another computation runs in this process. It knows nothing of pages, nor where its checkpoint came from.
"""

import itertools
import logging
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from typing import TypeVar

from torch import nn

from lmdemo.checkpoint import Checkpoint
from lmdemo.compiled import compiled
from lmdemo.evaluation import Comparison, check_slice, compare
from lmdemo.generation import Generation, GenerationSettings, write
from lmdemo.inference import Pause, go_on, runner
from lmdemo.inputs import some_of
from lmdemo.inspecting import Inspection, check_place, look
from lmdemo.machine import Watch, this_machine
from lmdemo.measured import Evaluation, Measuring
from lmdemo.memory import give_back
from lmdemo.once import Once
from lmdemo.prompts import prompts
from lmdemo.roofline import Limit, Meter
from lmdemo.size import Size, sizes
from lmdemo.variants import BASELINE, FAIR, TUTORIAL, available, build_variants

log = logging.getLogger(__name__)
Step = TypeVar("Step")

EXAMPLE_WORDS = 80
EXAMPLE_TEMPERATURE, EXAMPLE_TOP_K = 0.8, 40  # a text that reads; the tutorial's, and the endpoint's, are 1.0 and all
EXAMPLE_SEEDS = range(1, 25)
EXAMPLE_PARTS = range(12, 40)  # where its texts should part, from 0: after a sentence to share, before the end
DEFAULT_TOKENS = 4_000
DEFAULT_WINDOW = 200  # long enough that no variant pays for short calls
DEFAULT_MEASURED = (BASELINE, FAIR, "int8")
LIMITS_EVERY = 4  # blocks of an evaluation, a trial of what this machine can do at best
PATIENCE = 5.0  # seconds until first results that are in doubt are measured again; then twice as long, and so on
MOST_PATIENCE = 600.0


class Lab:
    """A checkpoint, its variants and what is measured of them; safe to use from many threads.

    What a visitor is shown first is built at once. The other variants and all sizes come behind the page, or when
    they are first needed: whoever needs them before that waits.
    """

    def __init__(self, checkpoint: Checkpoint, turn: AbstractContextManager | None = None) -> None:
        """Build the first variants of `checkpoint`; labs that share `turn` compute one at a time.

        Raises:
            VariantError: one of the tutorial's two cannot be built here.
        """
        self.checkpoint = checkpoint
        self.prompts = prompts(checkpoint.vocabulary, checkpoint.test_ids)
        self._turn = turn or threading.Lock()
        with self._turn:
            self.variants, self.unavailable = available(checkpoint.model)
        self.machine = this_machine()
        self._meter: Meter | None = None  # of limits; made when the sizes are known
        self._closed = threading.Event()
        self._unstarted = threading.Lock()  # whoever takes it starts the first results; it is never given back
        # fp32-packed chooses its ways by the clock: here, where nobody is served yet
        self._built: dict[str, nn.Module] = {}
        self._build(name for name in DEFAULT_MEASURED if name in self.variants)
        self._build_rest = Once(lambda: self._build(name for name in self.variants if name not in self._built))
        self._measure_sizes = Once(self._sizes_of_all)
        # what a visitor finds on arrival, computed in the background; None if it could not be. When it was in doubt and
        # has been measured again, another future takes its place.
        self.first_sizes: Future[dict[str, Size] | None] = Future()  # of the tutorial's two
        self.example: Future[Generation | None] = Future()
        self.evaluation: Future[Evaluation | None] = Future()

    @property
    def models(self) -> dict[str, nn.Module]:
        """All variants that this platform can build, by name; built now, if they are not yet."""
        self._build_rest()
        return self._built

    @property
    def built(self) -> dict[str, nn.Module]:
        """Those of `models` that are built so far."""
        return dict(self._built)

    @property
    def sizes(self) -> dict[str, Size]:
        """The size of each of `models`; measured now, if they are not yet."""
        return self._measure_sizes()

    @property
    def limits(self) -> Mapping[str, Limit]:
        """What this machine allows each of `models` at best; empty until it has been measured."""
        return self._meter.limits() if self._meter else {}

    @property
    def prompt(self) -> str:
        """What a visitor finds: the first of `prompts`, or none, which starts a paragraph."""
        return next(iter(self.prompts), "")

    @property
    def available_tokens(self) -> int:
        """Words that can be predicted in the test text."""
        return len(self.checkpoint.test_ids) - 1

    def generate(
        self, settings: GenerationSettings, variants: object = TUTORIAL, pause: Pause = go_on
    ) -> Iterator[Generation]:
        """fp32 and the named variants writing; snapshots as in `lmdemo.generate`.

        Raises:
            InputError: at once, for a name that is not in `variants`.
        """
        return self._exclusive(write(self.chosen(variants), self.checkpoint.vocabulary, settings, pause))

    def inspect(
        self, settings: GenerationSettings, words: object, position: object, variants: object, pause: Pause = go_on
    ) -> Iterator[Inspection]:
        """What fp32 and the named variants thought at a place of a text, as in `lmdemo.inspect`; one answer.

        Raises:
            InputError: at once, for a name that is not in `variants`, words that the model has not, or no such place.
        """
        models, vocabulary = self.chosen(variants), self.checkpoint.vocabulary
        places = [check_place(vocabulary, words, position)]
        return self._exclusive(look(models, vocabulary, settings, place, pause) for place in places)

    def compare(
        self,
        tokens: object = DEFAULT_TOKENS,
        window: object = DEFAULT_WINDOW,
        variants: object = TUTORIAL,
        pause: Pause = go_on,
    ) -> Iterator[Comparison]:
        """fp32 and the named variants on the first `tokens` words of the test text, as in `lmdemo.compare`.

        Raises:
            InputError: at once, for a length or window out of its range, or a name that is not in `variants`.
        """
        tokens, window = check_slice(tokens, window, self.available_tokens)
        return self._exclusive(compare(self.chosen(variants), self.checkpoint.test_ids[: tokens + 1], window, pause))

    def evaluate(
        self,
        tokens: object = DEFAULT_TOKENS,
        window: object = DEFAULT_WINDOW,
        variants: object = DEFAULT_MEASURED,
        pause: Pause = go_on,
    ) -> Iterator[Evaluation]:
        """As `compare`, in turns with trials of the limits, and then how far each variant is from fp32 on the slice.

        Raises:
            InputError: at once, as `compare`.
        """
        tokens, window = check_slice(tokens, window, self.available_tokens)
        measuring = Measuring(self.checkpoint, self.chosen(variants), self.machine, tokens, window)
        return self._exclusive(measuring.steps(pause, self._measure_limits(), lambda: self.limits))

    def start(self) -> bool:
        """Begin to compute the first results in the background; whether that was not begun before."""
        begins = self._unstarted.acquire(blocking=False)
        if begins:
            threading.Thread(target=compiled, name="kernel", daemon=True).start()  # seconds, where it never was built
            threading.Thread(target=self._compute_first, name="first-results", daemon=True).start()
        return begins

    def chosen(self, variants: object) -> dict[str, nn.Module]:
        """fp32 and the named variants; built now, if they are not yet.

        Raises:
            InputError: a name is not in `variants`.
        """
        names = {BASELINE, *some_of("Variants", variants, self.variants)}
        models = self._built if names <= self._built.keys() else self.models
        return {name: models[name] for name in self.variants if name in names}

    def _build(self, names: Iterable[str]) -> None:
        """Each in a turn of its own: it computes, so no figure is taken meanwhile, and who waits does not for all."""
        for name in names:
            with self._turn:
                self._built |= build_variants(self.checkpoint.model, [name])

    def _sizes_of_all(self) -> dict[str, Size]:
        models = self.models
        with self._turn:
            return sizes({name: models[name] for name in self.variants})

    def _measure_limits(self) -> Pause:
        """What is called after each block of a run: now and then a trial."""
        blocks = itertools.count()

        def measure() -> None:
            if self._meter and next(blocks) % LIMITS_EVERY == 0:
                self._meter.take()

        return measure

    def close(self) -> None:
        """Measure no more in the background: another lab has taken this one's place."""
        self._closed.set()

    def _compute_first(self) -> None:
        firsts = (
            (self.first_sizes, self._first_sizes),
            (self.example, self._find_example),
            (self.evaluation, self._first_evaluation),
        )
        for first, compute in firsts:
            try:
                first.set_result(compute())
            except Exception:  # a thread that ends in silence would leave pages waiting
                log.exception("A first result could not be computed; the page starts without it.")
                first.set_result(None)
        give_back()
        try:
            self._measure_until_sound()
        except Exception:  # as above; what was measured first stays
            log.exception("The first results could not be measured again.")

    def _first_sizes(self) -> dict[str, Size]:
        with self._turn:
            return sizes({name: self._built[name] for name in TUTORIAL})

    def _first_evaluation(self) -> Evaluation:
        """Of the default variants, when every variant's fastest ways are known."""
        sizes = self.sizes
        with self._turn:
            self._meter = Meter(self.checkpoint.config, sizes)
        for model in self.models.values():
            with self._turn:
                runner(model).prepare_reading([DEFAULT_WINDOW])
        return self._evaluate_defaults()

    def _evaluate_defaults(self) -> Evaluation:
        measured: Sequence[str] = [name for name in DEFAULT_MEASURED if name in self.variants]
        return _last(self.evaluate(min(DEFAULT_TOKENS, self.available_tokens), variants=measured))

    def _measure_until_sound(self) -> None:
        """As long as the first results are in doubt: measure again after a while in which this machine was at rest."""
        patience = PATIENCE
        while (first := self.evaluation.result()) and not first.comparison.sound:
            rested = self._rested(patience)
            if self._closed.is_set():
                return
            patience = min(2 * patience, MOST_PATIENCE)
            if rested:
                self._measure_again(self.example.result())

    def _rested(self, seconds: float) -> bool:
        """Wait so long, unless this lab is closed; whether nothing much ran on this machine meanwhile."""
        watch = Watch()
        self._closed.wait(seconds)
        return not watch.read().disturbed

    def _measure_again(self, example: Generation | None) -> None:
        again = self._evaluate_defaults()
        if again.comparison.sound:
            if example:
                self.example = _done(_last(self.generate(example.settings)))
            self.evaluation = _done(again)

    def _find_example(self) -> Generation:
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
        settings = GenerationSettings(self.prompt, EXAMPLE_WORDS, EXAMPLE_TEMPERATURE, EXAMPLE_TOP_K, seed)
        return self.generate(settings)

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


def _done(result: Step) -> Future[Step]:
    future: Future[Step] = Future()
    future.set_result(result)
    return future


def _last(steps: Iterator[Step]) -> Step:
    *_, last = steps
    return last
