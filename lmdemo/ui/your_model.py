"""The Your model tab: what a visitor brings, part by part, each a module of its own."""

import gradio as gr

from lmdemo.ui import your_shape


def build() -> None:
    """Lay the tab out, its parts one below the other."""
    with gr.Column(elem_id="your-shape"):
        your_shape.build()
