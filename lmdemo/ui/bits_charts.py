"""The chart of the Bits tab: what fewer bits cost, and where the slider is; drawn as those of plots.py."""

import math
from collections.abc import Sequence
from functools import lru_cache

import plotly.graph_objects as go

from lmdemo.bit_costs import Cost, Sensitivity
from lmdemo.evaluation import shown_perplexity
from lmdemo.report.fewer_bits import SCALES
from lmdemo.rounding import LEAST_BITS, MATRICES, MOST_BITS
from lmdemo.ui.plots import ABOVE, COLOURS, calm

# of a model whose weights are rounded in simulation: those of the variant that is rounded so, by `per_row`
SCALE_VARIANTS = {False: "int8", True: "int8-per-channel"}
SCALE_COLOURS = {per_row: COLOURS[name] for per_row, name in SCALE_VARIANTS.items()}


@lru_cache(maxsize=32)  # of a slider that goes to and fro, at all of its places and both scales
def bits_curves(costs: Sensitivity | None, cost: Cost | None) -> go.Figure:
    """Perplexity over the bits of a weight, all matrices rounded, a line for each kind of scale; a dot is `cost`.

    A dashed line is fp32. The dot is beside its line where not all matrices are rounded.
    """
    figure = go.Figure()
    known = [*(costs.costs if costs else ()), *([cost] if cost else [])]
    if known:
        base = known[0].fp32_perplexity
        figure.add_scatter(
            name="fp32",
            x=[LEAST_BITS, MOST_BITS],
            y=[base, base],
            mode="lines",
            line={"width": 1.5, "color": COLOURS["fp32"], "dash": "dot"},
            hovertemplate=f"fp32: perplexity {shown_perplexity(base, 1)}<extra></extra>",
        )
    for per_row in (False, True):
        curve = costs.curve(per_row) if costs else ()
        figure.add_scatter(
            name=SCALES[per_row],
            x=[each.rounding.bits for each in curve],
            y=[each.perplexity for each in curve],
            mode="lines+markers",
            line={"width": 2, "color": SCALE_COLOURS[per_row]},
            marker={"size": 7, "color": SCALE_COLOURS[per_row]},
            text=[_cost(each) for each in curve],
            hovertemplate="%{text}<extra></extra>",
        )
    if cost:
        figure.add_scatter(
            name="now",
            x=[cost.rounding.bits],
            y=[cost.perplexity],
            mode="markers",
            marker={
                "size": 17,
                "color": SCALE_COLOURS[cost.rounding.per_row],
                "line": {"width": 3, "color": "#f8fafc"},
            },
            text=[_cost(cost)],
            hovertemplate="%{text}<extra></extra>",
            showlegend=False,
        )
    calm(figure, height=320)
    _over_bits(figure, known)
    return figure


def _over_bits(figure: go.Figure, known: Sequence[Cost]) -> None:
    """The axes, wide enough that there is a tick, and that what is no difference looks like none."""
    figure.update_layout(showlegend=True, legend=ABOVE)
    figure.update_xaxes(title_text="bits a weight", range=[LEAST_BITS - 0.3, MOST_BITS + 0.3], dtick=1)
    ticks = [digit * 10**power for power in range(13) for digit in (1, 2, 5)]
    figure.update_yaxes(type="log", tickvals=ticks, ticktext=[f"{tick:,}" for tick in ticks])
    if known:
        base = known[0].fp32_perplexity
        greatest = max(2.2 * base, *(each.perplexity for each in known))
        figure.update_yaxes(range=[math.log10(0.8 * base), math.log10(min(1.3 * greatest, 1e12))])


def _cost(cost: Cost) -> str:
    rounding = cost.rounding
    alone = "" if rounding.matrices == MATRICES else f", {' and '.join(rounding.matrices)} alone"
    return (
        f"{rounding.bits} bits, {SCALES[rounding.per_row]}{alone}<br>"
        f"perplexity {shown_perplexity(cost.perplexity, 1)}, KL {cost.kl:.2g}"
    )
