"""The Evaluate tab: loss and speed of every variant on one slice of text, in turns."""

from collections.abc import Iterator

import gradio as gr

from lmdemo.errors import InputError
from lmdemo.evaluation import MAX_TOKENS, MAX_WINDOW, Comparison
from lmdemo.lab import DEFAULT_WINDOW, FIRST_TOKENS, Lab
from lmdemo.plots import speed_lines
from lmdemo.ui import markup, prose
from lmdemo.ui.stream import CHART_INTERVAL, throttled


def build(lab: Lab) -> tuple[gr.HTML, gr.Plot, gr.HTML, gr.State]:
    """Lay the tab out; returns what the page fills when it loads: status, chart, table, last result."""
    most = min(MAX_TOKENS, lab.available_tokens)
    with gr.Row(elem_classes="controls"):
        tokens = gr.Slider(
            min(100, most),
            most,
            min(FIRST_TOKENS, most),
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
        measure = gr.Button("Measure", variant="primary")
        stop = gr.Button("Stop")
    status = gr.HTML(markup.status("Measuring on this machine …"), elem_id="measuring-status")
    table = gr.HTML(elem_id="results")
    chart = gr.Plot(label="Words a second, block by block", show_label=False, container=False, elem_id="speeds")
    gr.HTML(
        '<p class="note">The variants take turns in random order, block by block, in one run. Words/s is the'
        " median over the blocks and speed-up the median of the ratios of the same block, each with a 95 %"
        " bootstrap interval. int8 quantizes activations over a whole window, so its loss depends on the window"
        " a little.</p>"
    )
    last = gr.State(None)

    def run(tokens: object, window: object) -> Iterator[dict]:
        try:
            snapshots = lab.compare(tokens, window)
        except InputError as error:
            yield {status: markup.alert(str(error))}
            return
        for snapshot in throttled(snapshots, CHART_INTERVAL):
            yield {**shown(snapshot), last: snapshot}

    def shown(snapshot: Comparison) -> dict:
        return dict(zip((status, chart, table), show(snapshot), strict=True))

    def stopped(snapshot: Comparison | None) -> str:
        if snapshot is None:
            return markup.status("Stopped.")
        read = snapshot.results[snapshot.baseline].tokens
        return markup.status(
            f"Stopped after {read:,} of {snapshot.tokens:,} words. {prose.speed_verdict(snapshot)}",
            prose.loss_verdict(snapshot),
        )

    measuring = measure.click(
        run,
        [tokens, window],
        [status, chart, table, last],
        concurrency_id="compute",
        concurrency_limit=1,
        show_progress="full",
        show_progress_on=[status],
        api_visibility="private",
    )
    stop.click(
        stopped, last, status, cancels=[measuring], queue=False, show_progress="hidden", api_visibility="private"
    )
    return status, chart, table, last


def show(snapshot: Comparison) -> tuple[str, object, str]:
    """A snapshot as status, chart and table."""
    read = snapshot.results[snapshot.baseline].tokens
    if snapshot.final:
        line = markup.status(prose.speed_verdict(snapshot), prose.loss_verdict(snapshot))
    else:
        line = markup.status(f"{read:,} of {snapshot.tokens:,} words read.", f"Window {snapshot.window}.")
    return line, speed_lines(snapshot), markup.result_table(snapshot)
