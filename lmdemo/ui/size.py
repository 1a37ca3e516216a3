"""The Size tab: what torch.save writes, by module."""

import gradio as gr

from lmdemo.lab import Lab
from lmdemo.plots import size_bars
from lmdemo.ui import markup, prose


def build(lab: Lab) -> None:
    """Lay the tab out. Sizes were measured when the variants were built."""
    gr.HTML(markup.status(*prose.size_sentences(lab.sizes)))
    gr.Plot(size_bars(lab.sizes), label="Bytes on disk by module", show_label=False, container=False)
    gr.HTML(markup.size_table(lab.sizes))
    gr.HTML(
        '<p class="note">MB is 10<sup>6</sup> bytes. Each file was written here with'
        " <code>torch.save(model.state_dict())</code>, into memory. A module saved alone carries a few hundred"
        " bytes of its own, so the parts add up to slightly more than the whole.</p>"
    )
