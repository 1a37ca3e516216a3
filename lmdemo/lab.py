"""One loaded checkpoint, its variants, and the rule that one computation runs at a time.

Everything that serves visitors (the tabs, the API) computes through a `Lab`, so no figure is taken while
another computation runs in this process. It knows nothing of pages, nor where its checkpoint came from.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future

from torch import nn

from lmdemo.checkpoint import Checkpoint
from lmdemo.errors import InputError
from lmdemo.evaluation import Comparison, check_slice, compare, default_tokens
from lmdemo.fidelity import FidelityRun, fidelity
from lmdemo.first_results import FirstResults
from lmdemo.generation import Generation, GenerationSettings, write
from lmdemo.held import Held, held, warm_up
from lmdemo.inference import Pause, go_on, runner
from lmdemo.inputs import some_of
from lmdemo.inspecting import Inspection, check_place, look
from lmdemo.machine import this_machine
from lmdemo.measured import Evaluation, Measuring
from lmdemo.memory import Growth
from lmdemo.once import Once
from lmdemo.own_text import TextReading, measure, take_text
from lmdemo.prompts import prompts
from lmdemo.roofline import Limit, Meter
from lmdemo.shape import Shape
from lmdemo.shaping import ShapeRun, measure_shape
from lmdemo.simulation import Simulation
from lmdemo.size import Size, sizes
from lmdemo.sweeping import Sweep, sweep
from lmdemo.turns import Turns
from lmdemo.variants import BASELINE, FAIR, TUTORIAL, available, build_variants

DEFAULT_WINDOW = 200  # long enough that no variant pays for short calls
DEFAULT_MEASURED = (BASELINE, FAIR, "int8", "int8-packed")  # what the one call gives, and both done well
LIMITS_EVERY = 4  # blocks of an evaluation, a trial of what this machine can do at best


class Lab:
    """A checkpoint, its variants and what is measured of them; safe to use from many threads.

    What a visitor is shown first is built at once. The other variants and all sizes come behind the page, or when
    they are first needed: whoever needs them before that waits.
    """

    def __init__(self, checkpoint: Checkpoint, turns: Turns | None = None) -> None:
        """Build the first variants of `checkpoint`; labs that share `turns` compute one at a time.

        Raises:
            VariantError: one of the tutorial's two cannot be built here.
        """
        self.checkpoint = checkpoint
        self.prompts = prompts(checkpoint.vocabulary, checkpoint.test_ids)
        self._turns = turns or Turns()
        with self._turns.turn:
            self.variants, self.unavailable = available(checkpoint.model)
            warm_up(checkpoint.model)
        self.machine = this_machine()
        self._meter: Meter | None = None  # of limits; made when the sizes are known
        # fp32-packed chooses its ways by the clock: here, where nobody is served yet
        self._built: dict[str, nn.Module] = {}
        self._grown: dict[str, int | None] = {}  # bytes of the heap that each took
        self._build(self._default_measured)
        self._build_rest = Once(lambda: self._build(name for name in self.variants if name not in self._built))
        self._measure_sizes = Once(self._sizes_of_all)
        self._first = FirstResults(self)
        self.simulation = Simulation(checkpoint, self._turns, self._built.get(FAIR, checkpoint.model))

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
    def held(self) -> dict[str, Held]:
        """The memory that each of `built` holds; without those of which this system does not tell."""
        found = {name: held(model, self._grown[name]) for name, model in self.built.items()}
        return {name: one for name, one in found.items() if one is not None}

    @property
    def limits(self) -> Mapping[str, Limit]:
        """What this machine allows each of `models` at best; empty until it has been measured."""
        return self._meter.limits() if self._meter else {}

    @property
    def first_sizes(self) -> Future[dict[str, Size] | None]:
        """Of the tutorial's two variants: as `FirstResults` has them, and so the next three."""
        return self._first.sizes

    @property
    def example(self) -> Future[Generation | None]:
        """What a visitor finds on the Generate tab."""
        return self._first.example

    @property
    def evaluation(self) -> Future[Evaluation | None]:
        """What a visitor finds on the Evaluate tab."""
        return self._first.evaluation

    @property
    def whole(self) -> Future[FidelityRun | None]:
        """How far the default variants are from fp32 on all of a text of which `evaluation` reads the beginning."""
        return self._first.whole

    @property
    def prompt(self) -> str:
        """What a visitor finds: the first of `prompts`, or none, which starts a paragraph."""
        return next(iter(self.prompts), "")

    @property
    def available_tokens(self) -> int:
        """Words that can be predicted in the test text."""
        return len(self.checkpoint.test_ids) - 1

    @property
    def default_tokens(self) -> int:
        """Of these, what is measured where nobody says how many."""
        return default_tokens(self.available_tokens)

    def generate(
        self, settings: GenerationSettings, variants: object = TUTORIAL, pause: Pause = go_on
    ) -> Iterator[Generation]:
        """fp32 and the named variants writing; snapshots as in `lmdemo.generate`.

        Raises:
            InputError: at once, for a name that is not in `variants`.
        """
        return self._turns.take(write(self.chosen(variants), self.checkpoint.vocabulary, settings, pause))

    def inspect(
        self,
        settings: GenerationSettings,
        words: object,
        position: object,
        variants: object,
        pause: Pause = go_on,
        fingerprint: object = "",
    ) -> Iterator[Inspection]:
        """What fp32 and the named variants thought at a place of a text, as in `lmdemo.inspect`; one answer.

        `fingerprint` is that of the checkpoint that wrote the text; empty where nobody knows.

        Raises:
            InputError: at once, for a name that is not in `variants`, words that the model has not, or no such place;
                or the text is another model's.
        """
        if fingerprint not in (None, "", self.checkpoint.fingerprint):
            raise InputError("Another model wrote this text than the one in service; write it again.")
        models, vocabulary = self.chosen(variants), self.checkpoint.vocabulary
        places = [check_place(vocabulary, words, position)]
        return self._turns.take(look(models, vocabulary, settings, place, pause) for place in places)

    def compare(
        self,
        tokens: object,
        window: object = DEFAULT_WINDOW,
        variants: object = TUTORIAL,
        pause: Pause = go_on,
    ) -> Iterator[Comparison]:
        """fp32 and the named variants on the first `tokens` words of the test text, as in `lmdemo.compare`.

        Raises:
            InputError: at once, for a length or window out of its range, or a name that is not in `variants`.
        """
        tokens, window = check_slice(tokens, window, self.available_tokens)
        return self._turns.take(compare(self.chosen(variants), self.checkpoint.test_ids[: tokens + 1], window, pause))

    def evaluate(
        self,
        tokens: object,
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
        return self._turns.take(measuring.steps(pause, self._measure_limits(), lambda: self.limits, lambda: self.held))

    def read_text(
        self, text: object, variants: object = DEFAULT_MEASURED, pause: Pause = go_on
    ) -> Iterator[TextReading]:
        """As `evaluate`, on a text of somebody's own and all of it, with the figures of each word.

        Raises:
            InputError: at once, for a text that `lmdemo.read_text` refuses, or a name that is not in `variants`.
        """
        own, chosen = take_text(self.checkpoint.vocabulary, text), self.chosen(variants)
        beside, limits, held = self._measure_limits(), lambda: self.limits, lambda: self.held
        window = DEFAULT_WINDOW
        return self._turns.take(
            measure(own, self.checkpoint, chosen, self.machine, window, pause, beside, limits, held)
        )

    def evaluate_defaults(self) -> Iterator[Evaluation]:
        """As `evaluate`: what a visitor finds."""
        return self.evaluate(self.default_tokens, variants=self._default_measured)

    def measure_shape(self, shape: Shape, pause: Pause = go_on) -> Iterator[ShapeRun]:
        """A model of that shape, made up; as in `lmdemo.measure_shape`."""
        return self._turns.take(measure_shape(shape, pause))

    def sweep(self, pause: Pause = go_on) -> Iterator[Sweep]:
        """From which width on int8 pays; as in `lmdemo.sweep`."""
        return self._turns.take(sweep(pause=pause))

    def weigh_first(self) -> dict[str, Size]:
        """The sizes of the tutorial's two variants, which are built; `sizes` has to build all."""
        with self._turns.turn:
            return sizes({name: self._built[name] for name in TUTORIAL})

    def read_whole(self) -> Iterator[FidelityRun]:
        """How far the default variants are from fp32 on the whole text; each step when no run is under way."""
        models = self.chosen(self._default_measured)
        aside = self._turns.stand_aside
        return self._turns.take_at_rest(fidelity(models, self.checkpoint.test_ids, DEFAULT_WINDOW, aside))

    def prepare(self) -> None:
        """Build what is not yet, and let every variant find its fastest ways: no timing is to pay for it."""
        sizes = self.sizes
        with self._turns.turn:
            self._meter = Meter(self.checkpoint.config, sizes)
        for model in self.models.values():
            with self._turns.turn:
                runner(model).prepare_reading([DEFAULT_WINDOW])

    def start(self) -> bool:
        """Begin to compute the first results in the background; whether that was not begun before."""
        return self._first.start()

    def close(self) -> None:
        """Compute no more in the background: another lab has taken this one's place."""
        self._first.close()
        self.simulation.close()

    def chosen(self, variants: object) -> dict[str, nn.Module]:
        """fp32 and the named variants; built now, if they are not yet.

        Raises:
            InputError: a name is not in `variants`.
        """
        names = {BASELINE, *some_of("Variants", variants, self.variants)}
        models = self._built if names <= self._built.keys() else self.models
        return {name: models[name] for name in self.variants if name in names}

    @property
    def _default_measured(self) -> list[str]:
        return [name for name in DEFAULT_MEASURED if name in self.variants]

    def _build(self, names: Iterable[str]) -> None:
        """Each in a turn of its own: it computes, so no figure is taken meanwhile, and who waits does not for all."""
        for name in names:
            with self._turns.turn:
                growth = Growth()
                model = build_variants(self.checkpoint.model, [name])[name]
                self._grown[name] = 0 if model is self.checkpoint.model else growth.read()
                self._built[name] = model

    def _sizes_of_all(self) -> dict[str, Size]:
        models = self.models
        with self._turns.turn:
            return sizes({name: models[name] for name in self.variants})

    def _measure_limits(self) -> Pause:
        """What is called after each block of a run: now and then a trial."""
        blocks = itertools.count()

        def measure() -> None:
            if self._meter and next(blocks) % LIMITS_EVERY == 0:
                self._meter.take()

        return measure
