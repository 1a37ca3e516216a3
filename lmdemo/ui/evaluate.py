"""The Evaluate tab: loss and speed of every variant on one slice of text, in turns, and how far each is from fp32."""

from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from functools import lru_cache, partial

import gradio as gr
from markupsafe import Markup

from lmdemo.errors import InputError, LmdemoError
from lmdemo.evaluation import MAX_WINDOW, token_range
from lmdemo.fidelity import FidelityRun
from lmdemo.lab import DEFAULT_MEASURED, DEFAULT_WINDOW, Lab
from lmdemo.measured import Evaluation
from lmdemo.measured_text import doubt
from lmdemo.report import closeness, export, prose
from lmdemo.server.service import Service
from lmdemo.ui import markup, query, results
from lmdemo.ui.controls import (
    chart,
    copies,
    explained,
    keeps_run,
    picture_buttons,
    run_line,
    start_button,
    stop_button,
    stops,
    text_button,
    variant_choice,
)
from lmdemo.ui.events import (
    CHART_INTERVAL,
    COMPUTING,
    LOOK_AGAIN,
    QUICK,
    Components,
    Update,
    first_result,
    named,
    throttled,
)
from lmdemo.ui.plots import kl_course, passage_dots, speed_bars
from lmdemo.variants import BASELINE

KIND = "page/evaluate"  # of a run, in the log


@dataclass(frozen=True)
class Parts:
    """The components that other parts of the page read or fill."""

    controls: Components  # tokens (words of test text), window, variants
    arrival: Components  # what `arrive` fills


def build(service: Service, asked: gr.Number) -> Parts:
    """Lay the tab out; a change of `asked` measures."""
    card = gr.HTML(elem_id="ship")
    doubts = gr.HTML(elem_id="doubts")
    variants = variant_choice(service.lab, DEFAULT_MEASURED)
    tokens, window = _slice(service.lab)
    texts = gr.Textbox(visible="hidden", label="The evaluation as text")
    with gr.Row(elem_classes="buttons"):
        start = start_button("Measure", variant="primary")
        stop = stop_button()
        handed = {"markdown": gr.Button("Copy as Markdown", size="sm", interactive=False)}
        for kind in ("json", "csv"):
            handed[kind] = text_button(kind.upper(), "lmdemo-evaluation", kind, texts, interactive=False)
    status = run_line(markup.status("Measuring on this machine …"), elem_id="measuring-status")
    speeds = chart(None, "speeds", "Words a second, by variant", described_by="ship measuring-status")
    spread = gr.HTML(elem_id="spread")
    dots = chart(None, "dots", "Passages of the text, by variant", described_by="spread")
    course = chart(None, "course", "KL along the text, the mean of 100 words, by variant", described_by="spread")
    with gr.Column(visible=False, elem_id="whole") as whole:
        whole_spread = gr.HTML(elem_id="whole-spread")
        whole_dots = chart(None, "whole-dots", "Passages of the whole test text, by variant", "whole-spread")
    table, written, fidelity = (explained(elem_id) for elem_id in ("results", "written", "fidelity"))
    with gr.Accordion("Passage by passage", open=False):
        passages = gr.HTML(elem_id="passages")
    with gr.Accordion("Percentiles", open=False):
        percentiles = gr.HTML(elem_id="percentiles")
    with gr.Row(elem_classes="buttons"):
        picture_buttons("speeds", "lmdemo-speed")
        picture_buttons("dots", "lmdemo-passages", "Passages")
        picture_buttons("course", "lmdemo-course", "KL along the text")
    last, awaits = gr.State(None), gr.State(False)
    clock = gr.Timer(LOOK_AGAIN, active=False)

    controls = {"tokens": tokens, "window": window, "variants": variants}
    filled = {"card": card, "status": status, "doubts": doubts, "speeds": speeds, "table": table, "written": written}
    filled |= {"spread": spread, "dots": dots, "course": course, "passages": passages, "percentiles": percentiles}
    filled |= {"fidelity": fidelity, "texts": texts, "last": last, **handed}
    arrival = {**filled, "whole": whole, "whole_spread": whole_spread, "whole_dots": whole_dots}
    arrival |= {"clock": clock, "awaits": awaits}
    measuring = gr.on(
        [start.click, asked.change],
        **named(partial(measure, service), controls, filled),
        js=keeps_run("evaluate", controls, status),
        show_progress_on=[status],
        **COMPUTING,
    )
    stops(stop, [measuring], status, **named(stopped, {"last": last}, {"status": status}), **QUICK)
    copies(handed["markdown"], "markdown", texts)
    clock.tick(**named(partial(again, service), {"last": last, "awaits": awaits}, arrival), **QUICK)
    return Parts(controls, {**arrival, **controls, "asked": asked})


