"""Where int8 does not pay, and where it does: two shapes, measured as the page measures a shape that is asked about.

Reference: https://github.com/pytorch/pytorch/issues/136094 (a small LSTM that is slower in int8)
"""

from collections.abc import Mapping

from lmdemo.bench.figures import figure
from lmdemo.shape import PRESETS, TUTORIAL_SHAPE, Shape
from lmdemo.shaping import ShapeRun, measure_shape
from lmdemo.variants import FAIR

SHAPES: Mapping[str, Shape] = {"pytorch issue 136094": PRESETS["A small one"], "the tutorial": TUTORIAL_SHAPE}
RATIOS = (("int8", "fp32"), ("int8", FAIR), ("int8-packed", FAIR))  # how many times as fast as


def measure_shapes(shapes: Mapping[str, Shape] = SHAPES) -> dict[str, ShapeRun]:
    """Each of the shapes, one after another."""
    runs = {}
    for name, shape in shapes.items():
        *_, runs[name] = measure_shape(shape)
    return runs


def shapes_figures(runs: Mapping[str, ShapeRun]) -> dict[str, object]:
    """By shape: its fields, bytes by module, and how many times as fast int8 is, in writing and in reading."""
    return {
        name: {
            "shape": run.shape,
            "bytes": {variant: dict(size.modules) for variant, size in run.sizes.items()},
            **{
                work: {f"{one} × {other}": timed.speedup(one, over=other) for one, other in RATIOS}
                for work, timed in (("writing", run.writing), ("reading", run.reading))
            },
        }
        for name, run in runs.items()
    }


def shapes_report(runs: Mapping[str, ShapeRun]) -> str:
    """The same as Markdown."""
    heads = " | ".join(f"{one} × {other}" for one, other in RATIOS)
    lines = [f"| shape | work | {heads} | file, int8 ÷ fp32 |", f"|---|---|{'---:|' * (len(RATIOS) + 1)}"]
    for name, run in runs.items():
        shape = run.shape
        title = f"{name}: {shape.ntoken:,} words, LSTM {shape.ninp}→{shape.nhid} × {shape.nlayers}"
        for work, timed in (("writing", run.writing), (f"reading, window {shape.window}", run.reading)):
            cells = " | ".join(figure(timed.speedup(one, over=other)) for one, other in RATIOS)
            lines.append(f"| {title} | {work} | {cells} | {run.sizes['int8'].ratio:.2f} |")
    return "\n".join(["**How many times as fast, by shape**", "", *lines])
