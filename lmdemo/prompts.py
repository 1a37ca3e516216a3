"""Prompts to begin from: of a few in English those that a vocabulary knows; else the first words of its own test text.

It knows nothing of pages.
"""

from collections.abc import Iterator

from torch import Tensor

from lmdemo.text import EOS, UNK, Vocabulary, detokenize

EXAMPLES = (
    "It was a cold night in November, and",
    "“My dear fellow,” said he, “I have",
    "The ship had been three days at sea when the captain",
    "She opened the letter, and",
    "I walked along the shore, looking for",
)
WORDS = (3, 8)  # of a sentence: at least, at most
MOST_CHARACTERS = 200  # of a prompt
MOST_READ = 20_000  # words of the test text
ENDS = frozenset(".!?") | {EOS}


def prompts(vocabulary: Vocabulary, test_ids: Tensor) -> tuple[str, ...]:
    """Up to as many as `EXAMPLES`, in one order; every word of each is in the vocabulary."""
    found = dict.fromkeys(text for text in EXAMPLES if not vocabulary.unknown(text))
    if len(found) < len(EXAMPLES):
        for text in _beginnings(vocabulary, test_ids):
            found[text] = None
            if len(found) == len(EXAMPLES):
                break
    return tuple(found)


def _beginnings(vocabulary: Vocabulary, test_ids: Tensor) -> Iterator[str]:
    """The first words of the sentences of a text, as far as they are known; headings are none."""
    least, most = WORDS
    words: list[str] = []
    for word in [*(vocabulary.words[number] for number in test_ids[:MOST_READ].tolist()), EOS]:
        if word not in ENDS:
            words.append(word)
            continue
        begun = words[: min(most, words.index(UNK) if UNK in words else most)]
        text = detokenize(begun)
        known = len(text) <= MOST_CHARACTERS and not vocabulary.unknown(text)  # typed again, that is
        if least <= len(begun) and begun[0] != "=" and known:
            yield text
        words = []
