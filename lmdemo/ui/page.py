"""The whole page: header, tabs, endpoints, and what is filled in when a visitor arrives."""

from functools import partial
from html import escape

import gradio as gr

from lmdemo.lab import Lab
from lmdemo.ui import about, api, evaluate, generate, markup, prose, size
from lmdemo.ui.stream import QUICK
from lmdemo.ui.theme import STYLE, THEME, VARIANT_COLOURS

FIRST_WAIT = 30  # seconds a page that comes right after the start waits for the first results

LAUNCH = {
    "theme": THEME,
    "css": VARIANT_COLOURS,
    "css_paths": [STYLE],
    "footer_links": ["api", "settings"],
    "run_history": False,
    "ssr_mode": False,
    "enable_monitoring": False,
}


def build_page(lab: Lab) -> gr.Blocks:
    """The Blocks app over `lab`; nothing is started."""
    with gr.Blocks(title="lmdemo: dynamic quantization, measured", analytics_enabled=False, fill_width=True) as page:
        gr.HTML(_header(lab))
        with gr.Tabs():
            with gr.Tab("Generate", id="generate"):
                writing = generate.build(lab)
            with gr.Tab("Size", id="size"):
                size.build(lab)
            with gr.Tab("Evaluate", id="evaluate"):
                measuring = evaluate.build(lab)
            with gr.Tab("About", id="about"):
                about.build(lab)
        api.build(lab)
        arrival = [*writing, *measuring]
        page.load(partial(_first_results, lab, len(arrival)), None, arrival, **QUICK)
    page.queue(default_concurrency_limit=4, max_size=64, api_open=False)
    return page


def _first_results(lab: Lab, outputs: int) -> tuple:
    """What a visitor finds on arrival; nothing is touched if it could not be computed."""
    first = lab.first(timeout=FIRST_WAIT)
    if first is None:
        return tuple(gr.skip() for _ in range(outputs))
    example = first.generation
    seed = example.settings.seed
    note = f"Computed here after the start; seed {seed} is the first from 1 whose texts part in the first half."
    if example.first_difference is None:
        note = f"Computed here after the start, with seed {seed}."
    return (
        markup.status(prose.parting(example), note),
        generate.redraw(False, example),
        example,
        seed,
        *evaluate.draw(first.comparison),
        first.comparison,
    )


def _header(lab: Lab) -> str:
    return (
        "<header class='top'><h1>lmdemo: what 8 bits change</h1>"
        "<p>The same LSTM word language model, as trained in fp32 and after PyTorch’s dynamic quantization to int8,"
        " side by side: what each writes, how big it is, how fast it is, what it costs in loss."
        " Every figure is measured on this machine or says where it comes from.</p>"
        f"<p class='facts'>{escape(prose.provenance(lab))}<br>{escape(prose.machine_facts(lab))}</p></header>"
    )
