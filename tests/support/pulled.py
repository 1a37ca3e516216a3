"""Checkpoints to be pulled: their words are none of the bundled one's."""

from pathlib import Path

import torch

import lmdemo


def small_checkpoint(folder: Path) -> Path:
    """Of 0.3 MB, with test text."""
    return _checkpoint(folder, 50, 64, 96)


def large_checkpoint(folder: Path) -> Path:
    """Of 13.3 MB: the client writes in pieces of 10 MB, so it takes more than one to be half done.

    Nearly all of it is the embedding, of which a step reads one row: it takes no longer to measure than the small one.
    """
    return _checkpoint(folder, 6500, 500, 8)


def _checkpoint(folder: Path, ntoken: int, ninp: int, nhid: int) -> Path:
    torch.manual_seed(0)
    words = lmdemo.Vocabulary(["<unk>", "<eos>", *(f"zz{number}" for number in range(ntoken - 2))])
    lmdemo.save_checkpoint(folder, lmdemo.LSTMModel(ntoken, ninp, nhid, 1).eval(), words)
    (folder / "test.txt").write_text(" zz1 zz2 zz3 zz4 \n" * 60)
    return folder
