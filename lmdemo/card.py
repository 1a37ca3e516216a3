"""The model card: what a checkpoint is, what it was made from, what was measured, in the Hub's own form.

`train` and `publish` write it. A card that its author wrote is completed, never rewritten: text and metadata
stay, the results measured here take the place of earlier ones on the same text. What only the author knows
(licence, language, data) is stated or left out. It knows nothing of how a checkpoint is trained or sent.

Reference: https://github.com/huggingface/hub-docs/blob/main/modelcard.md (the fields, the model-index)
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import EvalResult as CardResult
from huggingface_hub import ModelCard, ModelCardData
from torch import Tensor, nn

from lmdemo.checkpoint import Checkpoint
from lmdemo.errors import CheckpointError
from lmdemo.evaluation import EvalResult, evaluate, shown_perplexity
from lmdemo.machine import Machine, this_machine
from lmdemo.measured_text import doubt
from lmdemo.text import UNK

CARD = "README.md"
WINDOW = 25  # words read in one call when the card's losses are measured
TASK = "text-generation"
TAGS = ("lstm", "language-model", "dynamic-quantization")


@dataclass(frozen=True)
class Stated:
    """What only the author of a model can say; what is None is left out of the card."""

    license: str | None = None  # the Hub's name for it
    language: str | None = None  # ISO 639
    dataset: str | None = None  # a data set's name on the Hub
    data: str | None = None  # the data and its licence, for a reader


@dataclass(frozen=True)
class Figure:
    """The loss of one variant on one text."""

    variant: str
    split: str  # "validation", "test"; of a longer text the part that was read: "test[:10000]"
    result: EvalResult


@dataclass(frozen=True)
class Measured:
    """Losses of the weights as stored, and what they depend on."""

    figures: tuple[Figure, ...]
    machine: Machine
    sample: str | None = None  # the name of the text, if it is not the model's own
    unknown_share: float = 0.0  # of the test text's words, 0 to 1, that the model does not know


def measure(models: Mapping[str, nn.Module], ids: Tensor, split: str) -> tuple[Figure, ...]:
    """The loss of each model on ids (N,), N - 1 words predicted."""
    return tuple(Figure(name, split, evaluate(model, ids, WINDOW)) for name, model in models.items())


def measured_here(*figures: Figure, sample: str | None = None, unknown_share: float = 0.0) -> Measured:
    """Figures with the machine they were just taken on."""
    return Measured(figures, this_machine(), sample, unknown_share)


def new_card(
    name: str, checkpoint: Checkpoint, stated: Stated, measured: Measured, made: Mapping[str, str] | None = None
) -> ModelCard:
    """A card from nothing.

    Args:
        name: of the model, for the model-index.
        made: rows for the card's table: how the checkpoint was made.
    """
    data = ModelCardData(model_name=name, eval_results=_results(stated, measured), **_metadata(stated))
    return ModelCard(f"---\n{data.to_yaml()}\n---\n\n{_body(checkpoint, stated, measured, made or {})}")


def read_card(path: Path, stated: Stated) -> ModelCard:
    """The card that an author wrote.

    Raises:
        CheckpointError: its metadata is not what a model card may hold, or what is stated contradicts it.
    """
    try:
        card = ModelCard.load(path)
        str(card)  # what cannot be written again is refused too
    except UnicodeDecodeError as error:
        raise CheckpointError(f"{CARD} is not UTF-8 text.") from error
    except Exception as error:  # whatever YAML can hold: the client checks some of it and stumbles over the rest
        raise CheckpointError(
            f"The metadata of {CARD}, between its first two lines of ---, is not YAML that a model card may hold."
        ) from error
    if stated.data is not None:
        raise CheckpointError(f"{CARD} has a text of its own; what is stated of the data goes into a new card only.")
    for key in _CLAIMS:
        claim, written = _metadata(stated).get(key), card.data.get(key)
        if claim is not None and written is not None and _listed(claim) != _listed(written):
            raise CheckpointError(f"{CARD} states another {key} than was given; change one of the two.")
    return card


def complete(card: ModelCard, name: str, stated: Stated, measured: Measured) -> ModelCard:
    """The author's card with the results measured here, and with metadata that it lacked."""
    data = card.data
    for key, value in _metadata(stated).items():
        if data.get(key) is None:
            data[key] = value
    results = _results(stated, measured)
    renewed = {result.unique_identifier for result in results}
    kept = [result for result in data.eval_results or () if result.unique_identifier not in renewed]
    data.eval_results = [*kept, *results]
    data.model_name = data.model_name or name
    return card


