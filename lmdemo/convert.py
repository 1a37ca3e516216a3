"""A saved state and its corpus as a checkpoint folder: the tutorial's state dict, or a run of `train`.

A state dict of the word_language_model example has a word's id in the order of its first appearance in train,
valid and test, `<eos>` at the end of the first line: the order in which the example's `Corpus` fills its
dictionary. A run of ours, which its content tells, has the most frequent words of its recipe. The shape is read
off the tensors. Nothing in the file is run: only tensors and plain values are unpickled.

Reference: https://github.com/pytorch/examples/tree/main/word_language_model (data.py: Dictionary, Corpus)
"""

import os
import tempfile
from pathlib import Path

import torch
from torch import Tensor

from lmdemo.checkpoint import (
    DECODER,
    ENCODER,
    MAX_FILE_BYTES,
    MAX_LAYERS,
    MAX_WIDTH,
    MAX_WORDS,
    OPTIONAL,
    REQUIRED,
    Located,
    load,
    save_checkpoint,
)
from lmdemo.checksums import SUMS
from lmdemo.corpus import SPLITS, split_file, split_words
from lmdemo.errors import CheckpointError
from lmdemo.model import LSTMModel, ModelConfig
from lmdemo.text import Vocabulary, most_frequent
from lmdemo.training_state import SavedRun, saved_run


def convert(state_dict: str | Path, corpus: str | Path, out: str | Path) -> Path:
    """Write the checkpoint folder `out` from a saved state and the folder `corpus`; returns `out`.

    A state dict is stored in fp32; a run as `train` would store it, in half precision, with the weights of its best
    epoch. test.txt is the corpus's. `out` is written when all of it is known to be sound, or not at all.

    Raises:
        CheckpointError: a file is missing, is not a state of this model, or does not fit the corpus.
        TrainingError: a run of ours is damaged, or a text of the corpus is missing or not UTF-8.
    """
    path, corpus, out = Path(state_dict), Path(corpus), Path(out)
    state = _read_state(path)
    run = saved_run(state)
    weights = _check_tensors(run.weights if run else state, path.name)
    model = _model(weights, run.recipe.dropout if run else 0.5, path.name)  # the tutorial's, which leaves no trace
    vocabulary = _run_vocabulary(run, corpus) if run else corpus_vocabulary(corpus)
    if len(vocabulary) != model.config.ntoken:
        raise CheckpointError(
            f"The corpus has {len(vocabulary):,} different words and the state dict {model.config.ntoken:,}:"
            " they do not belong together."
        )
    test = split_file(corpus, "test")
    try:
        _write(out, model, vocabulary, test, torch.float16 if run else torch.float32)
    except OSError as error:
        raise CheckpointError(f"{out} could not be written ({error.strerror}).") from error
    return out


def corpus_vocabulary(corpus: Path) -> Vocabulary:
    """The words of train.txt, valid.txt and test.txt, in the order of their first appearance.

    Read as the example reads them, byte order marks and all: an id is a place in that order.
    """
    words: dict[str, None] = {}
    for name in SPLITS:
        words.update(dict.fromkeys(split_words(corpus, name, "utf-8")))
    return Vocabulary(list(words))


def _run_vocabulary(run: SavedRun, corpus: Path) -> Vocabulary:
    """The vocabulary as training builds it, if this is the corpus of the run."""
    words = split_words(corpus, "train")
    if len(words) // run.recipe.streams * run.recipe.streams != run.tokens:
        raise CheckpointError(f"The run was trained on another corpus: train.txt has {len(words):,} words.")
    return most_frequent(words, run.recipe.vocabulary)


def _read_state(path: Path) -> object:
    if not path.is_file():
        raise CheckpointError(f"No file {path.name} to convert.")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged zip or pickle raises nearly anything
        raise CheckpointError(
            f"{path.name} is not a plain state dict: only tensors saved with torch.save are read, nothing is run."
        ) from error


def _check_tensors(state: object, name: str) -> dict[str, Tensor]:
    """Names with a plain tensor each, of a size that is read again; a few stored bytes can claim any shape."""
    if not isinstance(state, dict) or not all(
        isinstance(key, str) and isinstance(value, Tensor) for key, value in state.items()
    ):
        raise CheckpointError(f"{name} is not a state dict: names with a tensor each.")
    for key, tensor in state.items():
        if tensor.layout is not torch.strided or tensor.device.type != "cpu" or not tensor.is_floating_point():
            raise CheckpointError(f"{name}: {key} is not a tensor of floating-point numbers.")
    if sum(tensor.numel() for tensor in state.values()) * 4 > MAX_FILE_BYTES:
        raise CheckpointError(f"{name} is over {MAX_FILE_BYTES / 1e9:.0f} GB; that is not read.")
    return state


def _model(weights: dict[str, Tensor], dropout: float, name: str) -> LSTMModel:
    encoder, hidden = weights.get(ENCODER), weights.get("rnn.weight_hh_l0")
    if encoder is None or hidden is None or encoder.dim() != 2 or hidden.dim() != 2:
        raise CheckpointError("The state dict has no encoder.weight and rnn.weight_hh_l0: it is not this model's.")
    (ntoken, ninp), nhid = encoder.shape, hidden.shape[1]
    layers = sum(key.startswith("rnn.weight_hh_l") for key in weights)
    limits = ((ntoken, MAX_WORDS), (ninp, MAX_WIDTH), (nhid, MAX_WIDTH), (layers, MAX_LAYERS))
    if not all(1 <= size <= most for size, most in limits):
        raise CheckpointError(
            f"{name} is a model of {ntoken:,} words, widths {ninp:,} and {nhid:,}, {layers} layers;"
            f" at most {MAX_WORDS:,}, {MAX_WIDTH:,} and {MAX_LAYERS}."
        )
    # no training makes two matrices equal that are not one
    tied = DECODER in weights and torch.equal(encoder, weights[DECODER])
    with torch.device("meta"):  # shapes only: the weights are the file's
        model = LSTMModel.from_config(ModelConfig(ntoken, ninp, nhid, layers, dropout, tied))
    try:
        model.load_state_dict({key: tensor.float() for key, tensor in weights.items()}, assign=True)
    except RuntimeError as error:
        raise CheckpointError(f"{name} holds other tensors than encoder, rnn and decoder.") from error
    if tied:
        model.tie()  # each name was given a parameter of its own
    return model


def _write(out: Path, model: LSTMModel, vocabulary: Vocabulary, test: Path, dtype: torch.dtype) -> None:
    """Make the folder beside `out`, load it as a start would, and only then move its files to their place."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as made:
        save_checkpoint(made, model, vocabulary, dtype, test)
        load(Located(Path(made), str(out)))
        out.mkdir(exist_ok=True)
        for file in (*REQUIRED, *OPTIONAL, SUMS):
            os.replace(Path(made) / file, out / file)
