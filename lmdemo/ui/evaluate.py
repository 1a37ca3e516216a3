"""The Evaluate tab: loss and speed of every variant on one slice of text, in turns."""

from collections.abc import Iterator
from functools import partial

import gradio as gr

from lmdemo.errors import InputError
from lmdemo.evaluation import MAX_TOKENS, MAX_WINDOW, Comparison
from lmdemo.lab import DEFAULT_WINDOW, FIRST_TOKENS, Lab
from lmdemo.plots import speed_lines
from lmdemo.service import Service
from lmdemo.ui import markup, prose
from lmdemo.ui.stream import CHART_INTERVAL, COMPUTING, QUICK, settled, throttled

HOW = (
    '<p class="note">The variants take turns in random order, block by block, in one run. Words/s is the median over'
    " the blocks and speed-up the median of the ratios of the same block, each with a 95 % bootstrap interval. int8"
    " quantizes activations over a whole window, so its loss depends on the window a little.</p>"
)


def build(service: Service) -> tuple[gr.Slider, tuple[gr.HTML, gr.Plot, gr.HTML, gr.State]]:
    """Lay the tab out; returns what `limits` fills, and what the first results fill: status, chart, table, last."""
    with gr.Row():
        tokens = gr.Slider(
            **limits(service.lab),
            step=1,
            label="Words of test text",
            info="More words, a narrower interval.",
            min_width=280,
        )
        window = gr.Slider(
            1,
            MAX_WINDOW,
            DEFAULT_WINDOW,
            step=1,
            label="Window",
            info="Words read in one call; the tutorial’s bptt is 25.",
            min_width=280,
        )
    with gr.Row(elem_classes="buttons"):
        start = gr.Button("Measure", variant="primary")
        stop = gr.Button("Stop")
    status = gr.HTML(markup.status("Measuring on this machine …"), elem_id="measuring-status")
    table = gr.HTML(elem_id="results")
    chart = gr.Plot(label="Words a second, block by block", show_label=False, container=False, elem_id="speeds")
    gr.HTML(HOW)
    last = gr.State(None)

    run = start.click(
        partial(measure, service),
        [tokens, window],
        [status, chart, table, last],
        show_progress_on=[status],
        **COMPUTING,
    )
    stop.click(None, cancels=[run], api_visibility="private").then(settled(stopped), last, status, **QUICK)
    return tokens, (status, chart, table, last)


def limits(lab: Lab) -> dict[str, int]:
    """The slider over the test text of the model in service."""
    most = min(MAX_TOKENS, lab.available_tokens)
    return {"minimum": min(100, most), "maximum": most, "value": min(FIRST_TOKENS, most)}


def measure(service: Service, tokens: object, window: object) -> Iterator[tuple]:
    """Run: status, chart, table and snapshot, paced for a browser; a sentence instead, for a value out of range."""
    try:
        snapshots = service.lab.compare(tokens, window)
    except InputError as error:
        yield markup.alert(str(error)), gr.skip(), gr.skip(), gr.skip()
        return
    for snapshot in throttled(snapshots, CHART_INTERVAL):
        yield *draw(snapshot), snapshot


def stopped(last: Comparison | None) -> str:
    """What the line says after Stop; what was measured stays."""
    if last is None or last.final:  # stopped in the queue: what was shown before still stands
        return markup.status("Stopped before anything was measured.")
    read = last.results[last.baseline].tokens
    line = f"Stopped after {read:,} of {last.tokens:,} words. {prose.speed_verdict(last)}"
    return markup.status(line, prose.loss_verdict(last))


def draw(snapshot: Comparison) -> tuple[str, object, str]:
    """A snapshot as status, chart and table."""
    if snapshot.final:
        line = markup.status(prose.speed_verdict(snapshot), prose.loss_verdict(snapshot))
    else:
        read = snapshot.results[snapshot.baseline].tokens
        line = markup.status(f"{read:,} of {snapshot.tokens:,} words read.", f"Window {snapshot.window}.")
    return line, speed_lines(snapshot), markup.result_table(snapshot)