# An author's to say; the rest of the metadata is the same for all of these models.
_CLAIMS = ("license", "language", "datasets")


def _metadata(stated: Stated) -> dict[str, str | list[str]]:
    """The fields of the front matter that have a value, apart from the results."""
    fields = {
        "license": stated.license,
        "language": stated.language,
        "library_name": "pytorch",
        "pipeline_tag": TASK,
        "tags": list(TAGS),
        "datasets": [stated.dataset] if stated.dataset else None,
        "metrics": ["perplexity"],
    }
    return {key: value for key, value in fields.items() if value is not None}


def _listed(value: object) -> list:
    return list(value) if isinstance(value, list | tuple) else [value]


def _results(stated: Stated, measured: Measured) -> list[CardResult]:
    """Two metrics a figure, rounded as in the card's table; the client groups them by text."""
    machine = measured.machine
    return [
        CardResult(
            task_type=TASK,
            task_name="Text Generation",
            dataset_type="unknown" if measured.sample else stated.dataset or "unknown",
            dataset_name=measured.sample or stated.dataset or "the model's own corpus",
            dataset_config="sample" if measured.sample else None,
            dataset_split=figure.split,
            dataset_args={"words": figure.result.tokens},
            metric_type=metric,
            metric_name=f"{metric}, {figure.variant}",
            metric_value=value,
            metric_args={
                "variant": figure.variant,
                "window": WINDOW,
                "cpu": machine.cpu,
                "torch": machine.torch,
                "engine": machine.engine,
                **({"unknown_words": round(measured.unknown_share, 3)} if doubt(measured.unknown_share) else {}),
            },
            verified=False,  # by the Hub's own evaluation
        )
        for figure in measured.figures
        for metric, value in (
            ("loss", round(figure.result.loss, 4)),
            ("perplexity", round(figure.result.perplexity, 2)),
        )
    ]


def _body(checkpoint: Checkpoint, stated: Stated, measured: Measured, made: Mapping[str, str]) -> str:
    config, machine = checkpoint.config, measured.machine
    if UNK in checkpoint.vocabulary:
        outside = "read as `<unk>`; a line's end is `<eos>`; both count as words below"
    else:
        outside = "left out; a line's end is `<eos>`, which counts as a word below"
    table = {
        "shape": f"{config.ntoken:,} words, embedding {config.ninp}, LSTM {config.nhid} × {config.nlayers}"
        + ", embedding and decoder tied" * config.tied,
        "data": stated.data or stated.dataset or "not stated",
        "licence": stated.license or "not stated",
        "words outside the vocabulary": outside,
        **made,
    }
    rows = "\n".join(f"| {name} | {value} |" for name, value in table.items())
    figures = "\n".join(
        f"| {figure.split}, {_NAMES.get(figure.variant, figure.variant)} | {figure.result.tokens:,}"
        f" | {figure.result.loss:.4f} | {shown_perplexity(figure.result.perplexity, 2)} |"
        for figure in measured.figures
    )
    text = f", on {measured.sample}" if measured.sample else ""
    doubtful = f"\n{sentence}\n" if (sentence := doubt(measured.unknown_share)) else ""
    return f"""# A small LSTM word language model

Embedding, LSTM and linear decoder as in PyTorch's word_language_model example, for lmdemo, which shows what
dynamic quantization changes. It writes in the manner of its training text and means nothing by it.

| | |
|---|---|
{rows}

## Measured

Loss in nats a word{text}, of the weights as stored, batch 1, windows of {WINDOW} words with the hidden state
carried, on {machine.cpu}, torch {machine.torch}, engine {machine.engine}.
{doubtful}
| | words | loss | perplexity |
|---|---:|---:|---:|
{figures}
"""


_NAMES = {"int8": "int8 (`quantize_dynamic`)"}
