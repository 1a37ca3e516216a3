"""From which width on int8 pays: one shape after another, the hidden size growing, each as shaping.py measures it."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from lmdemo.errors import InputError
from lmdemo.inference import Pause, go_on
from lmdemo.inputs import real_number
from lmdemo.memory import give_back
from lmdemo.shape import Shape
from lmdemo.shaping import ShapeRun, measure_shape
from lmdemo.timed import Interval
from lmdemo.variants import FAIR
from lmdemo.verdict import above

WIDTHS = (32, 64, 128, 256, 512, 1_024)
COMPARED = ("int8", "int8-packed")  # each with fp32 done well
WORK = ("writing", "reading")
SECONDS = 20.0  # for all widths together; what would take longer is left out
READ_SECONDS, WRITE_SECONDS = 0.5, 0.3  # of each width: of the small ones some tens of turns
MOST_WIDTHS, MOST_SECONDS = 12, 60


@dataclass(frozen=True)
class Point:
    """What one width came to: how many times as fast as fp32 done well each is, by work and variant."""

    hidden: int
    speedups: Mapping[str, Mapping[str, Interval]]  # work -> variant -> ratio


@dataclass(frozen=True)
class Sweep:
    """A snapshot of a sweep; the last one is `final`."""

    shapes: tuple[Shape, ...]  # in the order of their widths
    points: tuple[Point, ...] = ()
    run: ShapeRun | None = None  # the shape under way
    final: bool = False

    @property
    def left_out(self) -> tuple[int, ...]:
        """The widths for which there was no time, once it is over."""
        return tuple(shape.nhid for shape in self.shapes[len(self.points) :]) if self.final else ()

    @property
    def computed(self) -> dict[str, int]:
        """How many shapes were measured."""
        return {"shapes": len(self.points)}

    def pays_from(self, work: str, variant: str) -> int | None:
        """The least width from which on a variant is surely faster at all that were measured; None if at none."""
        found = None
        for point in reversed(self.points):
            if not above(point.speedups[work][variant], 1.0):
                break
            found = point.hidden
        return found


def sweep(
    ntoken: object = 10_000,
    nlayers: object = 2,
    window: object = 200,
    widths: Sequence[object] = WIDTHS,
    seconds: object = SECONDS,
    pause: Pause = go_on,
) -> Iterator[Sweep]:
    """Measure int8 and packed int8 against fp32-packed while embedding and hidden size grow; snapshots, the last final.

    Args:
        ntoken, nlayers, window: of every shape.
        widths: of embedding and hidden size, growing.
        seconds: for all together, 1 to 60. A width is left out, and those after it, that by the one before would take
            longer than what is left.
        pause: called between pieces of some milliseconds; what it raises ends the run there.

    Raises:
        InputError: at once, for a shape that is none, widths that do not grow, or too many.
        VariantError: a variant cannot be built on this platform.
    """
    limit = real_number("Seconds", seconds, 1, MOST_SECONDS)
    shapes = tuple(Shape(ntoken, width, width, nlayers, window) for width in widths)
    grow = all(one.nhid < other.nhid for one, other in pairwise(shapes))
    if not 1 <= len(shapes) <= MOST_WIDTHS or not grow:
        raise InputError(f"Widths must be 1 to {MOST_WIDTHS} numbers that grow.")
    return _steps(shapes, limit, pause)


def _steps(shapes: tuple[Shape, ...], limit: float, pause: Pause) -> Iterator[Sweep]:
    found = Sweep(shapes)
    began = before = time.monotonic()
    took = 0.0  # by the width before
    for number, shape in enumerate(shapes):
        if number and took * _growth(shapes[number - 1], shape) > limit - (before - began):
            break
        for run in measure_shape(shape, pause, (FAIR, *COMPARED), READ_SECONDS, WRITE_SECONDS):
            yield replace(found, run=run)
        found = replace(found, points=(*found.points, _point(run)))
        give_back()  # its models are gone
        now = time.monotonic()
        took, before = now - before, now
    yield replace(found, final=True)


def _growth(before: Shape, shape: Shape) -> float:
    """How many times as long a shape will take as the one before it."""
    return max(1.0, shape.seconds / before.seconds)


def _point(run: ShapeRun) -> Point:
    timed = {"writing": run.writing, "reading": run.reading}
    return Point(
        run.shape.nhid,
        {work: {name: timed[work].speedup(name, over=FAIR) for name in COMPARED} for work in WORK},
    )
