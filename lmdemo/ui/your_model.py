"""The Your model tab: what a visitor brings, part by part, each a module of its own."""

import gradio as gr

from lmdemo.server.service import Service
from lmdemo.ui import your_shape, your_text


def build(service: Service) -> None:
    """Lay the tab out, its parts one below the other."""
    with gr.Column(elem_id="your-shape"):
        your_shape.build()
    with gr.Column(elem_id="your-text"):
        your_text.build(service)
