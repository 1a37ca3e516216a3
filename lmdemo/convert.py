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

from lmdemo.checkpoint import OPTIONAL, REQUIRED, Located, load, save_checkpoint
from lmdemo.checksums import SUMS
from lmdemo.corpus import SPLITS, split_file, split_words
from lmdemo.errors import CheckpointError
from lmdemo.model import LSTMModel
from lmdemo.state_file import read_state
from lmdemo.state_model import Report, checked, model_of, unwrapped
from lmdemo.text import Vocabulary, most_frequent
from lmdemo.training_state import SavedRun, saved_run


def convert(state_dict: str | Path, corpus: str | Path, out: str | Path, report: Report = lambda _: None) -> Path:
    """Write the checkpoint folder `out` from a saved state and the folder `corpus`; returns `out`.

    A state dict is stored in fp32; a run as `train` would store it, in half precision, with the weights of its best
    epoch. test.txt is the corpus's. `out` is written when all of it is known to be sound, or not at all.
    `report` is given what was taken off the state dict or added to it.

    Raises:
        CheckpointError: a file is missing, is not a state of this model, or does not fit the corpus.
        TrainingError: a run of ours is damaged, or a text of the corpus is missing or not UTF-8.
    """
    path, corpus, out = Path(state_dict), Path(corpus), Path(out)
    state = read_state(path)
    run = saved_run(state)
    weights = checked(run.weights, path.name) if run else unwrapped(state, path.name, report)
    model = model_of(weights, run.recipe.dropout if run else 0.5, path.name)  # the tutorial's, which leaves no trace
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


def _write(out: Path, model: LSTMModel, vocabulary: Vocabulary, test: Path, dtype: torch.dtype) -> None:
    """Make the folder beside `out`, load it as a start would, and only then move its files to their place."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as made:
        save_checkpoint(made, model, vocabulary, dtype, test)
        load(Located(Path(made), str(out)))
        out.mkdir(exist_ok=True)
        for file in (*REQUIRED, *OPTIONAL, SUMS):
            os.replace(Path(made) / file, out / file)
