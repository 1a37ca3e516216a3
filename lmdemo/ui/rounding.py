"""Drawings of what rounding does to weights: some of a row, as fp32 has them and as the integers they become."""

import math
from collections.abc import Callable, Iterator, Sequence

from markupsafe import Markup

from lmdemo.rounding import RoundedRow
from lmdemo.ui import markup
from lmdemo.variants import QuantizedWeight

FEW = 6  # weights that are drawn
REACH = 12  # steps of the scale on either side of 0 that are drawn
STEP, MIDDLE = 14, 184  # of the drawing, in its own units: between two integers, and where 0 is
ABOVE, BELOW = 16, 52  # the weights, and the integers under them

MANY = 48  # weights of a row that are drawn on the grid of their integers
WIDE, HIGH, LEFT = 520, 190, 30  # of that grid, in its own units, and where it begins
SQUARE = 6  # the side of an integer's square
LINES = 9  # of it, at most
STEPS = (1, 2, 5, 10, 20, 50)  # from one to the next
POWERS = (1, 2, 4, 8, 16, 32)  # from one integer that is named to the next, of the histogram
TALL = 70  # of the histogram below


def small_ones(row: Sequence[float], scale: float) -> list[float]:
    """The first few weights of a row that are within the drawing."""
    return [value for value in row if abs(value) < scale * REACH][:FEW]


def draw(row: Sequence[float], weight: QuantizedWeight) -> Markup:
    """Weights of the first `row` of `weight` over the integers, and as a table; nothing where all are far from 0."""
    values = small_ones(row, weight.scale)
    if not values:
        return Markup()
    said = (
        f"Small weights of {weight.name}, from its first row. Blue: as fp32 has them. Orange: the integer that each is"
        f" rounded to. From one integer to the next it is the scale, {weight.scale:.5f}."
    )
    picture = Markup('<svg viewBox="0 0 368 78" role="img" aria-label="{}">{}{}</svg>').format(
        said, _ruler(), Markup().join(_fall(value / weight.scale) for value in values)
    )
    figures = _figures(values, weight.scale, [round(value / weight.scale) for value in values], "int8")
    return Markup('<figure class="rounding">{}<figcaption>{}</figcaption>{}</figure>').format(picture, said, figures)


LEGEND = Markup(
    '<p class="note"><svg class="key" viewBox="0 0 8 8"><circle cx="4" cy="4" r="3"/></svg> in fp32'
    ' <svg class="key" viewBox="0 0 8 8"><rect x="1" y="1" width="6" height="6"/></svg> the integer that it becomes'
    " · point at one, or tap it</p>"
)


def row(found: RoundedRow, title: str) -> Markup:
    """The first weights of a row on the grid of their integers, and how often the whole matrix has each integer."""
    weights = found.weights[:MANY]
    return Markup(
        '<figure class="rounding"><p class="title">{}: its first {} weights</p>{}{}'
        "<details><summary>The same weights as figures</summary>{}</details>"
        '<p class="title">How often {} has each integer</p>{}</figure>'
    ).format(
        title,
        len(weights),
        LEGEND,
        _grid(found),
        _figures(weights, found.scale, found.integers, "integer"),
        found.name,
        _histogram(found),
    )


def _figures(values: Sequence[float], scale: float, integers: Sequence[int], column: str) -> Markup:
    """Weights as a table: what each is, how many steps of the scale, the integer that it becomes, what that is."""
    rows = {
        f"{number}": {
            "fp32": _signed(f"{value:.4f}"),
            "÷ scale": _signed(f"{value / scale:.2f}"),
            column: _signed(str(integer)),
            "stands for": _signed(f"{integer * scale:.4f}"),
        }
        for number, (value, integer) in enumerate(zip(values, integers, strict=False), 1)
    }
    return markup.table(rows, "The same weights as figures", corner="weight")