def _slice(lab: Lab) -> tuple[gr.Slider, gr.Slider]:
    with gr.Row():
        tokens = gr.Slider(
            **slice_range(lab),
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
    return tokens, window


def slice_range(lab: Lab) -> dict[str, int]:
    """The slider over the test text of the model in service."""
    least, most = token_range(lab.available_tokens)
    # Gradio has no slider with a single place: of a text of one word to predict 0 can be asked, and is refused
    return {"minimum": min(least, most - 1), "maximum": most, "value": lab.default_tokens}


def measure(service: Service, tokens: object, window: object, variants: object) -> Iterator[Update]:
    """Run: what `draw` fills, paced for a browser; a sentence instead, for what keeps it from its end."""
    snapshot = None
    run = service.run(KIND, service.lab.evaluate, tokens=tokens, window=window, variants=variants)
    try:
        for snapshot in throttled(run, CHART_INTERVAL):
            yield draw(snapshot)
    except LmdemoError as error:
        so_far = f" It had come to {_so_far(snapshot)}" if snapshot else ""
        yield {"status": markup.ended(error, so_far)}


async def arrive(service: Service, address: object) -> Update:
    """What a visitor finds: what the address asks for, measured at once if it says so; without any, the first run."""
    lab = service.lab
    try:
        asked = query.measuring(address, lab.variants, lab.available_tokens)
    except InputError as error:
        return await _first(service) | {"status": markup.alert(f"In this page’s address: {error}")}
    if asked is None or _is_first(lab, asked):
        return await _first(service)
    line = markup.status("Starting …" if asked.run else "Filled in from the address; press Measure.")
    empty = ("card", "doubts", "table", "written", "fidelity", "spread", "passages", "percentiles", "texts")
    nothing = dict.fromkeys(empty, "") | _handing_out(False)
    charts = dict.fromkeys(("speeds", "dots", "course"))
    controls = {"tokens": asked.tokens, "window": asked.window, "variants": list(asked.variants)}
    more = _draw_whole(lab) | {"clock": gr.Timer(active=not lab.whole.done())}
    return {"status": line, **nothing, **charts, "last": None, **controls, **more, "asked": int(asked.run)}


def _is_first(lab: Lab, asked: query.EvaluateQuery) -> bool:
    """Whether what is asked for is measured in any case."""
    variants = {*DEFAULT_MEASURED} - {BASELINE}
    return (asked.tokens, asked.window, {*asked.variants}) == (lab.default_tokens, DEFAULT_WINDOW, variants)


async def _first(service: Service) -> Update:
    """The evaluation a visitor finds on arrival; nothing is touched if it could not be computed, or comes too late.

    On a busy machine it may come later than a request can wait: then the page looks again.
    """
    service.start()  # already begun, unless something other than app.py launched the page
    lab = service.lab
    first = lab.evaluation
    if await first_result(first) is None:
        waits = not first.done()
        return {"awaits": waits, "clock": gr.Timer(active=waits)}
    drawn = _draw_first(first) | _draw_whole(lab) | {"clock": gr.Timer(active=_to_come(lab, first.result()))}
    return {} if service.has_begun(KIND) else drawn


def again(service: Service, last: Evaluation | None, awaits: bool) -> Update:
    """What was computed since for a page whose first results were not all there, or in doubt.

    Where it shows something else, which its visitor asked for, only what is said of the whole text.
    """
    lab = service.lab
    if service.has_begun(KIND) or (last is None and not awaits):
        return _draw_whole(lab) | {"clock": gr.Timer(active=not lab.whole.done())}
    first = lab.evaluation
    found = first.result() if first.done() else None
    update = {} if found is None or found is last else _draw_first(first)
    return update | _draw_whole(lab) | {"clock": gr.Timer(active=_to_come(lab, found))}


def _to_come(lab: Lab, first: Evaluation | None) -> bool:
    """Whether a page should look again."""
    return first is None or not first.sound or not lab.whole.done()


@lru_cache(maxsize=1)
def _draw_first(first: Future[Evaluation]) -> Update:
    """The first evaluation, when it is there, drawn once for all visitors: while it is drawn nobody is served."""
    return draw(first.result())


def _draw_whole(lab: Lab) -> Update:
    """What the passages of the whole text did, when it is known and the first evaluation did not read all of it."""
    whole = lab.whole
    run = whole.result() if whole.done() else None
    return {"whole": gr.Column(visible=run is not None), **(_drawn_whole(whole) if run else {})}


@lru_cache(maxsize=1)
def _drawn_whole(whole: Future[FidelityRun]) -> Update:
    run = whole.result()
    return {"whole_spread": markup.sentence(closeness.whole(run)), "whole_dots": passage_dots(run)}


def stopped(last: Evaluation | None) -> Update:
    """What the line says after Stop; what was measured stays."""
    if last is None or last.final:  # stopped in the queue: what was shown before still stands
        return {"status": markup.status("Stopped before anything was measured.")}
    return {"status": markup.status(f"Stopped after {_so_far(last)}", prose.loss_verdict(last.comparison))}


def _so_far(last: Evaluation) -> str:
    """How far a run came that was ended before, and what it has measured."""
    comparison = last.comparison
    read = comparison.results[comparison.baseline].tokens
    return f"{read:,} of {comparison.tokens:,} words. {prose.speed_verdict(comparison)}"


def draw(snapshot: Evaluation) -> Update:
    """A snapshot in all views; chart and table stay while what they show does not change."""
    comparison, run = snapshot.comparison, snapshot.fidelity
    doubts = doubt(snapshot.unknown_share), prose.doubts(snapshot)
    update = {
        "card": results.card(snapshot),
        "status": _ended(snapshot) if snapshot.final else progress(snapshot),
        "doubts": markup.warning(" ".join(filter(None, doubts))),
        "written": results.writing(snapshot),
        "fidelity": results.fidelity_table(run),
        "spread": markup.sentence(closeness.passages(run) if run else ""),
        "passages": results.passage_table(run),
        "percentiles": results.percentile_tables(run),
        "texts": export.payload(snapshot),
        **_handing_out(snapshot.final),
        "last": snapshot,
    }
    if run is None or snapshot.final:
        update |= {"speeds": speed_bars(comparison, snapshot.limits), "table": results.result_table(snapshot)}
    compared = snapshot.final and len(run.results) > 1
    if compared or run is None:
        update["dots"] = passage_dots(run) if compared else None
        update["course"] = kl_course(run, snapshot.texts) if compared else None
    return update


def _ended(snapshot: Evaluation) -> Markup:
    """The line of a run that came to its end: what the card does not say, and where there is no card, all of it."""
    comparison, why = snapshot.comparison, prose.why(snapshot.comparison, snapshot.limits)
    if distance := closeness.distance(snapshot.fidelity):
        said = f"{comparison.tokens:,} words measured; the answers are in the card above."
        return markup.status(said, f"{distance} {why}")
    return markup.status(prose.speed_verdict(comparison), f"{prose.loss_verdict(comparison)} {why}")


def progress(snapshot: Evaluation) -> Markup:
    """The line of a run that is under way."""
    comparison, run = snapshot.comparison, snapshot.fidelity
    if run is not None:
        return markup.status(f"Timed. Compared word by word: {run.read:,} of {run.tokens:,}.", under_way=True)
    if snapshot.writing:
        return markup.status(f"Reading is timed. Written by each: {snapshot.writing.words:,} words.", under_way=True)
    read = comparison.results[comparison.baseline].tokens
    return markup.status(f"{read:,} of {comparison.tokens:,} words read.", f"Window {comparison.window}.", True)


def _handing_out(there: bool) -> Update:
    """Whether there is an evaluation to copy and to save."""
    return dict.fromkeys(("markdown", "json", "csv"), gr.update(interactive=there))
