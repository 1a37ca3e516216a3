"""The Size tab: what torch.save writes, by module."""

from functools import lru_cache

import gradio as gr

from lmdemo.lab import Lab
from lmdemo.ui import export, markup, prose
from lmdemo.ui.described import chart
from lmdemo.ui.download import picture_buttons, text_button
from lmdemo.ui.plots import size_bars


def build() -> tuple[gr.HTML, gr.Plot, gr.HTML, gr.Textbox]:
    """Lay the tab out; returns what `draw` fills when a visitor arrives, and when another lab comes into service."""
    sentence_view = gr.HTML(markup.status("The sizes are being measured …"), elem_id="size-sentence")
    chart_view = chart(None, "size-bars", "Bytes on disk, by variant and module", "size-sentence")
    texts_view = gr.Textbox(visible="hidden", label="The sizes as text")
    with gr.Row(elem_classes="buttons"):
        picture_buttons("size-bars", "lmdemo-sizes")
        text_button("Table as CSV", "lmdemo-sizes", "csv", texts_view)
    table_view = gr.HTML(elem_id="sizes")
    gr.HTML(
        '<p class="note">From dark to light: embedding, LSTM, decoder. MB is 10<sup>6</sup> bytes. Each file was'
        " written here with <code>torch.save(model.state_dict())</code>, into memory. A module saved alone carries a"
        " few hundred bytes of its own, so the parts add up to slightly more than the whole. Where the decoder’s matrix"
        " is the embedding’s (tied weights), it is in the file, and drawn, once.</p>"
    )
    return sentence_view, chart_view, table_view, texts_view


@lru_cache(maxsize=1)  # the same for all visitors: while it is drawn, nothing can be computed
def draw(lab: Lab) -> tuple[str, object, str, str]:
    """Sentence, chart, table, and the table to hand out. Right after the start it waits for the sizes."""
    sentence = markup.status(*prose.size_sentences(lab.sizes))
    return sentence, size_bars(lab.sizes), markup.size_table(lab.sizes), export.sizes(lab.sizes)
