"""Plotly figures drawn from results; nothing is computed here but positions and colours.

Backgrounds are transparent and lines mid-grey, so that one figure stands on a light page and on a dark
one. Each variant has one colour everywhere (after Okabe and Ito, told apart without colour vision).
"""

from collections.abc import Mapping

import plotly.graph_objects as go

from lmdemo.evaluation import Comparison
from lmdemo.size import MODULES, Size

GREY = "#808080"
FAINT = "rgba(128, 128, 128, 0.25)"
FONT = 'ui-sans-serif, system-ui, -apple-system, "Segoe UI", sans-serif'

# a variant's colour, and the shades of it that stand for encoder, rnn, decoder
COLOURS = {"fp32": "#2f7ec7", "int8": "#d9730d"}
SHADES = {"fp32": ("#1d5a94", "#2f7ec7", "#8dbbe4"), "int8": ("#9c4f05", "#d9730d", "#f2b373")}
SHADE_TEXT = {"fp32": ("white", "white", "black"), "int8": ("white", "black", "black")}
SYMBOLS = {"fp32": "circle", "int8": "diamond"}


def size_bars(sizes: Mapping[str, Size]) -> go.Figure:
    """One bar a variant, a segment a module, in MB (10^6 bytes)."""
    figure = go.Figure()
    names = list(sizes)
    for number, (module, label) in enumerate(MODULES.items()):
        megabytes = [sizes[name].modules[module] / 1e6 for name in names]
        figure.add_bar(
            name=label,
            y=names,
            x=megabytes,
            orientation="h",
            marker={"color": [SHADES[name][number] for name in names]},
            text=[f"{label}<br>{value:.1f} MB" for value in megabytes],
            textposition="inside",
            insidetextanchor="middle",
            textangle=0,
            insidetextfont={"color": [SHADE_TEXT[name][number] for name in names]},
            hovertemplate=f"%{{y}}, {label}: %{{x:.2f}} MB<extra></extra>",
        )
    _calm(figure, height=90 + 85 * len(names))
    figure.update_layout(barmode="stack", bargap=0.25, showlegend=False, uniformtext={"minsize": 10, "mode": "hide"})
    figure.update_xaxes(title_text="MB on disk, as torch.save writes it", rangemode="tozero")
    figure.update_yaxes(autorange="reversed", showgrid=False)
    return figure


def speed_lines(comparison: Comparison) -> go.Figure:
    """Tokens a second of each variant, block by block, over the words read so far."""
    figure = go.Figure()
    ends: list[int] = []
    for tokens in comparison.block_tokens:
        ends.append((ends[-1] if ends else 0) + tokens)
    for name, seconds in comparison.block_seconds.items():
        speeds = [tokens / value for tokens, value in zip(comparison.block_tokens, seconds, strict=True)]
        figure.add_scatter(
            name=name,
            x=ends,
            y=speeds,
            mode="lines+markers",
            line={"color": COLOURS[name], "width": 2},
            marker={"symbol": SYMBOLS[name], "size": 6},
            hovertemplate=f"{name}: %{{y:,.0f}} words/s<extra></extra>",
        )
    _calm(figure, height=300)
    figure.update_xaxes(title_text="words read", range=[0, comparison.tokens * 1.02])
    figure.update_yaxes(title_text="words a second", rangemode="tozero", tickformat="~s")
    figure.update_layout(legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0}, showlegend=True)
    return figure


def _calm(figure: go.Figure, height: int) -> None:
    figure.update_layout(
        height=height,
        autosize=True,
        margin={"l": 56, "r": 12, "t": 28, "b": 48},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": FONT, "color": GREY, "size": 13},
        hoverlabel={"font": {"family": FONT}},
        modebar={"remove": ["select2d", "lasso2d", "zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "autoScale2d"]},
        dragmode=False,
    )
    axis = {"gridcolor": FAINT, "zerolinecolor": FAINT, "linecolor": FAINT, "title": {"font": {"size": 12}}}
    figure.update_xaxes(**axis)
    figure.update_yaxes(**axis)
