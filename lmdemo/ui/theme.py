"""The look: system fonts, quiet greys, one colour a variant. Layout and type are in assets/style.css."""

import gradio as gr

from lmdemo.checkpoint import ASSETS
from lmdemo.ui.plots import COLOURS

STYLE = ASSETS / "style.css"
SCRIPTS = tuple(ASSETS / name for name in ("page.js", "run.js", "copy.js", "words.js"))
SANS = ("ui-sans-serif", "system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif")
MONO = ("ui-monospace", "SFMono-Regular", "Consolas", "Liberation Mono", "monospace")

# Gradio's own, in the reader's size of text instead of pixels.
TEXT = gr.themes.Size(
    name="text_rem",
    xxs="0.5625rem",
    xs="0.625rem",
    sm="0.75rem",
    md="0.875rem",
    lg="1rem",
    xl="1.375rem",
    xxl="1.625rem",
)
THEME = gr.themes.Base(
    primary_hue="blue",
    secondary_hue="blue",
    neutral_hue="slate",
    text_size=TEXT,
    radius_size="md",
    font=SANS,
    font_mono=MONO,
).set(
    button_primary_background_fill="*primary_700",
    button_primary_background_fill_hover="*primary_800",
    button_primary_background_fill_dark="*primary_600",
    button_primary_background_fill_hover_dark="*primary_700",
    button_primary_text_color="white",
    body_text_color_subdued="*neutral_600",
    body_text_color_subdued_dark="*neutral_400",
    block_info_text_color="*neutral_600",
    block_info_text_color_dark="*neutral_400",
    block_title_text_color="*neutral_800",
    block_title_text_color_dark="*neutral_100",
    slider_color="*primary_600",
    block_label_text_weight="600",
    block_title_text_weight="600",
)
VARIANT_COLOURS = ":root{" + "".join(f"--{name}:{colour};" for name, colour in COLOURS.items()) + "}"
