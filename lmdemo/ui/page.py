"""The whole page: header, tiles, tabs, endpoints, and what is filled in when a visitor arrives or the model changes."""

import asyncio
from functools import partial

import gradio as gr
from markupsafe import Markup

from lmdemo.errors import InputError
from lmdemo.lab import Lab
from lmdemo.prompts import EXAMPLES
from lmdemo.report import prose
from lmdemo.server import gradio_queue, queue_limits
from lmdemo.server.service import Service
from lmdemo.ui import (
    about,
    api,
    asking,
    bits,
    embed,
    evaluate,
    generate,
    markup,
    pulls,
    query,
    size,
    tiles,
    your_model,
    your_shape,
)
from lmdemo.ui.controls import attribution, page_address
from lmdemo.ui.events import AS_SENT, QUICK, Update, named

HEADER = (
    '<header class="top"><h1>What did 8 bits change?</h1>'
    "<p>A small language model as trained (fp32), and with the weights it multiplies by rounded to 256 values (int8)."
    " Measured on this machine.</p></header>"
)
FOLLOW_INTERVAL = 1.0  # seconds between two looks at a pull that is under way


def build_page(service: Service) -> gr.Blocks:
    """The Blocks app over `service`; nothing is started."""
    lab, state = service.state
    with gr.Blocks(title="What did 8 bits change? · lmdemo", analytics_enabled=False, fill_width=True) as page:
        here = page_address()
        # A change starts a run that the address asks for. Components, since a State tells of a change through the
        # queue only; outside the tabs, since what lies in a tab that was never opened tells nothing.
        asked = (gr.Number(0, visible="hidden", label="Runs asked for") for _ in range(4))
        to_write, to_measure, to_round, to_shape = asked
        gr.HTML(HEADER, elem_id="top")
        three, watch = tiles.build(service)
        pull = gr.HTML(pulls.line(state), elem_id="pull", visible=state is not None)
        with gr.Tabs(overflow_behavior="wrap") as tabs:  # a menu hides tabs that it measured before the style came
            with gr.Tab("Generate", id="generate"):
                writing = generate.build(service, here, to_write)
            with gr.Tab("Size", id="size"):
                sizes = size.build()
            with gr.Tab("Evaluate", id="evaluate"):
                measuring = evaluate.build(service, to_measure)
            with gr.Tab("Bits", id="bits") as bits_tab:
                rounding = bits.build(service, bits_tab, to_round, writing.controls)
            with gr.Tab("Your model", id="model"):
                shaping = your_model.build(service, to_shape)
            with gr.Tab("About", id="about") as about_tab:
                explained = about.build(lab)
                snippet = embed.build(service, about_tab, here, writing, measuring, rounding, shaping)
        attribution()
        facts = gr.HTML(_facts(lab), elem_id="facts")
        api.build(service)
        shown = gr.State(None)  # the checkpoint that this page describes
        clock = gr.Timer(FOLLOW_INTERVAL, active=False)
        prompt, tokens = writing.controls["prompt"], measuring.controls["tokens"]
        following = {"pull": pull, "clock": clock, "shown": shown, "facts": facts, "tiles": three, **sizes, **explained}
        following |= {"prompt": prompt, "examples": writing.examples, "tokens": tokens, **rounding.offers}
        follow = {**named(partial(_follow, service), {"shown": shown, "prompt": prompt}, following), **QUICK}
        here.input(**named(_open, {"address": here}, {"tabs": tabs}), **QUICK, **AS_SENT)
        tiles.follow(service, here, three, watch)
        # first the model that the page describes, then what its address asks of it
        arrived = here.input(**follow)
        clock.tick(**follow)
        filled, _ = (
            arrived.then(**named(partial(tab.arrive, service), {"address": here}, parts.arrival), **QUICK, **AS_SENT)
            for tab, parts in ((generate, writing), (evaluate, measuring))
        )
        # its texts are written with what Generate has by then
        filled.then(**writing.late).then(
            **named(partial(bits.arrive, service), {"address": here}, rounding.arrival), **QUICK, **AS_SENT
        )
        arrived.then(**named(your_shape.arrive, {"address": here}, shaping.arrival), **QUICK, **AS_SENT)
        filled.then(**snippet)  # of a page that was opened on About
    gradio_queue.install(page, queue_limits.IN_ALL)
    return page


async def _follow(service: Service, shown: str | None, prompt: object) -> Update:
    """The state of the pull, and what depends on the checkpoint if that is another than the one shown.

    A prompt that was offered and that the checkpoint does not know gives way to one that it knows.
    """
    lab, pull = service.state
    name = prose.origin(lab.checkpoint)
    line = pulls.line(pull)
    if shown not in (None, name):
        line = markup.status(*pulls.switched(lab.checkpoint)) + line
    update = {"pull": line, "clock": gr.Timer(active=pull is not None and pull.under_way), "shown": name}
    if shown == name:
        return update
    if shown is not None:
        update["tiles"] = tiles.draw(lab)
    if prompt in EXAMPLES and prompt not in lab.prompts:
        update["prompt"] = lab.prompt
    update |= bits.offers(lab)
    update |= {"examples": gr.Dataset(**asking.samples(lab)), "tokens": gr.Slider(**evaluate.slice_range(lab))}
    # in a thread that serves nobody else: right after the start many pages may wait for the sizes
    sizes = await asyncio.to_thread(size.draw, lab)
    return update | {"facts": _facts(lab), **sizes, **about.draw(lab)}


def _open(address: object) -> Update:
    """The tab that the address asks for; for one that does not exist, Generate has the sentence."""
    try:
        name = query.tab(address)
    except InputError:
        return {}
    return {"tabs": gr.Tabs(selected=name)} if name else {}


def _facts(lab: Lab) -> Markup:
    """What every figure depends on."""
    return Markup('<p class="facts">{}<br>{}</p>').format(
        markup.provenance(lab.checkpoint), prose.machine_line(lab.machine)
    )
