"""What is set on the Generate tab, and what is pressed: laid out, and no run begun."""

import gradio as gr

from lmdemo.first_results import EXAMPLE_TEMPERATURE, EXAMPLE_TOP_K, EXAMPLE_WORDS
from lmdemo.generation import MAX_TEMPERATURE, MAX_WORDS, GenerationSettings
from lmdemo.lab import Lab
from lmdemo.ui.controls import start_button, stop_button, variant_choice
from lmdemo.ui.events import QUICK, Components, Update, named

SEED = 1  # of a page that has no texts yet


def row(lab: Lab) -> tuple[gr.Textbox, gr.Button, gr.Button, gr.Button, gr.Dataset]:
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


def under_texts() -> tuple[gr.Button, gr.Button, gr.Checkbox, gr.Checkbox]:
    """What is done with texts: watch them come, copy their link, see raw tokens, guess first."""
    switch = {"container": False, "elem_classes": "switch"}
    with gr.Row(elem_classes="buttons", elem_id="under-texts"):
        slowly = gr.Button("Watch it", size="sm", interactive=False)
        share = gr.Button("Copy link to this run", size="sm", interactive=False)
        raw = gr.Checkbox(False, label="Raw tokens, as the model has them", **switch)
        # the style sheet hides choices, and assets/words.js shows them
        guess = gr.Checkbox(False, label="Guess first: hide other choices", elem_id="guess", **switch)
    return slowly, share, raw, guess


def settings(lab: Lab) -> tuple[Components, gr.CheckboxGroup]:
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
            seed = gr.Number(SEED, label="Seed", info="Same seed, same noise for every variant.", **side_by_side)
        with gr.Row(elem_classes="buttons"):
            as_the_tutorial = gr.Button("As in the tutorial: temperature 1, all words", size="sm")
        as_the_tutorial.click(**named(tutorial_choice, {}, {"temperature": temperature, "top_k": top_k}), **QUICK)
        allow_unk = gr.Checkbox(False, label="Allow <unk>", info="The mark for words outside the vocabulary.")
    fields = {"words": words, "temperature": temperature, "top_k": top_k, "seed": seed, "allow_unk": allow_unk}
    return fields, variants


def samples(lab: Lab) -> dict[str, object]:
    """The prompts to try with the model in service."""
    return {"samples": [[text] for text in lab.prompts], "visible": bool(lab.prompts)}


def tutorial_choice() -> Update:
    """How the tutorial chooses a word, which is the endpoint's default too."""
    plain = GenerationSettings()
    return {"temperature": plain.temperature, "top_k": plain.top_k}
