"""The Size tab: what torch.save writes, by module."""

import gradio as gr

from lmdemo.lab import Lab
from lmdemo.plots import size_bars
from lmdemo.ui import markup, prose


def build(lab: Lab) -> tuple[gr.HTML, gr.Plot, gr.HTML]:
    """Lay the tab out; returns what `draw` fills anew when another lab comes into service."""
    sentence, chart, table = draw(lab)
    views = (
        gr.HTML(sentence),
        gr.Plot(chart, label="Bytes on disk by module", show_label=False, container=False),
        gr.HTML(table, elem_id="sizes"),
    )
    gr.HTML(
        '<p class="note">From dark to light: embedding, LSTM, decoder. MB is 10<sup>6</sup> bytes. Each file was'
        " written here with <code>torch.save(model.state_dict())</code>, into memory. A module saved alone carries a"
        " few hundred bytes of its own, so the parts add up to slightly more than the whole.</p>"
    )
    return views


def draw(lab: Lab) -> tuple[str, object, str]:
    """Sentence, chart and table. Sizes were measured when the variants were built."""
    return markup.status(*prose.size_sentences(lab.sizes)), size_bars(lab.sizes), markup.size_table(lab.sizes)