def _grid(found: RoundedRow) -> Markup:
    """A column a weight: where it is between the integers, and the integer that it falls on."""
    steps = [weight / found.scale for weight in found.weights[:MANY]]
    integers = found.integers[:MANY]
    reach = max(1, *map(abs, steps), *map(abs, integers))
    wide, unit = (WIDE - LEFT) / len(steps), (HIGH / 2 - 2 * SQUARE) / reach

    def x(number: int) -> float:
        return LEFT + wide * (number + 0.5)

    def y(step: float) -> float:
        return HIGH / 2 - unit * step

    every = next(step for step in STEPS if 2 * reach / step < LINES)
    levels = [level for level in range(-math.floor(reach), math.floor(reach) + 1) if level % every == 0]
    line = Markup('<line class="tick" x1="{}" x2="{}" y1="{y}" y2="{y}"/><text class="level" x="{}" y="{}">{}</text>')
    lines = (
        line.format(LEFT, WIDE, LEFT - 6, f"{y(level) + 4:.1f}", _signed(str(level)), y=f"{y(level):.1f}")
        for level in levels
    )
    fall = Markup(
        '<line class="fall" x1="{x}" x2="{x}" y1="{above}" y2="{below}"/><circle cx="{x}" cy="{above}" r="2.5"/>'
        '<rect x="{left}" y="{top}" width="{side}" height="{side}"/>'
    )
    falls = (
        fall.format(
            x=f"{x(number):.1f}",
            above=f"{y(step):.1f}",
            below=f"{y(integer):.1f}",
            left=f"{x(number) - SQUARE / 2:.1f}",
            top=f"{y(integer) - SQUARE / 2:.1f}",
            side=SQUARE,
        )
        for number, (step, integer) in enumerate(zip(steps, integers, strict=True))
    )
    said = (
        f"The first {len(steps)} weights of row {found.row:,} of {found.name}, over the integers. Circles: as fp32 has"
        " them. Squares: the integer that each is rounded to."
    )
    return Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}{}{}</svg>').format(
        WIDE, HIGH, said, Markup().join(lines), Markup().join(falls), Markup().join(_told(found, x, wide))
    )


def _told(found: RoundedRow, x: Callable[[int], float], wide: float) -> Iterator[Markup]:
    """What is said of each weight that is pointed at or tapped, over its whole column."""
    spot = Markup('<rect class="term" x="{:.1f}" y="0" width="{:.1f}" height="{}" data-meaning="{}"/>')
    parts = zip(found.weights[:MANY], found.integers, found.errors, strict=False)
    for number, (weight, integer, error) in enumerate(parts):
        meaning = (
            f"Weight {number + 1}: {_signed(f'{weight:.4f}')} becomes the integer {_signed(str(integer))}, which stands"
            f" for {_signed(f'{integer * found.scale:.4f}')}: an error of {_signed(f'{error:+.4f}')}."
        )
        yield spot.format(x(number) - wide / 2, wide, HIGH, meaning)


def _histogram(found: RoundedRow) -> Markup:
    """A bar for each integer that there may be, as high as it is frequent in the whole matrix."""
    least, most = found.rounding.range
    integers = range(least, most + 1)
    total, greatest = sum(found.counts.values()), max(found.counts.values())
    wide = WIDE / len(integers)
    bar = Markup(
        '<rect class="bar" x="{x:.2f}" y="{y:.2f}" width="{width:.2f}" height="{height:.2f}"/>'
        '<rect class="term" x="{left:.2f}" y="0" width="{wide:.2f}" height="{bottom}" data-meaning="{meaning}"/>'
    )
    bars = []
    for place, integer in enumerate(integers):
        count = found.counts.get(integer, 0)
        height = max(1.0, TALL * count / greatest) if count else 0.0
        meaning = f"Integer {_signed(str(integer))}: {count:,} of {total:,} weights, {count / total:.2%}."
        gap = min(2.0, wide * 0.15)
        left = wide * place
        bars.append(
            bar.format(
                x=left + gap / 2,
                y=TALL - height,
                width=wide - gap,
                height=height,
                left=left,
                wide=wide,
                bottom=TALL,
                meaning=meaning,
            )
        )
    label = Markup('<text x="{:.1f}" y="{}">{}</text>')
    every = next(step for step in POWERS if len(integers) / step < LINES)
    labels = (
        label.format(wide * (place + 0.5), TALL + 14, _signed(str(integer)))
        for place, integer in enumerate(integers)
        if integer % every == 0 and integer > -(2 ** (found.rounding.bits - 1))
    )
    said = f"How often {found.name} has each of the {len(integers)} integers that there may be."
    return Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}{}</svg>').format(
        WIDE, TALL + 18, said, Markup().join(bars), Markup().join(labels)
    )


def _ruler() -> Markup:
    tick = Markup('<line class="tick" x1="{0}" x2="{0}" y1="{1}" y2="{2}"/>')
    label = Markup('<text x="{}" y="72">{}</text>')
    return Markup().join(
        tick.format(_x(integer), BELOW - 5, BELOW + 5)
        + (label.format(_x(integer), _signed(str(integer))) if integer % 4 == 0 else Markup())
        for integer in range(-REACH, REACH + 1)
    )


def _fall(steps: float) -> Markup:
    """A weight, so many steps from 0, and the integer that it falls on."""
    return Markup(
        '<line class="fall" x1="{x}" y1="{above}" x2="{to}" y2="{below}"/><circle cx="{x}" cy="{above}" r="4"/>'
        '<rect x="{left}" y="{top}" width="8" height="8"/>'
    ).format(
        x=f"{_x(steps):.1f}", to=_x(round(steps)), above=ABOVE, below=BELOW, left=_x(round(steps)) - 4, top=BELOW - 4
    )


def _x(steps: float) -> float:
    return MIDDLE + STEP * steps


def _signed(number: str) -> str:
    return number.replace("-", "−")
