"""The Generate tab: one prompt, every variant writing, the words that differ marked."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict, dataclass
from functools import partial

import gradio as gr

from lmdemo.errors import InputError, LmdemoError
from lmdemo.first_results import EXAMPLE_PARTS, EXAMPLE_TEMPERATURE, EXAMPLE_TOP_K, EXAMPLE_WORDS
from lmdemo.generation import MAX_SEED, MAX_TEMPERATURE, MAX_WORDS, Generation, GenerationSettings
from lmdemo.inference import Pause
from lmdemo.inputs import whole_number
from lmdemo.lab import Lab
from lmdemo.report import choices, prose
from lmdemo.server.service import Service
from lmdemo.ui import inspecting, markup, query, race, texts
from lmdemo.ui.controls import copies_link, keeps_run, run_line, start_button, stop_button, stops, variant_choice
from lmdemo.ui.events import (
    AS_SENT,
    COMPUTING,
    QUICK,
    TEXT_INTERVAL,
    Components,
    Update,
    first_result,
    named,
    throttled,
)
from lmdemo.variants import BASELINE

KIND = "page/generate"  # of a run, in the log
STILL = "Less motion is asked for on this device, so this is the end."
# A replay draws on the loop that serves everyone, 1.4 ms a frame of two long texts: a few at a time.
WATCHING = {"concurrency_id": "watch", "concurrency_limit": 4, "show_progress": "full", "api_visibility": "private"}
LESS_MOTION = "(raw, last) => [raw, last, matchMedia('(prefers-reduced-motion: reduce)').matches]"


@dataclass(frozen=True)
class Parts:
    """The components that other parts of the page read or fill."""

    controls: Components  # the fields of `GenerationSettings`, and variants
    guess: gr.Checkbox  # first, before other variants' choices are shown
    arrival: Components  # what `arrive` fills
    examples: gr.Dataset  # of the model in service


def build(service: Service, address: gr.HTML, asked: gr.Number) -> Parts:
    """Lay the tab out; `address` holds that of the page, and a change of `asked` writes."""
    lab = service.lab
    prompt, start, another, stop, examples = _asking(lab)
    settings, variants = _settings(lab)
    settings = {"prompt": prompt, **settings}
    status = run_line(markup.status("Press Write."), elem_id="writing-status")
    last, origin = gr.State(None), gr.State(None)  # the last run, and the model that wrote it
    with gr.Row(elem_id="reading"):
        with gr.Column(min_width=0):
            written = gr.HTML(elem_id="writing", js_on_load="lmdemo.keepHeight(element)")
        with gr.Column(elem_id="inspector", min_width=0):
            inspecting.build(service, last, origin)
    slowly, share, raw, guess = _under_texts()
    still = gr.Checkbox(False, visible="hidden", label="Less motion")
    query = gr.Textbox(visible="hidden", label="What the address of this run asks for")

    drawn = {"status": status, "texts": written}
    filled = {**drawn, "last": last, "origin": origin, "query": query, "slowly": slowly, "share": share}
    asks = {"raw": raw, "variants": variants, **settings}
    writing = {
        **named(partial(write, service), asks, filled),
        "js": keeps_run("generate", asks, status),
        "show_progress_on": [status],
        **COMPUTING,
    }
    sampled = examples.click(
        **named(partial(sample, service), {"index": examples}, {"prompt": prompt}), **QUICK, **AS_SENT
    )
    reseeded = another.click(**named(another_seed, {}, {"seed": settings["seed"]}), **QUICK)
    runs = [
        gr.on([start.click, prompt.submit, asked.change], **writing),
        sampled.then(**writing),
        reseeded.then(**writing),
        slowly.click(
            **named(watch, {"raw": raw, "last": last, "still": still}, drawn),
            **WATCHING,
            show_progress_on=[status],
            js=LESS_MOTION,
        ),
    ]
    stops(stop, runs, status, **named(stopped, {"raw": raw, "last": last}, drawn), **QUICK)
    raw.change(**named(redraw, {"raw": raw, "last": last}, {"texts": written}), **QUICK)
    copies_link(share, address, query, guess)
    controls = {**settings, "variants": variants}
    return Parts(controls, guess, {**filled, **controls, "guess": guess, "asked": asked}, examples)


def _asking(lab: Lab) -> tuple[gr.Textbox, gr.Button, gr.Button, gr.Button, gr.Dataset]:
    """The prompt and what begins and ends a run, in a row, and prompts to try under it."""
    with gr.Row(elem_classes="asking"):
        prompt = gr.Textbox(lab.prompt, label="Prompt", show_label=False, container=False, lines=1, max_lines=6)
        start = start_button("Write", variant="primary")
        another = start_button("New seed")
        stop = stop_button()
    examples = gr.Dataset(
        components=[prompt], **samples(lab), show_label=False, type="values", elem_id="examples", label="Try"
    )
    return prompt, start, another, stop, examples


def _under_texts() -> tuple[gr.Button, gr.Button, gr.Checkbox, gr.Checkbox]:
    """What is done with texts: watch them come, copy their link, see raw tokens, guess first."""
    switch = {"container": False, "elem_classes": "switch"}
    with gr.Row(elem_classes="buttons", elem_id="under-texts"):
        slowly = gr.Button("Watch it", size="sm", interactive=False)
        share = gr.Button("Copy link to this run", size="sm", interactive=False)
        raw = gr.Checkbox(False, label="Raw tokens, as the model has them", **switch)
        # the style sheet hides choices, and assets/words.js shows them
        guess = gr.Checkbox(False, label="Guess first: hide other choices", elem_id="guess", **switch)
    return slowly, share, raw, guess


def _settings(lab: Lab) -> tuple[Components, gr.CheckboxGroup]:
    """The controls folded away: the fields of `GenerationSettings` but the prompt, and the variants."""
    side_by_side = {"min_width": 280}  # two in a row, one under the other on a phone
    with gr.Accordion("Variants and settings", open=False, elem_id="settings"):
        variants = variant_choice(lab, ["int8"])
        with gr.Row():
            words = gr.Slider(
                1, MAX_WORDS, EXAMPLE_WORDS, step=1, label="Words", info="How many each variant writes.", **side_by_side
            )
            temperature = gr.Slider(
                0,
                MAX_TEMPERATURE,
                EXAMPLE_TEMPERATURE,
                step=0.05,
                label="Temperature",
                info="0 always takes the likeliest word.",
                **side_by_side,
            )
        with gr.Row():
            top_k = gr.Number(
                EXAMPLE_TOP_K, label="Top-k", info="Choose among the k likeliest; 0 is all.", **side_by_side
            )
            seed = gr.Number(1, label="Seed", info="Same seed, same noise for every variant.", **side_by_side)
        with gr.Row(elem_classes="buttons"):
            as_the_tutorial = gr.Button("As in the tutorial: temperature 1, all words", size="sm")
        as_the_tutorial.click(**named(tutorial_choice, {}, {"temperature": temperature, "top_k": top_k}), **QUICK)
        allow_unk = gr.Checkbox(False, label="Allow <unk>", info="The mark for words outside the vocabulary.")
    settings = {"words": words, "temperature": temperature, "top_k": top_k, "seed": seed, "allow_unk": allow_unk}
    return settings, variants


def samples(lab: Lab) -> dict[str, object]:
    """The prompts to try with the model in service."""
    return {"samples": [[text] for text in lab.prompts], "visible": bool(lab.prompts)}


def sample(service: Service, index: object) -> Update:
    """The prompt of that number among the examples; what is no number of one changes nothing."""
    offered = service.lab.prompts
    try:
        return {"prompt": offered[whole_number("Example", index, 0, len(offered) - 1)]}
    except InputError:
        return {}


def another_seed() -> Update:
    """Any seed."""
    return {"seed": random.randint(0, MAX_SEED)}


def tutorial_choice() -> Update:
    """How the tutorial chooses a word, which is the endpoint's default too."""
    plain = GenerationSettings()
    return {"temperature": plain.temperature, "top_k": plain.top_k}


