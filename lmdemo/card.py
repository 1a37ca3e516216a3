"""The model card of a checkpoint that `train` made: what it is, what it was made from, what was measured."""

from dataclasses import dataclass

from lmdemo.evaluation import EvalResult
from lmdemo.training import Recipe

WINDOW = 25  # words read in one call when the card's losses are measured


@dataclass(frozen=True)
class Measured:
    """The losses of the stored checkpoint on its corpus."""

    valid: EvalResult
    test: EvalResult
    test_int8: EvalResult


def model_card(recipe: Recipe, measured: Measured, data: str, machine: str) -> str:
    """The card as Markdown with the Hub's front matter."""
    rows = "\n".join(
        f"| {name} | {result.tokens:,} | {result.loss:.4f} | {result.perplexity:.2f} |"
        for name, result in (
            ("validation, fp32", measured.valid),
            ("test, fp32", measured.test),
            ("test, int8 (`quantize_dynamic`)", measured.test_int8),
        )
    )
    return f"""---
license: mit
library_name: pytorch
language: en
pipeline_tag: text-generation
tags: [lstm, language-model, dynamic-quantization]
---

# A small LSTM word language model

Embedding, LSTM and linear decoder as in PyTorch's word_language_model example, trained for lmdemo to show what
dynamic quantization changes. It writes English in the manner of its training text and means nothing by it.

| | |
|---|---|
| shape | {recipe.vocabulary:,} words, embedding {recipe.ninp}, LSTM {recipe.nhid} × {recipe.nlayers} |
| data | {data} |
| words outside the vocabulary | read as `<unk>`; a line's end is `<eos>`; both count as words below |
| training | {recipe.epochs} epochs, {recipe.streams} streams of {recipe.bptt} words, dropout {recipe.dropout}, AdamW, \
one-cycle learning rate up to {recipe.learning_rate}, gradient norm clipped at {recipe.clip}, seed {recipe.seed}; \
the epoch with the lowest validation loss is kept |
| weights | stored as float16 in safetensors, computed in fp32 |
| command | `python -m lmdemo train --corpus DIR --out DIR` |

## Measured

Loss in nats a word, of the weights as stored, batch 1, windows of {WINDOW} words with the hidden state carried, on
{machine}.

| | words | loss | perplexity |
|---|---:|---:|---:|
{rows}
"""
