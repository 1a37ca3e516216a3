"""The part Your shape of the tab Your model: a model of that shape is made up, quantized and timed here and now."""

from functools import partial

import gradio as gr

from lmdemo.errors import InputError
from lmdemo.evaluation import MAX_WINDOW
from lmdemo.shape import FIELDS, MAX_LAYERS, MAX_WIDTH, MAX_WORDS, PRESETS, Shape
from lmdemo.ui import markup, prose
from lmdemo.ui.events import AS_SENT, QUICK, Components, Update, named

INTRODUCTION = (
    "<h2>Your shape</h2><p>Does int8 pay for a model of your shape? One is made up here with random weights, quantized,"
    " and timed. The weights do not matter for bytes and speed; the shape does.</p>"
)


def build() -> None:
    """Lay the part out."""
    gr.HTML(INTRODUCTION, elem_classes="part")
    with gr.Row(elem_classes="buttons"):
        presets = {name: gr.Button(name, size="sm") for name in PRESETS}
    controls = _fields(PRESETS["The tutorial’s"])
    line = gr.HTML(reckoned(PRESETS["The tutorial’s"]), elem_id="shape-line")
    for name, button in presets.items():
        button.click(**named(partial(fill_in, name), {}, {**controls, "line": line}), **QUICK)
    gr.on(
        [control.input for control in controls.values()],
        **named(look, controls, {"line": line}),
        **QUICK,
        **AS_SENT,
        trigger_mode="always_last",
    )


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


def fill_in(name: str) -> Update:
    """The fields, and the line, of a preset."""
    shape = PRESETS[name]
    return {**{field: getattr(shape, field) for field in FIELDS}, "line": reckoned(shape)}


def look(**fields: object) -> Update:
    """The line of what the fields hold; a sentence where that is no shape."""
    try:
        return {"line": reckoned(Shape(**fields))}
    except InputError as error:
        return {"line": markup.alert(str(error))}


def reckoned(shape: Shape) -> str:
    """What a shape comes to, before any of it is there."""
    bytes_read = f"{prose.file_size(shape.fp32_bytes)} as fp32, {prose.file_size(shape.int8_bytes)} as int8"
    return markup.sentence(f"{shape.parameters:,} parameters, {bytes_read}.")
