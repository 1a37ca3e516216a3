"""The page on other people's pages: the builder that writes the snippet."""

from functools import partial

import gradio as gr
from markupsafe import Markup

from lmdemo.errors import InputError
from lmdemo.evaluation import check_slice
from lmdemo.generation import GenerationSettings
from lmdemo.inputs import some_of
from lmdemo.lab import Lab
from lmdemo.rounding import Rounding
from lmdemo.server.service import Service
from lmdemo.shape import FIELDS, Shape
from lmdemo.ui import bits, evaluate, generate, markup, query, your_shape
from lmdemo.ui.events import AS_SENT, QUICK, Update, named

TITLE = "lmdemo: what 8 bits change"
FRAME, COMPONENT = "iframe", "web component"
SHOWN = {"Texts": "texts", "Tiles": "tiles", "Size": "size", "Evaluate": "evaluate", "Bits": "bits"}
SHOWN |= {"Your shape": "shape", "All tabs": None}
THEMES = {"as the reader’s system": "", "light": "light", "dark": "dark"}

HOW = """
## On a page of your own

This writes the snippet for a page of yours: one exhibit, or all tabs, with what is set on them now. A frame keeps the
styles of both pages apart. The web component `<gradio-app>` is part of the page around it: Gradio’s style sheet comes
with it, and takes the margin of the page’s body away. Both load everything from this host, grow with what they hold,
and leave a plain link where this host cannot be reached.
"""

# The host page has a link, and a frame of no height: a page that is reached tells its height, and the link goes.
FRAME_SNIPPET = Markup("""<p><a href="{address}">{title}</a></p>
<iframe src="{embedded}" title="{title}" allow="clipboard-write" scrolling="no"
  style="display: block; width: 100%; height: 0; border: 0"></iframe>
<script>
  {{
    const frame = document.currentScript.previousElementSibling, link = frame.previousElementSibling;
    addEventListener("message", ({{source, data}}) => {{
      if (source !== frame.contentWindow || !(data.lmdemoHeight > 0)) return;
      frame.style.height = data.lmdemoHeight + "px";
      link.hidden = true;
    }});
  }}
</script>
""")
COMPONENT_SNIPPET = Markup("""<gradio-app src="{embedded}"{theme} container="false" eager="true">
  <p><a href="{address}">{title}</a></p>
</gradio-app>
<script type="module" src="{base}/gradio.js"></script>
""")


def build(
    service: Service,
    tab: gr.Tab,
    address: gr.HTML,
    writing: generate.Parts,
    measuring: evaluate.Parts,
    rounding: bits.Parts,
    shaping: your_shape.Parts,
) -> dict[str, object]:
    """Lay the builder out; it writes the snippet anew when its tab opens and when a choice changes.

    Returns what a listener takes that writes it anew.
    """
    gr.Markdown(HOW)
    with gr.Row():
        shown = gr.Radio(list(SHOWN), value="Texts", label="What it shows")
        way = gr.Radio([FRAME, COMPONENT], value=FRAME, label="As")
        theme = gr.Radio(list(THEMES), value=next(iter(THEMES)), label="Light or dark")
    wrong = gr.HTML()
    code = gr.Code(
        language="html",
        label="Snippet",
        interactive=False,
        wrap_lines=True,
        show_line_numbers=False,  # see about.py
        elem_id="snippet",
    )
    set_now = {"address": address, "shown": shown, "way": way, "theme": theme, **writing.controls}
    set_now |= {"guess": writing.guess, "tokens": measuring.controls["tokens"], "window": measuring.controls["window"]}
    set_now["measured"] = measuring.controls["variants"]
    set_now |= rounding.controls | {f"shape_{name}": control for name, control in shaping.controls.items()}
    writes = {**named(partial(draw, service), set_now, {"wrong": wrong, "code": code}), **QUICK, **AS_SENT}
    # a choice that comes while the one before it is answered is not lost
    gr.on([tab.select, shown.input, way.input, theme.input], **writes, trigger_mode="always_last")
    return writes


def draw(service: Service, address: object, shown: object, way: object, theme: object, **set_now: object) -> Update:
    """The snippet, or a sentence where one of the settings on the tab is out of its range."""
    view = SHOWN.get(str(shown))
    try:
        asked = _asked(service.lab, view, **set_now)
    except InputError as error:
        return {"wrong": markup.alert(str(error))}
    return {"wrong": "", "code": snippet(str(address), asked, way == FRAME, THEMES.get(str(theme), ""), view)}


def _asked(
    lab: Lab,
    view: str | None,
    variants: object,
    guess: object,
    tokens: object,
    window: object,
    measured: object,
    bits: object,
    scale: object,
    matrices: object,
    **settings: object,
) -> dict[str, str]:
    """The parameters for the whole page as it is set now, on the tab of an exhibit; what they ask for runs at once."""
    shape = {name: settings.pop(f"shape_{name}") for name in FIELDS}
    match view:
        case "texts" | None:
            names = some_of("Variants", variants, lab.variants)
            guess_first = {"guess": "1"} if guess is True else {}
            return query.GenerateQuery(GenerationSettings(**settings), names, run=True).parameters() | guess_first
        case "evaluate":
            length, width = check_slice(tokens, window, lab.available_tokens)
            names = some_of("Variants", measured, lab.variants)
            return query.EvaluateQuery(length, width, names, run=True).parameters()
        case "bits":
            rounding = Rounding(bits, query.per_row(scale), matrices)
            return query.BitsQuery(rounding, GenerationSettings(**settings)).parameters()
        case "shape":
            return query.ShapeQuery(Shape(**shape), run=True).parameters()
    return {"tab": query.VIEWS[view]}


def snippet(address: str, asked: dict[str, str], frame: bool, theme: str, view: str | None = None) -> str:
    """The HTML that puts the page at `address`, as `asked`, on another page: one exhibit of it, or all tabs."""
    in_frame = {"__theme": theme} if frame and theme else {}
    if view:
        shown = {"view": view, **{name: value for name, value in asked.items() if name not in ("tab", "run")}}
    else:
        shown = {"embed": "1", **asked}
    return (FRAME_SNIPPET if frame else COMPONENT_SNIPPET).format(
        address=query.join(address, asked),
        embedded=query.join(address, {**in_frame, **shown}),
        base=query.base(address).rstrip("/"),
        theme=Markup(' theme_mode="{}"').format(theme) if theme else "",
        title=TITLE,
    )
