"""The Bits tab: a slider from 8 bits to 2, and what it does to the text, to the loss and to the weights themselves."""

import random
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial

import gradio as gr
from markupsafe import Markup

from lmdemo.errors import InputError, LmdemoError
from lmdemo.generation import GenerationSettings
from lmdemo.inference import Pause
from lmdemo.inputs import whole_number
from lmdemo.lab import Lab
from lmdemo.report import fewer_bits, prose
from lmdemo.report.fewer_bits import SCALES
from lmdemo.rounding import LEAST_BITS, MATRICES, MOST_BITS, RoundedRow, Rounding, matrices_of
from lmdemo.server.service import Service
from lmdemo.simulation import Simulated
from lmdemo.text import shown
from lmdemo.ui import hurting, markup, query, rounding, texts
from lmdemo.ui.bits_charts import SCALE_VARIANTS, bits_curves
from lmdemo.ui.controls import chart, keeps_run, picture_buttons, run_line, stop_button, stops
from lmdemo.ui.events import AS_SENT, COMPUTING, QUICK, TEXT_INTERVAL, Components, Update, named, throttled

KIND = "page/bits"  # of a run, in the log
MATRIX, ROW = "decoder.weight", 1_000  # whose row a visitor finds, of as many as the matrix has
MOST_ROWS = 10**9
LOOK_AGAIN = 1.0  # seconds between two looks at costs that are found out meanwhile
# One at a time, of the positions that are passed on the way to another only that one.
MOVING = {"trigger_mode": "always_last"}
LOOKING = {"concurrency_id": "rows", "concurrency_limit": 1, "show_progress": "hidden", "api_visibility": "private"}


@dataclass(frozen=True)
class Parts:
    """The components that other parts of the page read or fill."""

    controls: Components  # bits, scale, matrices
    arrival: Components  # what `arrive` fills
    offers: Components  # what `offers` fills


def build(service: Service, tab: gr.Tab, asked: gr.Number, writing: Components) -> Parts:
    """Lay the tab out; `writing` are the settings of the Generate tab, and a change of `asked` runs."""
    lab = service.lab
    with gr.Column(elem_id="bits"):
        gr.HTML(Markup('<p class="note">{}</p>').format(fewer_bits.SIMULATED))
        with gr.Row(elem_id="bits-top"):
            with gr.Column(elem_id="bits-asked", min_width=0):
                controls = _controls()
                curves = chart(None, "bits-curves", "Perplexity on the test text, by bits", described_by="bits-status")
                with gr.Row(elem_classes="buttons"):
                    picture_buttons("bits-curves", "lmdemo-bits", "Curves")
            with gr.Column(elem_id="bits-texts", min_width=0):
                status = run_line(markup.status("Open this tab to begin."), elem_id="bits-status")
                written = gr.HTML(elem_id="bits-writing", js_on_load="lmdemo.keepHeight(element)")
                with gr.Row(elem_classes="buttons"):
                    stop = stop_button()
                    gr.HTML('<p class="note">Prompt, seed and settings are those of Generate.</p>')
        with gr.Row(elem_id="bits-below"):
            with gr.Column(min_width=0):
                gr.HTML("<h2>The rounding itself</h2>")
                with gr.Row(elem_id="bits-place"):
                    matrix = offers(lab)["matrix"]
                    another = gr.Button("Another row", size="sm")
                drawing = gr.HTML(elem_id="bits-row", js_on_load="lmdemo.explainTerms(element)")
            with gr.Column(min_width=0):
                hurt = gr.HTML(elem_id="hurting")
    row = gr.Number(ROW, visible="hidden", label="Row")
    last, origin = gr.State(None), gr.State(None)  # the last run, and the model that it is of
    clock = gr.Timer(LOOK_AGAIN, active=False)

    place = {"matrix": matrix, "row": row}
    found = {"curves": curves, "hurt": hurt, "last": last, "clock": clock}
    filled = {"status": status, "texts": written, "drawing": drawing, "origin": origin, **found}
    asks = {**controls, **{name: writing[name] for name in query.WRITING}}
    running = gr.on(
        [tab.select, asked.change, *(control.input for control in controls.values())],
        **named(partial(run, service), {**place, **asks}, filled),
        js=keeps_run("bits", {**place, **asks}, status),
        show_progress_on=[status],
        **COMPUTING,
        **MOVING,
    )
    stops(stop, [running], status, **named(stopped, {"last": last}, {"status": status, "texts": written}), **QUICK)
    looks = {**named(partial(look_at_row, service), {**place, **controls}, {"drawing": drawing}), **LOOKING, **AS_SENT}
    matrix.input(**looks, **MOVING)
    another.click(**named(another_row, {}, {"row": row}), **QUICK).then(**looks)
    clock.tick(**named(partial(look_again, service), {"last": last, "origin": origin}, found), **QUICK)
    arrival = {**controls, **{name: writing[name] for name in query.WRITING}, "status": status, "asked": asked}
    return Parts(controls, arrival, {"matrix": matrix})


