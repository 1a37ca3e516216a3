"""The Size tab: what torch.save writes, by module."""

from functools import lru_cache

import gradio as gr

from lmdemo.lab import Lab
from lmdemo.report import export, prose
from lmdemo.ui import markup
from lmdemo.ui.controls import chart, picture_buttons, text_button
from lmdemo.ui.events import Components, Update
from lmdemo.ui.plots import size_bars


def build() -> Components:
    """Lay the tab out; returns what `draw` fills when a visitor arrives, and when another lab comes into service."""
    sentence = gr.HTML(markup.status("The sizes are being measured …"), elem_id="size-sentence")
    bars = chart(None, "size-bars", "Bytes on disk, by variant and module", "size-sentence")
    texts = gr.Textbox(visible="hidden", label="The sizes as text")
    with gr.Row(elem_classes="buttons"):
        picture_buttons("size-bars", "lmdemo-sizes")
        text_button("Table as CSV", "lmdemo-sizes", "csv", texts)
    table = gr.HTML(elem_id="sizes")
    gr.HTML(
        '<p class="note">MB is 10<sup>6</sup> bytes. Each file was written here with'
        " <code>torch.save(model.state_dict())</code>, into memory; a packed variant’s file is that of its modules. A"
        " module saved alone carries a few hundred bytes of its own, so the parts add up to slightly more than the"
        " whole. Where the decoder’s matrix is the embedding’s (tied weights), it is in the file, and drawn, once. What"
        " each variant takes in memory is on Evaluate.</p>"
    )
    return {"size_sentence": sentence, "size_bars": bars, "size_table": table, "size_texts": texts}


@lru_cache(maxsize=1)  # the same for all visitors: while it is drawn, nothing can be computed
def draw(lab: Lab) -> Update:
    """Sentence, chart, table, and the table to hand out. Right after the start it waits for the sizes."""
    return {
        "size_sentence": markup.status(*prose.size_sentences(lab.sizes)),
        "size_bars": size_bars(lab.sizes),
        "size_table": markup.size_table(lab.sizes),
        "size_texts": export.sizes(lab.sizes),
    }
