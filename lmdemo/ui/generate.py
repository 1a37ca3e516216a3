"""The Generate tab: one prompt, every variant writing, the words that differ marked."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial

import gradio as gr

from lmdemo.errors import InputError, LmdemoError
from lmdemo.first_results import EXAMPLE_PARTS
from lmdemo.generation import MAX_SEED, Generation, GenerationSettings
from lmdemo.inference import Pause
from lmdemo.inputs import whole_number
from lmdemo.lab import Lab
from lmdemo.report import choices, prose
from lmdemo.server.service import Service
from lmdemo.ui import asking, inspecting, markup, query, race, texts
from lmdemo.ui.controls import copies_link, keeps_run, run_line, stops
from lmdemo.ui.events import (
    AS_SENT,
    COMPUTING,
    LOOK_AGAIN,
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
# What a page awaits that came before the example: the line that stays over it, if one does; None where it awaits none.
Awaits = str | None
LESS_MOTION = "(raw, last) => [raw, last, matchMedia('(prefers-reduced-motion: reduce)').matches]"


@dataclass(frozen=True)
class Parts:
    """The components that other parts of the page read or fill."""

    controls: Components  # the fields of `GenerationSettings`, and variants
    guess: gr.Checkbox  # first, before other variants' choices are shown
    arrival: Components  # what `arrive` fills
    late: Mapping[str, object]  # the listener that `again` is, to follow it
    examples: gr.Dataset  # of the model in service


def build(service: Service, address: gr.HTML, asked: gr.Number) -> Parts:
    """Lay the tab out; `address` holds that of the page, and a change of `asked` writes."""
    lab = service.lab
    prompt, start, another, stop, examples = asking.row(lab)
    settings, variants = asking.settings(lab)
    settings = {"prompt": prompt, **settings}
    status = run_line(markup.status("Press Write."), elem_id="writing-status")
    last, origin = gr.State(None), gr.State(None)  # the last run, and the model that wrote it
    awaits, clock = gr.State(None), gr.Timer(LOOK_AGAIN, active=False)  # see `Awaits`
    with gr.Row(elem_id="reading"):
        with gr.Column(min_width=0):
            written = gr.HTML(elem_id="writing", js_on_load="lmdemo.keepHeight(element)")
        with gr.Column(elem_id="inspector", min_width=0):
            inspecting.build(service, last, origin)
    slowly, share, raw, guess = asking.under_texts()
    still = gr.Checkbox(False, visible="hidden", label="Less motion")
    query = gr.Textbox(visible="hidden", label="What the address of this run asks for")

    drawn = {"status": status, "texts": written}
    filled = {**drawn, "last": last, "origin": origin, "query": query, "slowly": slowly, "share": share}
    asks = {"raw": raw, "variants": variants, **settings}
    writing = _writes(service, asks, filled)
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
    awaiting = {"awaits": awaits, "clock": clock}
    late = named(
        partial(again, service),
        {"last": last, "awaits": awaits, "seed": settings["seed"]},
        {**filled, "seed": settings["seed"], **awaiting},
    )
    clock.tick(**late, **QUICK)
    arrival = {**filled, **controls, "guess": guess, "asked": asked, **awaiting}
    return Parts(controls, guess, arrival, {**late, **QUICK}, examples)


def _writes(service: Service, asks: Components, filled: Components) -> dict[str, object]:
    """The listener that a run is."""
    status = filled["status"]
    listener = named(partial(write, service), asks, filled)
    return {**listener, "js": keeps_run("generate", asks, status), "show_progress_on": [status], **COMPUTING}


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
        for snapshot in throttled(run, TEXT_INTERVAL, texts.pace):
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
        return await _example(service, markup.alert(f"In this page’s address: {error}"))
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


async def _example(service: Service, line: str = "") -> Update:
    """The texts a visitor finds on arrival, under a `line` that says something else, or their own.

    Where they are not there yet, they are waited for, and `again` fills them in: what is typed meanwhile stays.
    """
    service.start()  # already begun, unless something other than app.py launched the page
    first = service.lab.example
    above = {"status": line} if line else {}
    if not first.done():
        await first_result(first)
        return above | {"awaits": line}
    if first.result() is None or service.has_begun(KIND):
        return above
    return _draw_example(service.lab, first.result()) | above


def again(service: Service, last: Generation | None, awaits: Awaits, seed: object) -> Update:
    """The example, for a page that awaits it; what its visitor has begun or typed meanwhile stays.

    On a slow machine it may come later than a request can wait: then the page looks again.
    """
    if awaits is None:
        return {}
    lab, over = service.lab, {"awaits": None, "clock": gr.Timer(active=False)}
    if last is not None or service.has_begun(KIND):
        return over
    if not lab.example.done():
        return {"clock": gr.Timer(active=True)}
    example = lab.example.result()
    if example is None:
        return over
    update = _draw_example(lab, example)
    del update["prompt"]  # the page began with it
    if seed != asking.SEED:
        del update["seed"]
    return update | ({"status": awaits} if awaits else {}) | over


def _draw_example(lab: Lab, example: Generation) -> Update:
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
            await asyncio.sleep(TEXT_INTERVAL * texts.pace(frame))
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
