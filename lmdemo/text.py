"""Text to word ids and back.

A corpus in WikiText's manner has one paragraph a line and its words split by spaces: punctuation stands
alone, `didn't` is `did n't` (or `didn 't`), `half-mad` is `half @-@ mad`. `tokenize` turns what a visitor
typed into such words, following the vocabulary where corpora differ; `detokenize` turns them into text to
read. It knows nothing of models.

Reference: Merity, Xiong, Bradbury, Socher 2016, "Pointer Sentinel Mixture Models", arXiv:1609.07843
"""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Container, Iterable, Sequence
from pathlib import Path

UNK = "<unk>"
EOS = "<eos>"
UTF8 = "utf-8-sig"  # how a person's file is read: UTF-8, without the byte order mark that some editors write
LONGEST_SHOWN = 200  # characters of a word; a corpus may hold a line of a million without a space


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
        """Typed `text` as the words of a corpus, `<eos>` between lines; unknown words stay as typed."""
        words: list[str] = []
        for line in filter(None, (line.strip() for line in _normalize(text).splitlines())):
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


def read_corpus(path: str | Path, encoding: str = UTF8) -> list[str]:
    """The words of a corpus file, `<eos>` after every line, blank ones included (the tutorial's `Corpus`).

    The tutorial's own reads "utf-8", to which a byte order mark is a character of the first word.
    """
    with open(path, encoding=encoding) as file:
        return words_of(file)


def words_of(lines: Iterable[str], enough: float = math.inf) -> list[str]:
    """The words of a corpus's lines, as `read_corpus`; no line is read after there are `enough`."""
    words: list[str] = []
    for line in lines:
        words += line.split()
        words.append(EOS)
        if len(words) >= enough:
            break
    return words


def most_frequent(words: Iterable[str], size: int) -> Vocabulary:
    """A vocabulary of the `size` most frequent words, at least 2, in order, with `<unk>` and `<eos>` in it."""
    counts = Counter(words)
    ranked = [word for word, _ in counts.most_common() if word not in (UNK, EOS)]
    kept = {UNK, EOS, *ranked[: size - 2]}
    return Vocabulary(sorted(kept, key=lambda word: (-counts[word], word)))


# --- typed text to words -----------------------------------------------------------------------------

_PLAIN = str.maketrans(
    dict.fromkeys("‘’‛ʼ`´", "'") | dict.fromkeys("“”„«»", '"') | {"…": "...", "‐": "-", "‑": "-"},
)
_TOKEN = re.compile(
    r"(?P<tag><\w+>)"
    r"|(?P<number>\d+(?:[.,]\d+)+)"
    r"|(?P<word>\w+(?:'\w+)*)"
    r"|(?P<ellipsis>\.{3,})"
    r"|(?P<dash>-{2,}|—)"
    r"|(?P<hyphen>(?<=\w)-(?=\w))"
    r"|\S"
)
# The first one that the vocabulary has decides: "did n't" where n't is a word, else "didn 't".
_SUFFIXES = ("n't", "'s", "'ll", "'ve", "'re", "'m", "'d", "'t")


def tokenize(line: str, known: Container[str]) -> list[str]:
    """One typed line as the words a corpus would write, preferring forms that `known` contains.

    Text that is already split into corpus words comes back as it was.
    """
    words: list[str] = []
    for chunk in _normalize(line).split():
        if chunk in known:
            words.append(chunk)
        else:
            words += _split(chunk, known)
    return words


