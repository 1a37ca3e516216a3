"""A text that somebody brings, read by every variant: what it costs them there, and at which words they part.

It is measured as the test text is, with the same code, and put in its place for that. Nothing of it is kept: it lives
as long as the result does.
"""

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from lmdemo.checkpoint import Checkpoint
from lmdemo.errors import InputError
from lmdemo.evaluation import MAX_WINDOW
from lmdemo.fidelity import WordByWord
from lmdemo.held import Held
from lmdemo.inference import Pause, go_on
from lmdemo.inputs import plain_text, some_models, whole_number
from lmdemo.machine import Machine, this_machine
from lmdemo.measured import Evaluation, Measuring
from lmdemo.roofline import Limit
from lmdemo.text import EOS, Vocabulary

MAX_CHARACTERS = 20_000
FEWEST = 2  # words
UNREADABLE = 0.05  # the share of characters that no text has, from which on something is none
_NO_TEXT = {"Cc", "Cn", "Co", "Cs"}  # categories of characters: control, not assigned, private, half a character
_LOST = "\ufffd"  # what stands for bytes that were no text


@dataclass(frozen=True)
class OwnText:
    """A text as a vocabulary has it: the words of text.py, with `<eos>` between its lines."""

    ids: Tensor  # (N + 1,) int64: what is read first, then `words`
    first: str | None  # the word that is only read, where the vocabulary has no <eos> to read before it
    words: tuple[str, ...]  # (N,) that are predicted; those outside the vocabulary as they were typed
    unknown: Mapping[str, int]  # how often each word outside the vocabulary stands in it, the most frequent first
    unknown_share: float  # of its words, 0 to 1


@dataclass(frozen=True)
class TextReading:
    """A snapshot of variants measured on a text; the last one is `final`."""

    text: OwnText
    evaluation: Evaluation  # as of a test text

    @property
    def words(self) -> Mapping[str, WordByWord]:
        """By variant, the figures of each of the text's `words`; empty before the end."""
        run = self.evaluation.fidelity
        return run.words if run else {}

    @property
    def computed(self) -> dict[str, int]:
        """How much was read, and written, by all variants together."""
        return self.evaluation.computed

    @property
    def final(self) -> bool:
        """Whether all of it is measured."""
        return self.evaluation.final


def read_text(
    checkpoint: Checkpoint, models: Mapping[str, nn.Module], text: str, window: int = 200
) -> Iterator[TextReading]:
    """Measure models on a text of your own, as on a test text; an iterator of snapshots, the last one final.

    Args:
        checkpoint: whose vocabulary is used.
        models: its variants by name, as `build_variants` gives them; the first is the baseline.
        text: at most 20,000 characters, as it is typed.
        window: words that are read in one call, 1 to 1,000.

    Raises:
        InputError: at once, for no models, a text that is none or has no two words of the vocabulary, or the window.
    """
    some_models(models)
    own, window = take_text(checkpoint.vocabulary, text), whole_number("Window", window, 1, MAX_WINDOW)
    return measure(own, checkpoint, models, this_machine(), window)


def take_text(vocabulary: Vocabulary, text: object) -> OwnText:
    """A text in the words of a vocabulary.

    Raises:
        InputError: it is empty, too long, or no text, or has fewer than two words, or none that is known.
    """
    text = plain_text("The text", text, MAX_CHARACTERS)
    _check_readable(text)
    typed = vocabulary.tokenize(text)
    words = [word for word in typed if word != EOS]
    if not words:
        raise InputError("The text is empty: paste at least two words.")
    if len(words) < FEWEST:
        raise InputError("The text has one word: paste at least two.")
    unknown = Counter(word for word in words if word not in vocabulary)
    if len(words) - unknown.total() < FEWEST:
        raise InputError("This model knows fewer than two words of the text; paste one in its language.")
    kept = [word for word in typed if vocabulary.ids([word])]
    before = [] if EOS in vocabulary else kept[:1]
    ids = vocabulary.ids(kept if before else [EOS, *kept])
    return OwnText(
        ids=torch.tensor(ids, dtype=torch.int64),
        first=next(iter(before), None),
        words=tuple(kept[len(before) :]),
        unknown=dict(unknown.most_common()),
        unknown_share=unknown.total() / len(words),
    )


def measure(
    text: OwnText,
    checkpoint: Checkpoint,
    models: Mapping[str, nn.Module],
    machine: Machine,
    window: int,
    pause: Pause = go_on,
    beside: Pause = go_on,
    limits: Callable[[], Mapping[str, Limit]] = dict,
    held: Callable[[], Mapping[str, Held]] = dict,
) -> Iterator[TextReading]:
    """As `read_text`; what else it takes is `Measuring`'s."""
    tested = replace(checkpoint, test_ids=text.ids, test_name="a text of your own", unknown_share=text.unknown_share)
    measuring = Measuring(tested, models, machine, len(text.words), window, by_word=True)
    return (TextReading(text, evaluation) for evaluation in measuring.steps(pause, beside, limits, held))


def _check_readable(text: str) -> None:
    """`InputError` for what was no text before it came here, as an image or a program."""
    odd = sum(char == _LOST or (not char.isspace() and unicodedata.category(char) in _NO_TEXT) for char in text)
    if odd > UNREADABLE * len(text):
        raise InputError("This is no text: too many of its characters are none that a text has.")