def write(service: Service, raw: object, variants: object, **settings: object) -> Iterator[Update]:
    """Run: what it fills, paced for a browser; a sentence instead, for what keeps it from its end.

    Args:
        settings: the fields of `GenerationSettings`, as they came.
    """
    lab = service.lab
    origin = prose.origin(lab.checkpoint)
    last: Generation | None = None

    def start(variants: object, pause: Pause, **settings: object) -> Iterator[Generation]:
        return lab.generate(GenerationSettings(**settings), variants, pause)

    run = service.run(KIND, start, **settings, variants=variants)
    try:
        for snapshot in throttled(run, TEXT_INTERVAL):
            first = _offers(True) if last is None else {}
            last = snapshot
            yield {**draw(last, raw), **first, "last": last, "origin": origin, "query": query_of(last)}
    except LmdemoError as error:
        so_far = f" {choices.parting(last)}" if last else ""
        yield {"status": markup.ended(error, so_far)}


async def arrive(service: Service, address: object) -> Update:
    """What a visitor finds: what the address asks for, written at once if it says so; without any, an example."""
    lab = service.lab
    try:
        guess = {"guess": True} if query.guessing(address) else {}
        asked = query.writing(address, lab.variants, lab.prompt)
    except InputError as error:
        return await _example(service) | {"status": markup.alert(f"In this page’s address: {error}")}
    if asked is None or _is_example(lab, asked):
        return await _example(service) | guess
    line = markup.status("Starting …" if asked.run else "Filled in from the address; press Write.")
    controls = {**asdict(asked.settings), "variants": list(asked.variants)}
    nothing = {"texts": "", "last": None, "origin": None, "query": "", **_offers(False)}
    return {"status": line, **nothing, **controls, **guess, "asked": int(asked.run)}


