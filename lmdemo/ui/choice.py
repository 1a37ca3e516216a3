"""The choice of variants, the same on every tab that computes."""

from collections.abc import Sequence

import gradio as gr

from lmdemo.lab import Lab
from lmdemo.ui import prose
from lmdemo.variants import BASELINE


def variant_choice(lab: Lab, chosen: Sequence[str]) -> gr.CheckboxGroup:
    """Boxes for the variants that go beside fp32, and what is not to be had on this platform."""
    offered = [name for name in lab.variants if name != BASELINE]
    info = f"Each beside {BASELINE}. About says what they are. {prose.unavailable(lab.unavailable)}".strip()
    return gr.CheckboxGroup(offered, value=[name for name in offered if name in chosen], label="Variants", info=info)
