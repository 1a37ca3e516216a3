"""Words to ids and back: the vocabulary, and the corpus files it is counted from.

Corpus files are in WikiText's manner: one paragraph a line, words split by spaces. How typed text becomes
such words, and words become text again, is tokens.py.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from lmdemo.tokens import detokenize, tokenize

UNK = "<unk>"
EOS = "<eos>"


class Vocabulary:
    """The words a model knows; a word's id is its place in `words`."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words: tuple[str, ...] = tuple(words)
        self._ids = {word: number for number, word in enumerate(self.words)}

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: object) -> bool:
        return word in self._ids

    def id(self, word: str) -> int | None:
        """The id of `word`, or None."""
        return self._ids.get(word)

    def ids(self, words: Iterable[str]) -> list[int]:
        """The ids of words as a corpus writes them; unknown ones become `<unk>`, or nothing without it."""
        unknown = self._ids.get(UNK)
        numbers = (self._ids.get(word, unknown) for word in words)
        return [number for number in numbers if number is not None]

    def tokenize(self, text: str) -> list[str]:
        """What a visitor typed as the words of a corpus, a line's end as `<eos>`; unknown words stay as typed."""
        lines = unicodedata.normalize("NFC", text).strip().splitlines()
        words: list[str] = []
        for line in filter(None, map(str.strip, lines)):
            words += [EOS] if words and EOS in self else []
            words += tokenize(line, self._ids)
        return words

    def unknown(self, text: str) -> list[str]:
        """The words of `text` that this vocabulary does not have, in order, each once."""
        return list(dict.fromkeys(word for word in self.tokenize(text) if word not in self))

    def encode(self, text: str) -> list[int]:
        """The ids of typed `text`; see `tokenize` for the words and `ids` for unknown ones."""
        return self.ids(self.tokenize(text))

    def decode(self, ids: Iterable[int]) -> str:
        """The ids as text to read: spacing, quotes and hyphens restored, `<eos>` as a new paragraph."""
        return detokenize([self.words[number] for number in ids])


def read_corpus(path: str | Path) -> list[str]:
    """The words of a corpus file, `<eos>` after every line, blank ones included (the tutorial's `Corpus`)."""
    words: list[str] = []
    with open(path, encoding="utf-8") as file:
        for line in file:
            words += line.split()
            words.append(EOS)
    return words


def most_frequent(words: Iterable[str], size: int) -> Vocabulary:
    """A vocabulary of the `size` most frequent words, most frequent first, with `<unk>` and `<eos>` in it."""
    counts = Counter(words)
    ranked = [word for word, _ in counts.most_common() if word not in (UNK, EOS)]
    kept = {UNK, EOS, *ranked[: size - 2]}
    return Vocabulary(sorted(kept, key=lambda word: (-counts[word], word)))