def _is_example(lab: Lab, asked: query.GenerateQuery) -> bool:
    """Whether what is asked for is there already."""
    example = lab.example.result() if lab.example.done() else None
    if example is None:
        return False
    return (asked.settings, (BASELINE, *asked.variants)) == (example.settings, tuple(example.writings))


async def _example(service: Service) -> Update:
    """The texts a visitor finds on arrival; nothing is touched if they could not be computed."""
    service.start()  # already begun, unless something other than app.py launched the page
    lab = service.lab
    example = await first_result(lab.example)
    if example is None or service.has_begun(KIND):
        return {}
    seed = example.settings.seed
    note = f"Computed here after the start, with seed {seed}."
    if example.first_difference in EXAMPLE_PARTS:
        where = f"at words {EXAMPLE_PARTS[0] + 1} to {EXAMPLE_PARTS[-1] + 1}"
        note = f"Computed here after the start. Seed {seed}: the first whose texts part {where}."
    line = markup.status(texts.verdict(example), note)
    controls = {"prompt": example.settings.prompt, "seed": seed}
    kept = {"last": example, "origin": prose.origin(lab.checkpoint), "query": query_of(example)}
    return {"status": line, **redraw(False, example), **_offers(True), **kept, **controls}


async def watch(raw: object, last: Generation | None, still: object) -> AsyncIterator[Update]:
    """The last run again, slowed so that a reader can follow; it computes nothing and holds no turn.

    Args:
        still: whether the visitor asked for less motion, to whom its end is shown at once.
    """
    if last is None:
        yield {"status": markup.alert("There is nothing to watch yet; press Write first."), "texts": ""}
        return
    began, line = time.monotonic(), race.line(last)
    if still is not True:
        for frame, clock in race.frames(last, lambda: time.monotonic() - began):
            written = texts.side_by_side(frame, raw is True, under_way=True)
            yield {"status": markup.status(line, clock, under_way=True), "texts": written}
            await asyncio.sleep(TEXT_INTERVAL)
    if last.final:
        note = f"{STILL} {line}" if still is True else line
        yield {"status": markup.status(texts.verdict(last), note), **redraw(raw, last)}
    else:  # it was stopped, and so this ends
        yield stopped(raw, last)


def stopped(raw: object, last: Generation | None) -> Update:
    """What is shown after Stop: of a run that had come to its end, and was watched, that end."""
    if last is not None and last.final:
        return draw(last, raw)
    return {"status": markup.status(texts.verdict(last, "Stopped. ") if last else "Stopped."), **redraw(raw, last)}


def redraw(raw: object, last: Generation | None) -> Update:
    """The last texts, as text to read or as raw tokens; what is shown stays where the last run has been forgotten."""
    return {"texts": texts.side_by_side(last, raw is True, under_way=False)} if last else {}


def query_of(run: Generation) -> str:
    """The query string that writes a run again."""
    return query.join("", query.GenerateQuery(run.settings, tuple(run.writings), run=True).parameters())


def draw(snapshot: Generation, raw: object) -> Update:
    """A run as status and texts."""
    under_way = not snapshot.final
    line = markup.status(texts.verdict(snapshot), choices.unknown_words(snapshot), under_way)
    return {"status": line, "texts": texts.side_by_side(snapshot, raw is True, under_way)}


def _offers(run: bool) -> Update:
    """Whether there is a run to replay and to link to."""
    return dict.fromkeys(("slowly", "share"), gr.update(interactive=run))
