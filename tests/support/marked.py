"""Checkpoints of one shape whose every file tells which one it is, to be put in each other's place."""

import os
import shutil
from pathlib import Path

import torch

import lmdemo
from lmdemo.checkpoint import OPTIONAL, REQUIRED
from lmdemo.checksums import write_sums


def marked_checkpoint(folder: Path, mark: str, number: float, nhid: int = 8) -> Path:
    """A checkpoint of words that begin with `mark`, its weights and dropout `number`; its sums state test.txt too."""
    model = lmdemo.LSTMModel(50, 6, nhid, 1, dropout=number).eval()
    for parameter in model.parameters():
        torch.nn.init.constant_(parameter, number)
    words = ["<unk>", "<eos>", *(f"{mark}{position}" for position in range(48))]
    lmdemo.save_checkpoint(folder, model, lmdemo.Vocabulary(words))
    (folder / "test.txt").write_text(f" {mark}1 {mark}2 {mark}3 \n" * 60)
    write_sums(folder, (*REQUIRED, *OPTIONAL))
    return folder


def replace_file(folder: Path, source: Path, file: str) -> None:
    """Put the file of `source` in the place of the one in `folder`, in one step."""
    shutil.copyfile(source / file, folder / "coming")
    os.replace(folder / "coming", folder / file)
