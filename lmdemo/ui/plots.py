"""Plotly figures drawn from results; nothing is computed here but positions and colours.

Backgrounds are transparent and lines mid-grey, so that one figure stands on a light page and on a dark
one. Each variant has one colour everywhere (after Okabe and Ito, distinct without colour vision).
"""

from collections.abc import Mapping, Sequence
from html import escape
from textwrap import wrap

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from lmdemo.evaluation import Comparison
from lmdemo.fidelity import FidelityRun
from lmdemo.passages import stretches
from lmdemo.report import closeness
from lmdemo.roofline import Limit
from lmdemo.size import MODULES, Size, alike
from lmdemo.timed import Interval

GREY = "#808080"
FAINT = "rgba(128, 128, 128, 0.25)"
LABEL = 44  # characters in a line under the pointer
FONT = 'ui-sans-serif, system-ui, -apple-system, "Segoe UI", sans-serif'

COLOURS = {
    "fp32": "#2f7ec7",
    "fp32-packed": "#14a0ad",
    "int8": "#d9730d",
    "int8-packed": "#b8322a",
    "int8-per-channel": "#b0539b",
    "int8-embedding": "#23976a",
    "int4-embedding": "#8c8a1e",
}
# of a module, in each variant's bar: light enough for black text or dark enough for white, and an edge around each
MODULE_COLOURS = {"encoder": "#64748b", "rnn": "#a3b1c6", "decoder": "#dbe2ea"}
ON_MODULES = {"encoder": "white", "rnn": "black", "decoder": "black"}
EDGE = "#64748b"
ABOVE = {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "itemclick": False, "itemdoubleclick": False}
UNDER_POINTER = {"font": {"family": FONT, "size": 12, "color": "#f8fafc"}, "bgcolor": "#1e293b", "bordercolor": GREY}


def size_bars(sizes: Mapping[str, Size]) -> go.Figure:
    """One bar for variants of the same bytes, a segment a module, in MB (10^6 bytes), and what they come to at its end.

    In kB (10^3) where the largest has less than one.

    What embedding and decoder share is drawn once.
    """
    figure = go.Figure()
    rows = alike(sizes)
    unit, scale = ("MB", 1e6) if max(size.total for size in rows.values()) >= 1e6 else ("kB", 1e3)
    labels = ["<br>".join(f'<span style="color:{COLOURS[name]}">■</span> {name}' for name in names) for names in rows]
    for module, label in MODULES.items():
        parts = [size.parts[module] / scale for size in rows.values()]
        figure.add_bar(
            name=label,
            y=labels,
            x=parts,
            customdata=[", ".join(names) for names in rows],
            orientation="h",
            marker={"color": MODULE_COLOURS[module], "line": {"color": EDGE, "width": 1}},
            text=[f"{value:.1f}" for value in parts],
            textposition="inside",
            insidetextanchor="middle",
            textangle=0,
            insidetextfont={"color": ON_MODULES[module]},
            hovertemplate=f"%{{customdata}}: {label} %{{x:.2f}} {unit}<extra></extra>",
        )
    figure.add_scatter(
        y=labels,
        x=[sum(size.parts.values()) / scale for size in rows.values()],
        mode="text",
        text=[f" {size.total / scale:.1f} {unit}<br> {size.ratio:.0%}" for size in rows.values()],
        textposition="middle right",
        cliponaxis=False,
        hoverinfo="skip",
        showlegend=False,
    )
    calm(figure, height=110 + 52 * len(rows))
    figure.update_layout(barmode="stack", bargap=0.25, uniformtext={"minsize": 11, "mode": "hide"}, margin={"r": 64})
    figure.update_layout(showlegend=True, legend={**ABOVE, "traceorder": "normal"})
    figure.update_xaxes(title_text=f"{unit} on disk, as torch.save writes it", rangemode="tozero")
    figure.update_yaxes(autorange="reversed", showgrid=False)
    return figure


def speed_bars(comparison: Comparison, limits: Mapping[str, Limit]) -> go.Figure:
    """Words a second of each variant with its interval, over a faint bar as long as this machine's limit."""
    names = list(comparison.results)
    colours = [COLOURS[name] for name in names]
    speeds = [comparison.speed(name) for name in names]
    figure = go.Figure()
    if limits:
        most = [limits[name].reading for name in names]
        figure.add_bar(
            name="limit of this machine",
            y=names,
            x=most,
            orientation="h",
            marker={"color": colours, "opacity": 0.14},
            hovertemplate="%{y}, limit: %{x:,.0f} words/s<extra></extra>",
        )
        mark = {"symbol": "line-ns", "size": 18, "line": {"width": 2, "color": colours}}
        figure.add_scatter(y=names, x=most, mode="markers", marker=mark, hoverinfo="skip")
    figure.add_bar(
        name="measured",
        y=names,
        x=[speed.median for speed in speeds],
        error_x=spread(speeds),
        orientation="h",
        marker={"color": colours},
        hovertemplate="%{y}: %{x:,.0f} words/s<extra></extra>",
    )
    calm(figure, height=76 + 36 * len(names))
    figure.update_layout(barmode="overlay", bargap=0.35, showlegend=False)
    figure.update_xaxes(title_text="words a second", rangemode="tozero", tickformat="~s")
    figure.update_yaxes(autorange="reversed", showgrid=False)
    return figure


