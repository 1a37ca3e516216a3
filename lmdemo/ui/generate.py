"""The Generate tab: one prompt, every variant writing, the words that differ marked."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import astuple, dataclass, replace
from dataclasses import fields as fields_of
from functools import partial

import gradio as gr

from lmdemo.errors import InputError, LmdemoError
from lmdemo.generation import MAX_SEED, MAX_TEMPERATURE, MAX_WORDS, Generation, GenerationSettings
from lmdemo.inference import Pause
from lmdemo.inputs import whole_number
from lmdemo.lab import EXAMPLE_PARTS, EXAMPLE_WORDS, Lab
from lmdemo.roofline import Limit
from lmdemo.server.service import Service
from lmdemo.ui import markup, prose, query
from lmdemo.ui.address import COPY
from lmdemo.ui.choice import variant_choice
from lmdemo.ui.described import run_line, stop_button
from lmdemo.ui.events import AS_SENT, COMPUTING, QUICK, TEXT_INTERVAL, first_result, settled, throttled

HOW = (
    '<p class="note">A mark at the meter is this machine’s limit for the variant: the read bandwidth measured here ÷'
    " the bytes of its weights, all of which each word reads. ▸ says that it lies beyond the meter’s end.</p>"
)
SLOW_MOTION = 20  # times slower than it was computed
LONGEST_REPLAY = 60.0  # seconds; the rest of a longer run is shown at once
# A replay draws on the loop that serves everyone, 1.4 ms a frame of two long texts: a few at a time.
REPLAYING = {"concurrency_id": "replay", "concurrency_limit": 4, "show_progress": "hidden", "api_visibility": "private"}


@dataclass(frozen=True)
class Parts:
    """The components that other parts of the page read or fill."""

    controls: tuple[gr.components.Component, ...]  # prompt, words, temperature, top-k, seed, <unk>, then variants
    run: tuple[gr.components.Component, ...]  # status, texts, last run and its query: what a run fills
    examples: gr.Dataset  # of the model in service
    asked: gr.Number  # a change of it writes


@dataclass(frozen=True)
class Run:
    """The last run of a visitor, as it is kept to be drawn again."""

    texts: Generation
    limits: Mapping[str, Limit]  # of the model that wrote it, which may have left the service since


def build(service: Service, address: gr.HTML, asked: gr.Number) -> Parts:
    """Lay the tab out; `address` holds that of the page, and a change of `asked` writes."""
    lab = service.lab
    prompt = gr.Textbox(lab.prompt, label="Prompt", lines=1, max_lines=6, info="Every variant goes on from here.")
    examples = gr.Dataset(components=[prompt], **samples(lab), label="Try", type="values")
    settings, variants = _settings(lab)
    with gr.Row(elem_classes="buttons"):
        start = gr.Button("Write", variant="primary")
        another = gr.Button("New seed")
        slowly = gr.Button(f"Replay {SLOW_MOTION}× slower")
        stop = stop_button()
        share = gr.Button("Copy link to this run", size="sm")
        raw = gr.Checkbox(
            False, label="Raw tokens", info="Words as the model has them.", container=False, elem_classes="switch"
        )
    status = run_line(markup.status("Press Write."), elem_id="writing-status")
    texts = gr.HTML(elem_id="writing")
    gr.HTML(HOW)
    last = gr.State(None)
    query = gr.Textbox(visible="hidden", label="What the address of this run asks for")
    parts = Parts((prompt, *settings, variants), (status, texts, last, query), examples, asked)

    *_, seed, _ = settings
    writing = {
        "fn": partial(write, service),
        "inputs": [raw, variants, prompt, *settings],
        "outputs": list(parts.run),
        "show_progress_on": [status],
        **COMPUTING,
    }
    runs = [
        gr.on([start.click, prompt.submit, asked.change], **writing),
        examples.click(partial(sample, service), examples, prompt, **QUICK, **AS_SENT).then(**writing),
        another.click(lambda: random.randint(0, MAX_SEED), None, seed, **QUICK).then(**writing),
        slowly.click(
            replay,
            [raw, last],
            [status, texts],
            **REPLAYING,
        ),
    ]
    stop.click(None, cancels=runs, api_visibility="private").then(settled(stopped), last, status, **QUICK)
    raw.change(redraw, [raw, last], texts, **QUICK)
    share.click(None, [address, query], status, js=COPY, api_visibility="private")
    return parts


def _settings(
    lab: Lab,
) -> tuple[tuple[gr.Slider, gr.Slider, gr.Number, gr.Number, gr.Checkbox], gr.CheckboxGroup]:
    """The controls folded away: those in the order of `GenerationSettings` after the prompt, and the variants."""
    side_by_side = {"min_width": 280}  # two in a row, one under the other on a phone
    with gr.Accordion("Variants, words, temperature, top-k, seed", open=False):
        variants = variant_choice(lab, ["int8"])
        with gr.Row():
            words = gr.Slider(
                1, MAX_WORDS, EXAMPLE_WORDS, step=1, label="Words", info="How many each variant writes.", **side_by_side
            )
            temperature = gr.Slider(
                0,
                MAX_TEMPERATURE,
                1.0,
                step=0.05,
                label="Temperature",
                info="0 always takes the likeliest word.",
                **side_by_side,
            )
        with gr.Row():
            top_k = gr.Number(0, label="Top-k", info="Choose among the k likeliest; 0 is all.", **side_by_side)
            seed = gr.Number(1, label="Seed", info="Same seed, same noise for every variant.", **side_by_side)
        allow_unk = gr.Checkbox(False, label="Allow <unk>", info="The mark for words outside the vocabulary.")
    return (words, temperature, top_k, seed, allow_unk), variants


def samples(lab: Lab) -> dict[str, object]:
    """The prompts to try with the model in service."""
    return {"samples": [[text] for text in lab.prompts], "visible": bool(lab.prompts)}


def sample(service: Service, index: object) -> object:
    """The prompt of that number among the examples; what is no number of one changes nothing."""
    offered = service.lab.prompts
    try:
        return offered[whole_number("Example", index, 0, len(offered) - 1)]
    except InputError:
        return gr.skip()


def write(service: Service, raw: bool, variants: object, *fields: object) -> Iterator[tuple]:
    """Run: what `Parts.run` holds, paced for a browser; a sentence instead, for what keeps it from its end."""
    lab, last = service.lab, None
    asked = dict(zip((field.name for field in fields_of(GenerationSettings)), fields, strict=True))

    def start(variants: object, pause: Pause, **fields: object) -> Iterator[Generation]:
        return lab.generate(GenerationSettings(**fields), variants, pause)

    run = service.run("page/generate", start, **asked, variants=variants)
    try:
        for snapshot in throttled(run, TEXT_INTERVAL):
            last = Run(snapshot, lab.limits)
            yield *draw(last, raw), last, query_of(snapshot)
    except LmdemoError as error:
        so_far = f" {prose.parting(last.texts)}" if last else ""
        yield markup.alert(f"{error}{so_far}"), gr.skip(), gr.skip(), gr.skip()


async def arrive(service: Service, address: object) -> tuple:
    """What a visitor finds: what the address asks for, written at once if it says so; without any, an example.

    Returns:
        What `Parts.run`, `Parts.controls` and `Parts.asked` are to hold, in this order.
    """
    lab = service.lab
    try:
        asked = query.writing(address, lab.variants, lab.prompt)
    except InputError as error:
        _, *example = await _example(service)
        return markup.alert(f"In this page’s address: {error}"), *example
    if asked is None:
        return await _example(service)
    line = markup.status("Starting …" if asked.run else "Filled in from the address; press Write.")
    return line, "", None, "", *astuple(asked.settings), list(asked.variants), int(asked.run)


async def _example(service: Service) -> tuple:
    """The texts a visitor finds on arrival; nothing is touched if they could not be computed."""
    service.start()  # already begun, unless something other than app.py launched the page
    lab = service.lab
    example = await first_result(lab.example)
    if example is None:
        return tuple(gr.skip() for _ in range(12))
    seed = example.settings.seed
    note = f"Computed here after the start, with seed {seed}."
    if example.first_difference in EXAMPLE_PARTS:
        where = f"between words {EXAMPLE_PARTS[0] + 1} and {EXAMPLE_PARTS[-1] + 1}"
        note = f"Computed here after the start; seed {seed} is the first from 1 whose texts part {where}."
    line = markup.status(prose.parting(example), note)
    controls = example.settings.prompt, *(gr.skip() for _ in range(3)), seed, gr.skip(), gr.skip()
    last = Run(example, lab.limits)
    return line, redraw(False, last), last, query_of(example), *controls, gr.skip()


async def replay(raw: bool, last: Run | None) -> AsyncIterator[tuple[str, str]]:
    """The last run again as it was timed, slow enough to watch; it computes nothing and holds no turn."""
    if last is None:
        yield markup.alert("There is nothing to replay yet; press Write first."), ""
        return
    took = max(writing.seconds for writing in last.texts.writings.values())
    shown = min(took, LONGEST_REPLAY / SLOW_MOTION)
    clock = 0.0
    while clock < shown:
        clock += TEXT_INTERVAL / SLOW_MOTION
        yield draw(replace(last, texts=last.texts.at(clock)), raw)
        await asyncio.sleep(TEXT_INTERVAL)
    line, texts = draw(last, raw)
    if shown < took:
        line = markup.status(prose.parting(last.texts), f"The replay was cut short after {LONGEST_REPLAY:g} seconds.")
    elif not last.texts.final:  # it was stopped, and so the replay ends
        line = stopped(last)
    yield line, texts


def stopped(last: Run | None) -> str:
    """What the line says after Stop."""
    return markup.status("Stopped.", prose.parting(last.texts) if last else "")


def redraw(raw: bool, last: Run | None) -> str | dict:
    """The last texts, as text to read or as raw tokens; what is shown stays where the last run has been forgotten."""
    return markup.texts(last.texts, raw is True, last.limits) if last else gr.skip()


def query_of(run: Generation) -> str:
    """The query string that writes a run again."""
    return query.join("", query.GenerateQuery(run.settings, tuple(run.writings), run=True).query())


def draw(last: Run, raw: bool) -> tuple[str, str]:
    """A run as status and texts."""
    snapshot = last.texts
    line = markup.status(prose.parting(snapshot), prose.unknown_words(snapshot), not snapshot.final)
    return line, redraw(raw, last)
