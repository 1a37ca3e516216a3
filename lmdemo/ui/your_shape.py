"""The part Your shape of the tab Your model: a model of that shape is made up, quantized and timed here and now."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import gradio as gr
from markupsafe import Markup

from lmdemo.errors import InputError, LmdemoError
from lmdemo.evaluation import MAX_WINDOW
from lmdemo.inference import Pause
from lmdemo.report import shapes
from lmdemo.server.service import Service
from lmdemo.shape import FIELDS, MAX_LAYERS, MAX_WIDTH, MAX_WORDS, PRESETS, TUTORIAL_SHAPE, Shape
from lmdemo.shaping import ShapeRun
from lmdemo.sweeping import Sweep
from lmdemo.ui import markup, query
from lmdemo.ui.controls import chart, explained, keeps_run, run_line, start_button, stop_button, stops
from lmdemo.ui.events import AS_SENT, CHART_INTERVAL, COMPUTING, QUICK, Components, Update, named, throttled
from lmdemo.ui.plots import size_bars
from lmdemo.ui.shape_plots import shape_speeds, sweep_lines

KIND, SWEEP = "page/shape", "page/sweep"  # of runs, in the log
INTRODUCTION = (
    "<h2>Your shape</h2><p>Does int8 pay for a model of your shape? One is made up here with random weights, quantized"
    " and timed. Bytes and speed depend on the shape, not on what the weights are.</p>"
)
SWEEPING = (
    "<h3>From which size on?</h3><p>The same for hidden sizes from 32 up to 1,024, as far as 20 seconds go, with"
    " 10,000 words, two layers and windows of 200.</p>"
)


@dataclass(frozen=True)
class Parts:
    """The components that other parts of the page read or fill."""

    controls: Components  # the fields of a shape
    arrival: Components  # what `arrive` fills


def build(service: Service, asked: gr.Number) -> Parts:
    """Lay the part out; a change of `asked` measures."""
    gr.HTML(INTRODUCTION, elem_classes="part")
    with gr.Row(elem_classes="buttons"):
        presets = {name: gr.Button(name, size="sm") for name in PRESETS}
    controls = _fields(TUTORIAL_SHAPE)
    line = gr.HTML(_reckoned(TUTORIAL_SHAPE), elem_id="shape-line")
    with gr.Row(elem_classes="buttons"):
        start = start_button("Measure", variant="primary")
        stop = stop_button()
    status = run_line(markup.status("Press Measure."), elem_id="shape-status")
    doubts = gr.HTML()
    with gr.Column(visible=False) as found:
        weighed = gr.HTML(elem_id="shape-weighed")
        size = chart(None, "shape-size", "Bytes on disk, by module", "shape-weighed")
        speeds = chart(None, "shape-speeds", "Words a second, by variant", "shape-status")
        table = explained("shape-table")
    with gr.Column():
        _build_sweep(service)

    fields = {**controls, "line": line}
    for name, button in presets.items():
        button.click(**named(partial(_filled_in, PRESETS[name]), {}, fields), **QUICK)
    changes = [control.input for control in controls.values()]
    gr.on(changes, **named(look, controls, {"line": line}), **QUICK, **AS_SENT, trigger_mode="always_last")
    filled = {"status": status, "doubts": doubts, "found": found, "weighed": weighed, "size": size, "speeds": speeds}
    filled |= {"table": table}
    measuring = gr.on(
        [start.click, asked.change],
        **named(partial(measure, service), controls, filled),
        js=keeps_run("model", controls, status),
        show_progress_on=[status],
        **COMPUTING,
    )
    stops(stop, [measuring], status, **named(_stopped, {}, {"status": status}), **QUICK)
    return Parts(controls, {**fields, "status": status, "asked": asked})


def _build_sweep(service: Service) -> None:
    gr.HTML(SWEEPING, elem_classes="part")
    with gr.Row(elem_classes="buttons"):
        start = start_button("Sweep")
        stop = stop_button()
    status = run_line("", elem_id="sweep-status", kept=False)
    with gr.Column(visible=False) as found:
        lines = chart(None, "shape-sweep", "Speed ÷ that of fp32-packed, over the hidden size", "sweep-status")
    shown = {"status": status, "found": found, "lines": lines}
    run = start.click(**named(partial(sweep, service), {}, shown), show_progress_on=[status], **COMPUTING)
    stops(stop, [run], status, **named(_stopped, {}, {"status": status}), **QUICK)


def _fields(shape: Shape) -> Components:
    bounds = {
        "ntoken": ("Vocabulary", "words", MAX_WORDS),
        "ninp": ("Embedding", "width", MAX_WIDTH),
        "nhid": ("Hidden", "width", MAX_WIDTH),
        "nlayers": ("Layers", "LSTM", MAX_LAYERS),
        "window": ("Window", "words a call", MAX_WINDOW),
    }
    with gr.Row(elem_id="shape-fields"):
        fields = {
            name: gr.Number(getattr(shape, name), label=label, info=info, precision=0, minimum=1, maximum=most)
            for name, (label, info, most) in bounds.items()
        }
        fields["tied"] = gr.Checkbox(shape.tied, label="Tied weights", info="one matrix for embedding and decoder")
    return fields


def arrive(address: object) -> Update:
    """What the address asks for, measured at once if it says so; nothing without any."""
    try:
        asked = query.shaping(address)
    except InputError as error:
        return {"status": markup.alert(f"In this page’s address: {error}")}
    if asked is None:
        return {}
    line = markup.status("Starting …" if asked.run else "Filled in from the address; press Measure.")
    return {**_filled_in(asked.shape), "status": line, "asked": int(asked.run)}


def look(**fields: object) -> Update:
    """The line of what the fields hold; a sentence where that is no shape."""
    try:
        return {"line": _reckoned(Shape(**fields))}
    except InputError as error:
        return {"line": markup.alert(str(error))}


def measure(service: Service, **fields: object) -> Iterator[Update]:
    """Run: what `draw` fills, paced for a browser; a sentence instead, for what keeps it from its end."""

    def start(pause: Pause, **fields: object) -> Iterator[ShapeRun]:
        return service.lab.measure_shape(Shape(**fields), pause)

    try:
        for run in throttled(service.run(KIND, start, **fields), CHART_INTERVAL):
            yield draw(run)
    except LmdemoError as error:
        yield {"status": markup.ended(error)}


def sweep(service: Service) -> Iterator[Update]:
    """Run: the line, and the widths so far when there is one more."""
    points = 0
    try:
        for found in throttled(service.run(SWEEP, service.lab.sweep), CHART_INTERVAL):
            yield draw_sweep(found, anew=len(found.points) > points)
            points = len(found.points)
    except LmdemoError as error:
        yield {"status": markup.ended(error)}


def draw(run: ShapeRun) -> Update:
    """A snapshot: how far it has come, and at its end what was measured."""
    if not run.final:
        return {"status": markup.status(shapes.progress(run), under_way=True)}
    return {
        "status": markup.status(*shapes.verdict(run)),
        "doubts": markup.warning(shapes.doubts(run)),
        "found": gr.Column(visible=True),
        "weighed": markup.sentence(shapes.bytes_sentence(run.sizes)),
        "size": size_bars(run.sizes),
        "speeds": shape_speeds(run),
        "table": _table(run),
    }


def draw_sweep(found: Sweep, anew: bool) -> Update:
    """A snapshot; the chart only where it is `anew`."""
    line = markup.status(shapes.sweep_progress(found), under_way=True)
    if found.final:
        line = markup.status(shapes.sweep_sentence(found))
    if not found.points or not (anew or found.final):
        return {"status": line}
    return {"status": line, "found": gr.Column(visible=True), "lines": sweep_lines(found)}


def _filled_in(shape: Shape) -> Update:
    """The fields, and the line, of a shape."""
    return {**{field: getattr(shape, field) for field in FIELDS}, "line": _reckoned(shape)}


def _reckoned(shape: Shape) -> str:
    return markup.sentence(shapes.reckoned(shape))


def _stopped() -> Update:
    """What the line says after Stop; what was measured before stays."""
    return {"status": markup.status("Stopped before all was measured.")}


def _table(run: ShapeRun) -> Markup:
    """Words a second of each corner, with their spread; nothing before all is measured."""
    if not run.final:
        return Markup()
    shape = run.shape
    lstm = f"LSTM {shape.ninp}→{shape.nhid} × {shape.nlayers}"
    title = f"Words a second: vocabulary {shape.ntoken:,}, {lstm}, window {shape.window}"
    return markup.table(shapes.rows(run), title, shown=True, explained=shapes.MEANINGS)