def passage_dots(run: FidelityRun) -> go.Figure:
    """A dot a passage on a line a variant, with a stroke at the mean: KL above, the change of perplexity below."""
    others = {name: found for name, found in run.results.items() if name != run.baseline}
    strip, between = 30 * len(others), 84  # pixels
    figure = make_subplots(rows=2, cols=1, vertical_spacing=between / (2 * strip + between))
    stroke = {"symbol": "line-ns", "size": 20}
    for name, found in others.items():
        places = [closeness.place(passage) for passage in found.passages]
        dot = {"color": COLOURS[name], "size": 9, "opacity": 0.65}
        line = {"line": {"width": 2, "color": COLOURS[name]}}
        rows = (
            (1, [passage.kl for passage in found.passages], found.kl.value, "KL %{x:.5f}"),
            (2, [passage.perplexity_change for passage in found.passages], found.perplexity_change.value, "%{x:+.2%}"),
        )
        for row, values, mean, shown in rows:
            marks = {
                "y": [name] * len(values),
                "mode": "markers",
                "hovertemplate": f"{name}, %{{text}}: {shown}<extra></extra>",
            }
            figure.add_scatter(x=values, text=places, marker=dot, **marks, row=row, col=1)
            whole = {"y": [name], "mode": "markers", "hovertemplate": f"{name}, all of it: {shown}<extra></extra>"}
            figure.add_scatter(x=[mean], marker=stroke | line, **whole, row=row, col=1)
    calm(figure, height=2 * strip + between + 60)
    figure.update_layout(showlegend=False)
    figure.update_xaxes(title_text="KL of a passage, nats a word", rangemode="tozero", row=1, col=1)
    figure.update_xaxes(title_text="change of its perplexity", tickformat=".1~%", row=2, col=1)
    figure.update_yaxes(autorange="reversed", showgrid=False)
    return figure


def kl_course(run: FidelityRun, texts: Sequence[str]) -> go.Figure:
    """KL along the text, a line a variant: of each stretch of words at its middle, with the words under the pointer."""
    places = stretches(run.tokens)
    middles = [(place.start + place.stop + 1) / 2 for place in places]
    figure = go.Figure()
    figure.add_scatter(
        x=middles,
        y=[0] * len(middles),
        mode="lines",
        line={"width": 0},
        text=[_label(text) for text in texts],
        hovertemplate="%{text}<extra></extra>",
        showlegend=False,
    )
    for name, found in run.results.items():
        if name != run.baseline:
            figure.add_scatter(
                name=name,
                x=middles,
                y=found.course,
                mode="lines",
                line={"width": 1.5, "color": COLOURS[name]},
                hovertemplate="%{y:.4f}",
            )
    calm(figure, height=300)
    label = {**UNDER_POINTER, "namelength": -1}
    figure.update_layout(hovermode="x unified", hoverlabel=label, legend=ABOVE, showlegend=True)
    around = {"text": "around word %{x:,.0f}:"}
    figure.update_xaxes(title_text="word of the text", range=[0, run.tokens], tickformat=",", unifiedhovertitle=around)
    figure.update_yaxes(rangemode="tozero")
    return figure


def _label(text: str) -> str:
    """A passage in lines short enough for a phone; nothing of it is markup, which plotly would take some of."""
    return "<br>".join(escape(line) for line in wrap(text, LABEL))


def spread(values: Sequence[Interval]) -> dict[str, object]:
    """The intervals around the medians, as lines."""
    return {
        "array": [value.high - value.median for value in values],
        "arrayminus": [value.median - value.low for value in values],
        "color": GREY,
        "thickness": 1.5,
        "width": 4,
    }


def calm(figure: go.Figure, height: int) -> None:
    """The look that all figures share, `height` pixels high."""
    figure.update_layout(
        height=height,
        autosize=True,
        margin={"l": 8, "r": 12, "t": 12, "b": 48},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": FONT, "color": GREY, "size": 13},
        hoverlabel=UNDER_POINTER,
        modebar={"remove": ["select2d", "lasso2d", "zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "autoScale2d"]},
        dragmode=False,
    )
    figure.update_yaxes(automargin=True, ticklabelstandoff=6)
    axis = {"gridcolor": FAINT, "zerolinecolor": FAINT, "linecolor": FAINT, "title": {"font": {"size": 12}}}
    figure.update_xaxes(**axis)
    figure.update_yaxes(**axis)
