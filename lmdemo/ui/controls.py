"""Controls that several tabs have, and those that act in the browser alone; what these do there is in assets/*.js."""

import json
from collections.abc import Mapping, Sequence

import gradio as gr
from gradio.events import Dependency
from markupsafe import Markup

from lmdemo.lab import Lab
from lmdemo.report import prose
from lmdemo.ui import query
from lmdemo.variants import BASELINE

IN_BROWSER = {"fn": None, "api_visibility": "private"}


def variant_choice(lab: Lab, chosen: Sequence[str]) -> gr.CheckboxGroup:
    """Boxes for the variants that go beside fp32, and what is not to be had on this platform."""
    offered = [name for name in lab.variants if name != BASELINE]
    info = f"Each beside {BASELINE}. About says what they are. {prose.unavailable(lab.unavailable)}".strip()
    return gr.CheckboxGroup(offered, value=[name for name in offered if name in chosen], label="Variants", info=info)


def page_address() -> gr.HTML:
    """What holds the address of the page; nothing of it is drawn. `input` comes once, when it is there.

    Only the browser knows it, behind proxies and on others' pages.
    """
    script = f"lmdemo.holdAddress(element, props, trigger, {json.dumps(list(query.VIEWS))})"
    return gr.HTML(html_template="", js_on_load=script, visible="hidden", elem_id="address")


def attribution() -> gr.HTML:
    """What an exhibit says of where it comes from; its link is the whole page, on the tab where the exhibit is."""
    line = (
        '<p class="attribution">From <a target="_blank" rel="noopener">What did 8 bits change?</a>, measured live</p>'
    )
    script = f"lmdemo.leadToWhole(element, {json.dumps(query.VIEWS)})"
    return gr.HTML(line, js_on_load=script, elem_id="attribution")


def run_line(value: str, elem_id: str, kept: bool = True) -> gr.HTML:
    """The line that says how a run goes: read out when it has ended, and Escape stops the run.

    `kept` is whether the run is in the page's address, and so begins again when the page is reloaded.
    """
    script = f"lmdemo.followRun(element, props, watch, {json.dumps(kept)})"
    return gr.HTML(value, elem_id=elem_id, js_on_load=script)


def explained(elem_id: str) -> gr.HTML:
    """A place for a table whose headings say what they mean."""
    return gr.HTML(elem_id=elem_id, js_on_load="lmdemo.explainTerms(element)")


def start_button(label: str, **look: object) -> gr.Button:
    """A button that begins a run; beside a Stop, it cannot be pressed until what that would stop has ended."""
    return gr.Button(label, elem_classes="start", **look)


def stop_button() -> gr.Button:
    """The button that Escape presses."""
    return gr.Button("Stop", elem_classes="stop")


def chart(figure: object, elem_id: str, title: str, described_by: str) -> gr.Plot:
    """A chart under its title, and one picture of that name to screen readers.

    `described_by` is the id of the element with the sentence that says what the chart shows, or several ids.
    """
    script = f"lmdemo.describeChart(element, {json.dumps(elem_id)}, {json.dumps(described_by)})"
    gr.HTML(Markup('<p class="title" id="{}-title">{}</p>').format(elem_id, title), js_on_load=script)
    return gr.Plot(figure, label=title, show_label=False, container=False, elem_id=elem_id)


def picture_buttons(elem_id: str, name: str, label: str = "Chart") -> None:
    """Two buttons that save the chart of that id; `label` tells it from others on its tab."""
    for kind in ("png", "svg"):
        button = gr.Button(f"{label} as {kind.upper()}", size="sm")
        button.click(js=_script("savePicture", id=elem_id, name=name, kind=kind), **IN_BROWSER)


def text_button(label: str, name: str, kind: str, texts: gr.Textbox, interactive: bool = True) -> gr.Button:
    """A button that saves the text under `kind` in the JSON object that `texts` holds; nothing while it is empty."""
    button = gr.Button(label, size="sm", interactive=interactive)
    button.click(inputs=texts, js=_script("saveText", name=name, kind=kind), **IN_BROWSER)
    return button


def copies(button: gr.Button, kind: str, texts: gr.Textbox) -> None:
    """Let `button` copy the text under `kind`, and say on itself that it did."""
    said = {"label": button.value}
    copied = button.click(inputs=texts, outputs=button, js=_script("copyText", kind=kind, said=said), **IN_BROWSER)
    copied.then(outputs=button, js=_script("labelAgain", said=said), **IN_BROWSER)


def copies_link(button: gr.Button, address: gr.HTML, asked: gr.Textbox, guess: gr.Checkbox) -> None:
    """Let `button` copy the page's address with the query in `asked` and `guess`, and say on itself that it did."""
    said = {"label": button.value}
    script = _script("copyLink", said=said)
    copied = button.click(inputs=[address, asked, guess], outputs=button, js=script, **IN_BROWSER)
    copied.then(outputs=button, js=_script("labelAgain", said=said), **IN_BROWSER)


def keeps_run(tab: str, asks: Mapping[str, object], line: gr.HTML) -> str:
    """The script of a run that puts it into the page's address, so that a reload shows it again.

    Args:
        asks: the inputs of the run by name; what is no parameter of an address stays out.
        line: of the run, see `run_line`.
    """
    return _script("keepRun", ours=query.NAMES, tab=tab, names=list(asks), line=line.elem_id)


def short_enough(most: int) -> str:
    """The script of a run on a text: of one that is longer than it may be only the length leaves the page."""
    return _script("shortEnough", most=most)


def stops(button: gr.Button, runs: Sequence[Dependency], line: gr.HTML, **then: object) -> None:
    """Let `button` stop `runs`, whose line that is; and once the page has cleared them away, the listener `then`.

    One of them that was kept in the page's address, and refused, leaves it again.
    """
    for run in runs:
        run.then(js=_script("forgetRefused", line=line.elem_id), **IN_BROWSER)
    stopping = button.click(None, cancels=list(runs), api_visibility="private")
    stopping.then(**then, js=_script("afterRun", line=line.elem_id))


def _script(function: str, **settings: object) -> str:
    """A call of that function in assets/*.js, with `settings` and the event's inputs."""
    return f"(...values) => lmdemo.{function}({json.dumps(settings)}, ...values)"
