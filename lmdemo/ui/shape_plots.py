"""Figures of a shape that was measured, and of a sweep over widths; as those in plots.py."""

import math

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from lmdemo.shaping import ShapeRun
from lmdemo.sweeping import COMPARED, Sweep
from lmdemo.ui.plots import ABOVE, COLOURS, GREY, calm, spread
from lmdemo.variants import FAIR

TICKS = (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50)
DASHES = {"writing": "solid", "reading": "dot"}
SYMBOLS = {"writing": "circle", "reading": "diamond"}


def shape_speeds(run: ShapeRun) -> go.Figure:
    """Words a second of each corner with its interval: writing above, reading below, each on an axis of its own."""
    names = list(run.variants)
    strip, between = 34 * len(names), 84  # pixels
    figure = make_subplots(rows=2, cols=1, vertical_spacing=between / (2 * strip + between))
    for row, (work, timed) in enumerate({"writing": run.writing, "reading": run.reading}.items(), 1):
        speeds = [timed.speed(name) for name in names]
        figure.add_bar(
            y=names,
            x=[speed.median for speed in speeds],
            error_x=spread(speeds),
            orientation="h",
            marker={"color": [COLOURS[name] for name in names]},
            hovertemplate=f"%{{y}}, {work}: %{{x:,.0f}} words/s<extra></extra>",
            row=row,
            col=1,
        )
        figure.update_xaxes(title_text=f"{work}, words a second", rangemode="tozero", tickformat="~s", row=row, col=1)
    calm(figure, height=2 * strip + between + 60)
    figure.update_layout(bargap=0.35, showlegend=False)
    figure.update_yaxes(autorange="reversed", showgrid=False)
    return figure


def sweep_lines(found: Sweep) -> go.Figure:
    """Speed ÷ that of fp32 done well, over the hidden size: a line a variant and work; above 1 int8 is ahead."""
    figure = go.Figure()
    measured = [point.hidden for point in found.points]
    for name in COMPARED:
        for work, dash in DASHES.items():
            ratios = [point.speedups[work][name] for point in found.points]
            figure.add_scatter(
                name=f"{name}, {work}",
                x=measured,
                y=[ratio.median for ratio in ratios],
                error_y=spread(ratios),
                mode="lines+markers",
                line={"color": COLOURS[name], "dash": dash, "width": 2},
                marker={"color": COLOURS[name], "symbol": SYMBOLS[work], "size": 8},
                customdata=[[ratio.low, ratio.high] for ratio in ratios],
                hovertemplate=f"{name}, {work}, hidden %{{x}}: %{{y:.2f}}×"
                " (%{customdata[0]:.2f} to %{customdata[1]:.2f})<extra></extra>",
            )
    highest = max(ratio.high for point in found.points for each in point.speedups.values() for ratio in each.values())
    lowest = min(ratio.low for point in found.points for each in point.speedups.values() for ratio in each.values())
    figure.add_hline(y=1, line={"color": GREY, "width": 1.5})
    label = {"text": "above the line: int8 is faster", "showarrow": False, "font": {"size": 12}}
    figure.add_annotation(**label, x=0, xref="paper", xanchor="left", y=1, yref="paper", yanchor="top")
    calm(figure, height=380)
    figure.update_layout(legend=ABOVE, showlegend=True)
    widths = [shape.nhid for shape in found.shapes]
    figure.update_xaxes(
        title_text="hidden size", type="log", tickvals=widths, ticktext=[f"{width:,}" for width in widths]
    )
    figure.update_yaxes(
        title_text=f"speed ÷ {FAIR}",
        type="log",
        tickvals=TICKS,
        ticktext=[f"{tick:g}×" for tick in TICKS],
        range=[math.log10(min(lowest, 0.5)) - 0.05, math.log10(max(highest, 2)) + 0.25],  # room for the label
    )
    return figure
