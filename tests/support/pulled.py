"""Checkpoints to be pulled: their words are none of the bundled one's."""

from pathlib import Path

import torch

import lmdemo


def small_checkpoint(folder: Path) -> Path:
    """Of 0.3 MB, with test text."""
    return _checkpoint(folder, 96)


def large_checkpoint(folder: Path) -> Path:
    """Of 17.3 MB: the client writes in pieces of 10 MB, so it takes more than one to be half done."""
    return _checkpoint(folder, 1000)


def _checkpoint(folder: Path, nhid: int) -> Path:
    torch.manual_seed(0)
    words = lmdemo.Vocabulary(["<unk>", "<eos>", *(f"zz{number}" for number in range(48))])
    lmdemo.save_checkpoint(folder, lmdemo.LSTMModel(50, 64, nhid, 1).eval(), words)
    (folder / "test.txt").write_text(" zz1 zz2 zz3 zz4 \n" * 60)
    return folder
