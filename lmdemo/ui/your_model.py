"""The Your model tab: what a visitor brings, part by part, each a module of its own."""

import gradio as gr

from lmdemo.server.service import Service
from lmdemo.ui import your_shape, your_text


def build(service: Service, to_shape: gr.Number) -> your_shape.Parts:
    """Lay the tab out, its parts one below the other; a change of `to_shape` measures the shape."""
    with gr.Column(elem_id="your-shape"):
        shaping = your_shape.build(service, to_shape)
    with gr.Column(elem_id="your-text"):
        your_text.build(service)
    return shaping
