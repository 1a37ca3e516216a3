"""A model of a shape made up with random weights, quantized, weighed, and timed in reading and in writing.

What is timed, and how, is as for a checkpoint (evaluation.py, latency.py): in turns, in one run. It takes as long as
its time allows, at least as many turns as an interval needs. One shape's models are gone before the next one's come.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

import torch
from torch import nn

from lmdemo.evaluation import BLOCKS, Comparison, compare
from lmdemo.inference import Pause, go_on, runner
from lmdemo.latency import Latencies, write_in_turns
from lmdemo.memory import dropping_circles
from lmdemo.model import LSTMModel
from lmdemo.pausing import PausesBetweenCalls, interruptible
from lmdemo.shape import Shape
from lmdemo.size import Size, exact_sizes
from lmdemo.text import Vocabulary
from lmdemo.timed import FEWEST_TURNS
from lmdemo.variants import BASELINE, FAIR, TUTORIAL, build_variants

CORNERS = (BASELINE, FAIR, "int8", "int8-packed")
READ_SECONDS, WRITE_SECONDS = 3.0, 2.0  # after which no further turn begins, if there are enough
TURN_SECONDS = 0.002  # of a turn of reading, at least, as reckoned: shorter ones are noise
SEED = 0  # of weights and words

Snapshot = TypeVar("Snapshot", Comparison, Latencies)


@dataclass(frozen=True)
class ShapeRun:
    """A snapshot of a shape that is being measured; the last one is `final`."""

    shape: Shape
    variants: tuple[str, ...]  # to be measured
    built: tuple[str, ...] = ()  # of these so far, each with its ways chosen
    sizes: Mapping[str, Size] = field(default_factory=dict)  # of fp32 and int8, if both are measured
    reading: Comparison | None = None
    writing: Latencies | None = None
    final: bool = False

    @property
    def computed(self) -> dict[str, int]:
        """How much was read, and written, by all variants together."""
        read = self.reading.computed["tokens"] if self.reading else 0
        return {"tokens": read, "words": self.writing.words * len(self.variants) if self.writing else 0}


def measure_shape(
    shape: Shape,
    pause: Pause = go_on,
    variants: tuple[str, ...] = CORNERS,
    read_seconds: float = READ_SECONDS,
    write_seconds: float = WRITE_SECONDS,
) -> Iterator[ShapeRun]:
    """Build and measure a model of that shape with random weights; snapshots, the last one final.

    Args:
        shape: which has been checked, in its making, to be neither too large nor too slow.
        pause: called between pieces of some milliseconds; what it raises ends the run there.
        variants: of `lmdemo.VARIANTS`, the first the baseline.
        read_seconds, write_seconds: after which no further turn begins, if there were as many as an interval needs.

    Raises:
        VariantError: one cannot be built on this platform.
    """
    with dropping_circles():
        yield from _steps(shape, pause, variants, read_seconds, write_seconds)


def _steps(
    shape: Shape, pause: Pause, variants: tuple[str, ...], read_seconds: float, write_seconds: float
) -> Iterator[ShapeRun]:
    run = ShapeRun(shape, variants)
    yield run
    models: dict[str, nn.Module] = {}
    for name, model in _build(shape, variants, pause):
        models[name] = model
        run = replace(run, built=(*run.built, name))
        yield run
    if models.keys() >= {*TUTORIAL}:
        with interruptible(pause):
            run = replace(run, sizes=exact_sizes({name: models[name] for name in TUTORIAL}))
        yield run
    ids = _words(shape)
    for reading in _for(read_seconds, compare(models, ids, shape.window, pause, order_seed=SEED)):
        run = replace(run, reading=reading)
        yield run
    vocabulary = Vocabulary([f"word{number}" for number in range(shape.ntoken)])
    for writing in _for(write_seconds, write_in_turns(models, vocabulary, SEED, pause)):
        run = replace(run, writing=writing)
        yield run
    yield replace(run, final=True)


def _build(shape: Shape, variants: tuple[str, ...], pause: Pause) -> Iterator[tuple[str, nn.Module]]:
    """Each variant, with all that it chooses by the clock chosen."""
    # the caller's random numbers are not touched, nor by quantizing
    with torch.random.fork_rng(devices=()), interruptible(pause), PausesBetweenCalls():
        torch.manual_seed(SEED)
        model = LSTMModel.from_config(shape.config).eval()
    for name in variants:
        pause()
        with torch.random.fork_rng(devices=()), interruptible(pause):
            built = build_variants(model, [name])[name]
            runner(built).prepare_reading([shape.window])
        yield name, built


def _words(shape: Shape) -> torch.Tensor:
    """Random words (N,) to read: whole windows, as many in each turn as keep the clock busy."""
    windows = max(1, round(TURN_SECONDS / shape.window_seconds))
    words = BLOCKS * windows * shape.window + 1  # the first is read only
    return torch.randint(shape.ntoken, (words,), generator=torch.Generator().manual_seed(SEED))


def _for(seconds: float, snapshots: Iterator[Snapshot]) -> Iterator[Snapshot]:
    """Snapshots until `seconds` are over, one after each turn: at least as many as an interval needs."""
    began = time.monotonic()
    for turns, snapshot in enumerate(snapshots, 1):
        yield snapshot
        if turns >= FEWEST_TURNS and time.monotonic() - began >= seconds:
            return
