"""The text that a checkpoint is measured on: its own test.txt, or the prose this project carries.

Of a longer text, as much is read as the longest run does: a file of any size costs no more.
"""

from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import torch
from torch import Tensor

from lmdemo.errors import CheckpointError
from lmdemo.evaluation import MAX_TOKENS
from lmdemo.text import EOS, UTF8, Vocabulary, words_of

SAMPLE = Path(__file__).parent.parent / "assets" / "sample.txt"
MAX_CHARACTERS = 100 * MAX_TOKENS  # of a text's beginning: no language's words are as long
MUCH_UNKNOWN = 0.1  # the share of a text's words outside a vocabulary from which on its loss says little of the model


@dataclass(frozen=True)
class MeasuredText:
    """A text as a vocabulary has it."""

    ids: Tensor  # (N,) int64
    name: str  # where it comes from, for the page
    unknown_share: float  # of its words, 0 to 1, that the vocabulary does not have


def doubt(unknown_share: float, text: str = "the test text") -> str:
    """That a text is hardly one of a model's, if so many of its words are unknown to it; else nothing."""
    if unknown_share < MUCH_UNKNOWN:
        return ""
    return f"{unknown_share:.0%} of {text}’s words are not in the vocabulary: the loss on it says little."


def read_test(path: Path, vocabulary: Vocabulary) -> MeasuredText:
    """The folder's own test.txt at `path`; without one, the sample. Of each, what a run can predict at most.

    Raises:
        CheckpointError: it is not UTF-8, or has fewer than two words that the vocabulary knows.
    """
    if path.is_file():
        name = "the checkpoint's test.txt"
        try:
            words, cut = _beginning(path)
        except UnicodeDecodeError as error:
            raise CheckpointError("test.txt is not UTF-8 text.") from error
        if cut:
            name = f"the first {len(words) - 1:,} words of {name}"
    else:
        name = "assets/sample.txt, prose written for this project"
        paragraphs = (line for line in SAMPLE.read_text(encoding="utf-8").splitlines() if line.strip())
        words = [word for line in paragraphs for word in [*vocabulary.tokenize(line), EOS]]
    ids = vocabulary.ids(words)
    if len(ids) < 2:
        raise CheckpointError("The test text has fewer than two words this model knows.")
    unknown = sum(word not in vocabulary for word in words)
    return MeasuredText(torch.tensor(ids, dtype=torch.int64), name, unknown / len(words))


def _beginning(path: Path) -> tuple[list[str], bool]:
    """The first words of a corpus file, one more than a run predicts, and whether there are more."""
    with open(path, encoding=UTF8) as file:
        text = file.read(MAX_CHARACTERS)
        more = bool(file.read(1))
    most = MAX_TOKENS + 1  # the first is read only
    words = words_of(StringIO(text), most + 1)
    if more and len(words) <= most:
        words = words[:-2]  # perhaps half a word, and the end that its line does not have here
    return words[:most], more or len(words) > most