def _normalize(text: str) -> str:
    """Compose accents, straighten quotes, drop control and format characters other than line ends."""
    text = unicodedata.normalize("NFC", text).translate(_PLAIN)
    kept = (char for char in text if char.isspace() or unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Co"))
    return "".join(kept)


def _split(chunk: str, known: Container[str]) -> list[str]:
    words: list[str] = []
    position = 0
    while match := _TOKEN.search(chunk, position):
        position, token = match.end(), match.group()
        if match.lastgroup == "word":
            abbreviation = _cased(token + ".", known)  # "Mr." is one word, "mad." two
            if chunk[position : position + 1] == "." and abbreviation in known:
                words.append(abbreviation)
                position += 1
            else:
                words += _contraction(token, known)
        elif match.lastgroup == "number":
            words += re.sub(r"([.,])", r" @\1@ ", token).split()
        elif match.lastgroup == "hyphen":
            words.append("@-@" if "@-@" in known else "-")
        elif match.lastgroup == "dash":
            words.append("—")
        elif match.lastgroup == "ellipsis":
            words.append("...")
        else:
            words.append(token)
    return words


def _contraction(word: str, known: Container[str]) -> list[str]:
    """`word` taken apart at its apostrophes, from the right; a loop, since a prompt may hold a thousand of them."""
    parts: list[str] = []  # the last one first
    while "'" in word and _cased(word, known) not in known:
        suffixes = (end for end in _SUFFIXES if end in known and len(word) > len(end) and word.lower().endswith(end))
        if suffix := next(suffixes, ""):
            word = word[: -len(suffix)]
            parts.append(suffix)
        else:
            word, tail = word.rsplit("'", 1)  # o'clock is o ' clock
            parts += [_cased(tail, known), "'"] if tail else ["'"]  # nothing follows where a suffix was taken
    return [_cased(word, known), *reversed(parts)]


def _cased(word: str, known: Container[str]) -> str:
    """`word` in the case the vocabulary has it: as typed, else lower, Capitalised or UPPER."""
    forms = (word, word.lower(), word.capitalize(), word.upper())
    return next((form for form in forms if form in known), word)


# --- words to text to read ---------------------------------------------------------------------------

_JOINTS = {"@-@": "-", "@,@": ",", "@.@": "."}
_CLOSERS = frozenset(", . ; : ! ? ) ] % ° ...".split())
_OPENERS = frozenset("( [ $ £ ￡".split())
_ELIDED_AFTER = frozenset("o O d D ma Ma cap Cap".split())  # o ' clock, O ' Brien, ma ' am, cap ' n
_ELIDED_BEFORE = frozenset("tis Tis twas Twas twere twould twill em".split())  # ' tis, of ' em


def shown(word: str) -> str:
    """A word as it can stand on a page: not too long, control characters as their pictures."""
    if len(word) <= LONGEST_SHOWN and word.isprintable():
        return word
    return word[:LONGEST_SHOWN].translate(_PICTURES) + ("…" if len(word) > LONGEST_SHOWN else "")


_PICTURES = {code: 0x2400 + code for code in range(32)} | {0x7F: 0x2421} | dict.fromkeys(range(0x80, 0xA0), 0xFFFD)


def detokenize(words: Sequence[str]) -> str:
    """Corpus words as text to read. Quotes become typographic, `<eos>` an empty line."""
    return "".join(spaced(words)).strip()


def spaced(words: Sequence[str]) -> list[str]:
    """One piece of text for each word, with the space that belongs before it: joined, they are the text.

    A corpus writes the same mark for an opening and a closing quote; which it is follows from what is open
    in the paragraph so far.
    """
    pieces: list[str] = []
    glue = True  # nothing between this word and the one before
    double = single = False  # inside these quotes
    for number, word in enumerate(words):
        before = words[number - 1] if number else ""
        after = words[number + 1] if number + 1 < len(words) else ""
        gap = "" if glue else " "
        glue = False
        if word == EOS:
            pieces.append("\n\n")
            glue, double, single = True, False, False
        elif word in _JOINTS or word == "—":
            pieces.append(_JOINTS.get(word, word))
            glue = True
        elif word == '"':
            pieces.append("”" if double else gap + "“")
            glue = double = not double
            single = False
        elif word == "'" and before in _ELIDED_AFTER:
            pieces.append("’")
            glue = True
        elif word == "'" and after in _ELIDED_BEFORE:
            pieces.append(gap + "’")
            glue = True
        elif word == "'" and (single or (gap and before.endswith("s"))):  # closing, or the boys ' hats
            pieces.append("’")
            single = False
        elif word == "'":
            pieces.append(gap + "‘")
            glue = single = True
        elif word in _CLOSERS:
            pieces.append(word)
        elif word in _OPENERS:
            pieces.append(gap + word)
            glue = True
        elif word == "n't" or (word.startswith("'") and len(word) > 1):
            pieces.append(word.replace("'", "’"))
        else:
            pieces.append(gap + word)
    return pieces
