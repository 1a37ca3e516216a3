"""The whole page: header, tabs, endpoints, and what is filled in when a visitor arrives or the model changes."""

from functools import partial
from html import escape

import gradio as gr

from lmdemo.lab import EXAMPLE_PARTS, Lab
from lmdemo.service import Service
from lmdemo.ui import about, api, evaluate, generate, markup, prose, size
from lmdemo.ui.stream import QUICK
from lmdemo.ui.theme import STYLE, THEME, VARIANT_COLOURS

FIRST_WAIT = 30  # seconds a page that comes right after the start waits for the first results
FOLLOW_INTERVAL = 1.0  # seconds between two looks at a pull that is under way

LAUNCH = {
    "theme": THEME,
    "css": VARIANT_COLOURS,
    "css_paths": [STYLE],
    "footer_links": ["api", "settings"],
    "run_history": False,
    "ssr_mode": False,
    "enable_monitoring": False,
}


def build_page(service: Service) -> gr.Blocks:
    """The Blocks app over `service`; nothing is started."""
    lab, state = service.state
    with gr.Blocks(title="lmdemo: dynamic quantization, measured", analytics_enabled=False, fill_width=True) as page:
        header = gr.HTML(_header(lab))
        pull = gr.HTML(markup.pull(state), elem_id="pull", visible=state is not None)
        with gr.Tabs():
            with gr.Tab("Generate", id="generate"):
                writing = generate.build(service)
            with gr.Tab("Size", id="size"):
                sizes = size.build(lab)
            with gr.Tab("Evaluate", id="evaluate"):
                tokens, measuring = evaluate.build(service)
            with gr.Tab("About", id="about"):
                explained = about.build(lab)
        api.build(service)
        shown = gr.State(None)  # the checkpoint that this page describes
        clock = gr.Timer(FOLLOW_INTERVAL, active=False)
        views = [header, *sizes, tokens, *explained]
        following = {
            "fn": partial(_follow, service, len(views)),
            "inputs": shown,
            "outputs": [pull, clock, shown, *views],
            **QUICK,
        }
        page.load(**following)
        clock.tick(**following)
        page.load(partial(_first_example, service), None, list(writing), **QUICK)
        page.load(partial(_first_evaluation, service, len(measuring)), None, list(measuring), **QUICK)
    page.queue(default_concurrency_limit=4, max_size=64, api_open=False)
    return page


def _follow(service: Service, views: int, shown: str | None) -> tuple:
    """The state of the pull, and the views that depend on the checkpoint if it is another than the one shown."""
    lab, pull = service.state
    name = prose.origin(lab.checkpoint)
    line = markup.pull(pull)
    if shown not in (None, name):
        line = markup.status(*prose.switched(lab.checkpoint)) + line
    clock = gr.Timer(active=pull is not None and pull.under_way)
    if shown == name:
        return line, clock, name, *(gr.skip() for _ in range(views))
    return line, clock, name, _header(lab), *size.draw(lab), gr.Slider(**evaluate.limits(lab)), *about.draw(lab)


def _first_example(service: Service) -> tuple:
    """The texts a visitor finds on arrival; nothing is touched if they could not be computed."""
    service.start()  # already begun, unless something other than app.py launched the page
    lab = service.lab
    example = lab.first_example(timeout=FIRST_WAIT)
    if example is None:
        return tuple(gr.skip() for _ in range(4))
    seed = example.settings.seed
    note = f"Computed here after the start, with seed {seed}."
    if example.first_difference in EXAMPLE_PARTS:
        where = f"between words {EXAMPLE_PARTS[0] + 1} and {EXAMPLE_PARTS[-1] + 1}"
        note = f"Computed here after the start; seed {seed} is the first from 1 whose texts part {where}."
    return markup.status(prose.parting(example), note), generate.redraw(service, False, example), example, seed


def _first_evaluation(service: Service, outputs: int) -> tuple:
    """The evaluation a visitor finds on arrival; nothing is touched if it could not be computed."""
    service.start()
    evaluation = service.lab.first_evaluation(timeout=FIRST_WAIT)
    return tuple(gr.skip() for _ in range(outputs)) if evaluation is None else evaluate.draw(evaluation)


def _header(lab: Lab) -> str:
    return (
        "<header class='top'><h1>lmdemo: what 8 bits change</h1>"
        "<p>The same LSTM word language model, as trained in fp32 and after PyTorch’s dynamic quantization to int8,"
        " side by side: what each writes, how big it is, how fast it is, what it costs in loss."
        " Every figure is measured on this machine or says where it comes from.</p>"
        f"<p class='facts'>{markup.provenance(lab.checkpoint)}"
        f"<br>{escape(prose.machine_line(lab.machine))}</p></header>"
    )
