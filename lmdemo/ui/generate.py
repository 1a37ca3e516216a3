"""The Generate tab: one prompt, every variant writing, the words that differ marked."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator

import gradio as gr

from lmdemo.errors import InputError
from lmdemo.generation import MAX_SEED, MAX_TEMPERATURE, MAX_WORDS, Generation, GenerationSettings
from lmdemo.lab import EXAMPLE_PROMPT, EXAMPLE_WORDS, Lab
from lmdemo.ui import markup, prose
from lmdemo.ui.stream import TEXT_INTERVAL, throttled

EXAMPLES = [
    EXAMPLE_PROMPT,
    "“My dear fellow,” said he, “I have",
    "The ship had been three days at sea when the captain",
    "She opened the letter, and",
    "I walked along the shore, looking for",
]
SLOW_MOTION = 20  # times slower than it was computed


def build(lab: Lab) -> tuple[gr.HTML, gr.HTML, gr.State, gr.Number]:
    """Lay the tab out; returns what the page fills when it loads: status, texts, last run, seed."""
    prompt = gr.Textbox(EXAMPLE_PROMPT, label="Prompt", lines=1, max_lines=6, info="Every variant goes on from here.")
    examples = gr.Dataset(
        components=[prompt], samples=[[text] for text in EXAMPLES], label="Try", type="values", elem_id="examples"
    )
    with gr.Accordion("Words, temperature, top-k, seed", open=False):
        with gr.Row():
            words = gr.Slider(
                1, MAX_WORDS, EXAMPLE_WORDS, step=1, label="Words", info="How many each variant writes.", min_width=280
            )
            temperature = gr.Slider(
                0,
                MAX_TEMPERATURE,
                1.0,
                step=0.05,
                label="Temperature",
                info="0 always takes the likeliest word.",
                min_width=280,
            )
        with gr.Row():
            top_k = gr.Number(
                0, precision=0, label="Top-k", info="Choose among the k likeliest; 0 is all.", min_width=280
            )
            seed = gr.Number(
                1, precision=0, label="Seed", info="Same seed, same noise for every variant.", min_width=280
            )
        allow_unk = gr.Checkbox(False, label="Allow <unk>", info="The mark for words outside the vocabulary.")
    with gr.Row(elem_classes="buttons"):
        write = gr.Button("Write", variant="primary")
        another = gr.Button("New seed")
        replay = gr.Button(f"Replay {SLOW_MOTION}× slower")
        stop = gr.Button("Stop")
        raw = gr.Checkbox(False, label="Raw tokens", container=False, elem_classes="switch")
    status = gr.HTML(markup.status("Press Write."), elem_id="writing-status")
    texts = gr.HTML(elem_id="writing")
    last = gr.State(None)

    settings = [prompt, words, temperature, top_k, seed, allow_unk]

    def run(*values: object) -> Iterator[dict]:
        *fields, raw_tokens = values
        try:
            snapshots = lab.generate(GenerationSettings(*fields))
        except InputError as error:
            yield {status: markup.alert(str(error))}
            return
        for snapshot in throttled(snapshots, TEXT_INTERVAL):
            yield {status: _status(snapshot), texts: markup.texts(snapshot, raw_tokens is True), last: snapshot}

    async def replay_run(generation: Generation | None, raw_tokens: bool) -> AsyncIterator[dict]:
        if generation is None:
            yield {status: markup.alert("There is nothing to replay yet; press Write first.")}
            return
        longest = max(writing.seconds for writing in generation.writings.values())
        clock = 0.0
        while clock < longest:
            clock += TEXT_INTERVAL / SLOW_MOTION
            snapshot = generation.at(clock)
            yield {status: _status(snapshot), texts: markup.texts(snapshot, raw_tokens is True)}
            await asyncio.sleep(TEXT_INTERVAL)

    def stopped(generation: Generation | None) -> str:
        return markup.status("Stopped.", prose.parting(generation) if generation else "")

    computing = {
        "fn": run,
        "inputs": [*settings, raw],
        "outputs": [status, texts, last],
        "concurrency_id": "compute",
        "concurrency_limit": 1,
        "show_progress": "full",
        "show_progress_on": [status],
        "api_visibility": "private",
    }
    quick = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
    runs = [gr.on([write.click, prompt.submit], **computing)]
    examples.click(lambda sample: sample[0], examples, prompt, **quick).then(**computing)
    runs.append(another.click(lambda: random.randint(0, MAX_SEED), None, seed, **quick).then(**computing))
    runs.append(
        replay.click(
            replay_run,
            [last, raw],
            [status, texts],
            concurrency_limit=None,
            show_progress="hidden",
            api_visibility="private",
        )
    )
    stop.click(stopped, last, status, cancels=runs, **quick)
    raw.change(
        lambda generation, raw_tokens: markup.texts(generation, raw_tokens is True) if generation else "",
        [last, raw],
        texts,
        **quick,
    )
    return status, texts, last, seed


def _status(generation: Generation) -> str:
    return markup.status(prose.parting(generation), prose.unknown_words(generation))
