"""The About tab: how it works, the code that ran, the tutorial's own figures, citations."""

import inspect

import gradio as gr

from lmdemo import variants
from lmdemo.checkpoint import ASSETS
from lmdemo.lab import Lab
from lmdemo.packed_fp32 import PackedFp32Model
from lmdemo.packed_int8 import PackedInt8Model
from lmdemo.report import export, prose
from lmdemo.ui import markup, rounding
from lmdemo.ui.controls import text_button
from lmdemo.ui.events import Components, Update

ABOUT = ASSETS / "about.md"
HERE = "<!-- the page goes on here -->"  # where it has the drawing, then the code, then the table of weights


def build(lab: Lab) -> Components:
    """Lay the tab out; the code is read from the function that built the variant. Returns what `draw` fills."""
    how, points, heading, more = ABOUT.read_text(encoding="utf-8").split(HERE)
    gr.Markdown("## The variants")
    drawn = draw(lab)
    listed = gr.HTML(drawn["variants_list"], elem_id="variants")
    gr.Markdown(how)
    drawing = gr.HTML(drawn["drawing"], elem_id="rounding")
    gr.Markdown(points)
    gr.Code(
        inspect.getsource(variants.int8.build),
        language="python",
        label="int8, in lmdemo/variants.py",
        interactive=False,
        wrap_lines=True,
        show_line_numbers=False,  # the editor takes them for higher than the lines, as long as it is not in sight
        elem_id="code-that-ran",
    )
    gr.Markdown(heading)
    weights = gr.HTML(drawn["weights"], elem_id="weights")
    texts = gr.Textbox(drawn["weights_texts"], visible="hidden", label="The weights as text")
    with gr.Row(elem_classes="buttons"):
        text_button("Table as CSV", "lmdemo-weights", "csv", texts)
    gr.Markdown(more)
    return {"variants_list": listed, "drawing": drawing, "weights": weights, "weights_texts": texts}


def draw(lab: Lab) -> Update:
    """What each variant is, the scales and zero points of int8, and these to hand out, for the model in service."""
    models = lab.chosen(["int8"])
    weights = variants.quantized_weights(models["int8"])
    row = models[variants.BASELINE].get_parameter(weights[0].name)[0].tolist()
    chosen, reasons = [], dict(lab.unavailable)
    for name, model in lab.built.items():
        if isinstance(model, PackedFp32Model | PackedInt8Model):
            chosen.append(prose.chosen_ways(name, model))
            reasons[name] = model.problem
    return {
        "variants_list": markup.variants_list(variants.VARIANTS, chosen, reasons),
        "drawing": rounding.draw(row, weights[0]),
        "weights": markup.weights_table(weights),
        "weights_texts": export.weights(weights),
    }