def _controls() -> Components:
    bits = gr.Slider(LEAST_BITS, MOST_BITS, query.BITS, step=1, label="Bits a weight", elem_id="bits-slider")
    scales = [(SCALES[per_row], name) for per_row, name in query.SCALES.items()]
    scale = gr.Radio(scales, value=query.SCALES[False], label="Scale")
    matrices = gr.CheckboxGroup(list(MATRICES), value=list(MATRICES), label="Rounded")
    return {"bits": bits, "scale": scale, "matrices": matrices}


def offers(lab: Lab) -> Components:
    """The matrices of the model in service, by the component that offers them."""
    found = matrices_of(lab.checkpoint.model)
    names = [(f"{name}, {' × '.join(f'{width:,}' for width in weight.shape)}", name) for name, weight in found.items()]
    return {"matrix": gr.Dropdown(names, value=MATRIX, label="Matrix", show_label=False, container=False)}


def run(
    service: Service, matrix: object, row: object, bits: object, scale: object, matrices: object, **settings: object
) -> Iterator[Update]:
    """Round, write and measure: what `draw` and `draw_beside` fill, paced for a browser; a sentence for what keeps it
    from its end.

    Args:
        matrix, row: which row is drawn, see `_place`.
        bits, scale, matrices: the rounding, as it came.
        settings: the fields of `GenerationSettings`, as they came.
    """
    lab = service.lab
    lab.simulation.start()

    def start(pause: Pause, bits: object, scale: object, matrices: object, **settings: object) -> Iterator[Simulated]:
        asked = Rounding(bits, query.per_row(scale), matrices)
        return lab.simulation.run(GenerationSettings(**settings), asked, _place(lab, matrix, row), pause)

    def pace(found: Simulated) -> float:
        return texts.pace(found.generation)

    before: Simulated | None = None
    asked = {"bits": bits, "scale": scale, "matrices": matrices, **settings}
    try:
        for snapshot in throttled(service.run(KIND, start, **asked), TEXT_INTERVAL, pace):
            update = {**draw(snapshot), "origin": prose.origin(lab.checkpoint)}
            if before is None and not snapshot.final:
                yield update  # the texts first: chart and weights take as long to draw as some words to write
                update = {}
            yield {**update, **draw_beside(lab, snapshot, before)}
            before = snapshot
    except LmdemoError as error:
        yield {"status": markup.ended(error)}


def draw(found: Simulated) -> Update:
    """A snapshot's texts, and the line above them."""
    under_way = not found.final
    line = markup.status(_said(found), under_way=under_way)
    return {"status": line, "texts": _texts(found, under_way), "last": found}


def draw_beside(lab: Lab, found: Simulated, before: Simulated | None = None) -> Update:
    """A snapshot in the other views; those stay that do not change from the one `before` it."""
    update: Update = {}
    if before is None:
        update["drawing"] = _drawing(lab, found.row, found.rounding.matrices)
    if before is None or (found.cost, found.costs) != (before.cost, before.costs):
        update |= _costs(lab, found)
    return update


