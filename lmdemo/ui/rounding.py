"""A drawing of what quantization does to weights: some of a row, as fp32 has them and as the integers they become."""

from collections.abc import Sequence

from markupsafe import Markup

from lmdemo.ui import markup
from lmdemo.variants import QuantizedWeight

FEW = 6  # weights that are drawn
REACH = 12  # steps of the scale on either side of 0 that are drawn
STEP, MIDDLE = 14, 184  # of the drawing, in its own units: between two integers, and where 0 is
ABOVE, BELOW = 16, 52  # the weights, and the integers under them


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
    rows = {
        f"{number}": {
            "fp32": _signed(f"{value:.4f}"),
            "÷ scale": _signed(f"{value / weight.scale:.2f}"),
            "int8": _signed(str(round(value / weight.scale))),
            "stands for": _signed(f"{round(value / weight.scale) * weight.scale:.4f}"),
        }
        for number, value in enumerate(values, 1)
    }
    return Markup('<figure class="rounding">{}<figcaption>{}</figcaption>{}</figure>').format(
        picture, said, markup.table(rows, "The same weights as figures", corner="weight")
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
