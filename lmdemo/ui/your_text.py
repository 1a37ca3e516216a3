"""The part Your text of the tab Your model: a text that is pasted, measured as Evaluate measures, and marked.

Nothing of the text is kept, here or in the page's address: it goes to the model and comes back marked.
"""

from collections.abc import Iterator
from functools import partial

import gradio as gr

from lmdemo.errors import LmdemoError
from lmdemo.measured_text import doubt
from lmdemo.own_text import MAX_CHARACTERS, TextReading
from lmdemo.report import prose
from lmdemo.server.service import Service
from lmdemo.text import Vocabulary
from lmdemo.ui import evaluate, hesitation, markup, results
from lmdemo.ui.controls import run_line, short_enough, start_button, stop_button, stops
from lmdemo.ui.events import CHART_INTERVAL, COMPUTING, QUICK, Update, named, throttled

KIND = "page/text"  # of a run, in the log
INTRODUCTION = (
    "<h2>Your text</h2><p>Should you ship int8 for a text like yours, and at which words does it hesitate?"
    " The text is measured and forgotten: it is not stored, not logged, and not in this page’s address.</p>"
)


def build(service: Service) -> None:
    """Lay the part out."""
    gr.HTML(INTRODUCTION, elem_classes="part")
    text = gr.Textbox(
        "",
        label="Text",
        info=f"At most {MAX_CHARACTERS:,} characters, in the language of the model.",
        lines=6,
        max_lines=12,
        max_length=2 * MAX_CHARACTERS + 1,  # an emoji counts as two; megabytes would stop the page
        elem_id="own-text",
    )
    with gr.Row(elem_classes="buttons"):
        start = start_button("Measure this text", variant="primary")
        stop = stop_button()
    line = run_line("", elem_id="text-status", kept=False)
    filled = {"status": line, "doubts": gr.HTML(), "card": gr.HTML(), "marked": gr.HTML(elem_id="hesitation-text")}
    reading = start.click(
        **named(partial(read, service), {"text": text}, filled),
        js=short_enough(MAX_CHARACTERS),
        show_progress_on=[line],
        **COMPUTING,
    )
    stops(stop, [reading], line, **named(stopped, {}, filled), **QUICK)


def read(service: Service, text: object) -> Iterator[Update]:
    """Run: what `draw` fills, paced for a browser; a sentence instead, for what keeps it from its end."""
    lab = service.lab
    try:
        for snapshot in throttled(service.run(KIND, lab.read_text, text=text), CHART_INTERVAL):
            yield draw(snapshot, lab.checkpoint.vocabulary)
    except LmdemoError as error:
        yield {**_nothing(), "status": markup.ended(error)}


def stopped() -> Update:
    """What is shown after Stop: nothing of the text."""
    return {**_nothing(), "status": markup.status("Stopped. Nothing of the text is kept here.")}


def draw(snapshot: TextReading, vocabulary: Vocabulary) -> Update:
    """A snapshot in all views; the vocabulary is the model's."""
    evaluation, own = snapshot.evaluation, snapshot.text
    line = evaluate.progress(evaluation)
    if snapshot.final:
        line = markup.status(f"{len(own.words):,} words measured.", hesitation.unknown(own, vocabulary))
    doubts = doubt(own.unknown_share, "your text"), prose.doubts(evaluation) if evaluation.comparison.final else ""
    return {
        "status": line,
        "doubts": markup.warning(" ".join(filter(None, doubts))),
        "card": results.card(evaluation),
        "marked": hesitation.marked(snapshot),
    }


def _nothing() -> Update:
    return dict.fromkeys(("doubts", "card", "marked"), "")