def _said(found: Simulated, before: str = "") -> Markup:
    sentences = " ".join(filter(None, (fewer_bits.chosen(found), fewer_bits.saved(found))))
    said = Markup('<strong class="headline">{}{}</strong> <span class="then">{}</span>')
    return said.format(before, fewer_bits.headline(found), sentences)


def _texts(found: Simulated, under_way: bool) -> Markup:
    """The texts, in the colour of the kind of scale."""
    coloured = Markup('<div style="--rounded:var(--{})">{}</div>')
    drawn = texts.side_by_side(found.generation, raw=False, under_way=under_way, simulated=True)
    return coloured.format(SCALE_VARIANTS[found.rounding.per_row], drawn)


def _costs(lab: Lab, found: Simulated) -> Update:
    simulation = lab.simulation
    waiting = fewer_bits.waiting(found.rounding, simulation.seconds_left, simulation.to_come)
    return {
        "curves": bits_curves(found.costs, found.cost),
        "hurt": hurting.ranked(found.costs, found.rounding, waiting),
        "clock": gr.Timer(active=simulation.to_come),
    }


def _drawing(lab: Lab, found: RoundedRow, rounded: tuple[str, ...]) -> Markup:
    """A row of weights and what became of its matrix."""
    words = lab.checkpoint.vocabulary.words
    word = shown(words[found.row]) if found.shape[0] == len(words) else None
    return Markup('<div style="--rounded:var(--{})">{}{}</div>').format(
        SCALE_VARIANTS[found.rounding.per_row],
        markup.sentence(fewer_bits.matrix(found, rounded)),
        rounding.row(found, fewer_bits.row(found, word)),
    )


def _place(lab: Lab, matrix: object, row: object) -> tuple[object, object]:
    """The row that is asked for; beyond the last it goes on with the first, so that any row is one of any matrix."""
    number = whole_number("Row", row, 0, MOST_ROWS)
    weight = matrices_of(lab.checkpoint.model).get(matrix) if isinstance(matrix, str) else None
    return matrix, number if weight is None else number % len(weight)


def another_row() -> Update:
    """Any row."""
    return {"row": random.randint(0, MOST_ROWS)}


def look_at_row(service: Service, matrix: object, row: object, bits: object, scale: object, matrices: object) -> Update:
    """A row of another matrix, or another row; a sentence for what is none."""
    lab = service.lab
    try:
        asked = Rounding(bits, query.per_row(scale), matrices)
        found = lab.simulation.row(*_place(lab, matrix, row), asked)
    except InputError as error:
        return {"drawing": markup.alert(str(error))}
    return {"drawing": _drawing(lab, found, asked.matrices)}


def look_again(service: Service, last: Simulated | None, origin: str | None) -> Update:
    """What has been found out since behind the page, of the model that it shows."""
    simulation = service.lab.simulation
    if last is None or origin != prose.origin(service.lab.checkpoint):
        return {"clock": gr.Timer(active=False)}
    if simulation.to_come and simulation.costs == last.costs:
        return {}
    costs = simulation.costs
    now = replace(last, costs=costs, cost=last.cost or (costs.cost(last.rounding) if costs else None))
    return {"last": now, **_costs(service.lab, now)}


def stopped(last: Simulated | None) -> Update:
    """What the line says after Stop; what was drawn stays."""
    if last is None:
        return {"status": markup.status("Stopped.")}
    before = "" if last.final else "Stopped. "
    return {"status": markup.status(_said(last, before)), "texts": _texts(last, under_way=False)}


def arrive(service: Service, address: object) -> Update:
    """What the address asks for; the rest is run when the tab is opened."""
    service.lab.simulation.start()
    try:
        asked = query.rounding(address, service.lab.prompt)
    except InputError as error:
        return {"status": markup.alert(f"In this page’s address: {error}")}
    if asked is None:
        return {}
    controls = {"bits": asked.rounding.bits, "scale": query.SCALES[asked.rounding.per_row]}
    settings = asdict(asked.settings) if asked.settings else {}
    return {**controls, "matrices": list(asked.rounding.matrices), **settings, "asked": 1}
