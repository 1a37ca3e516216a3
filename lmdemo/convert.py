"""The tutorial's own artefacts as a checkpoint folder: its state dict and its corpus.

A word's id is the order of its first appearance in train, valid and test, `<eos>` at the end of the first
line: the order in which the tutorial's `Corpus` fills its dictionary. The shape is read off the tensors.
Nothing in the state dict is run: only tensors are unpickled.

Reference: https://github.com/pytorch/examples/tree/main/word_language_model (data.py: Dictionary, Corpus)
"""

import pickle
import shutil
from pathlib import Path

import torch
from torch import Tensor

from lmdemo.checkpoint import save_checkpoint
from lmdemo.errors import CheckpointError
from lmdemo.model import LSTMModel, ModelConfig
from lmdemo.text import Vocabulary, read_corpus

SPLITS = ("train.txt", "valid.txt", "test.txt")


def convert(state_dict: str | Path, corpus: str | Path, out: str | Path) -> Path:
    """Write the checkpoint folder `out` from a saved state dict and the folder `corpus`; returns `out`.

    Weights are stored in fp32; test.txt is the corpus's.

    Raises:
        CheckpointError: a file is missing, is not a state dict of this model, or does not fit the corpus.
    """
    corpus, out = Path(corpus), Path(out)
    weights = _read_state_dict(Path(state_dict))
    model = LSTMModel.from_config(_shape(weights))
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise CheckpointError(f"{Path(state_dict).name} holds other tensors than encoder, rnn and decoder.") from error
    vocabulary = corpus_vocabulary(corpus)
    if len(vocabulary) != model.config.ntoken:
        raise CheckpointError(
            f"The corpus has {len(vocabulary):,} different words and the state dict {model.config.ntoken:,}:"
            " they do not belong together."
        )
    save_checkpoint(out, model, vocabulary)
    shutil.copyfile(corpus / "test.txt", out / "test.txt")
    return out


def corpus_vocabulary(corpus: Path) -> Vocabulary:
    """The words of train.txt, valid.txt and test.txt, in the order of their first appearance."""
    words: dict[str, None] = {}
    for name in SPLITS:
        if not (corpus / name).is_file():
            raise CheckpointError(f"No {name} in {corpus.name}; the corpus is {', '.join(SPLITS)}.")
        try:
            words.update(dict.fromkeys(read_corpus(corpus / name)))
        except UnicodeDecodeError as error:
            raise CheckpointError(f"{name} is not UTF-8 text.") from error
    return Vocabulary(list(words))


def _read_state_dict(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise CheckpointError(f"No file {path.name} to convert.")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise CheckpointError(
            f"{path.name} is not a plain state dict: only tensors saved with torch.save are read, nothing is run."
        ) from error
    if not isinstance(state, dict) or not all(isinstance(tensor, Tensor) for tensor in state.values()):
        raise CheckpointError(f"{path.name} is not a state dict: names with a tensor each.")
    return state


def _shape(weights: dict[str, Tensor]) -> ModelConfig:
    """The configuration these tensors have. Dropout leaves none; the tutorial's is 0.5."""
    encoder, hidden = weights.get("encoder.weight"), weights.get("rnn.weight_hh_l0")
    if encoder is None or hidden is None or encoder.dim() != 2 or hidden.dim() != 2:
        raise CheckpointError("The state dict has no encoder.weight and rnn.weight_hh_l0: it is not this model's.")
    layers = sum(name.startswith("rnn.weight_hh_l") for name in weights)
    return ModelConfig(ntoken=encoder.shape[0], ninp=encoder.shape[1], nhid=hidden.shape[1], nlayers=layers)
