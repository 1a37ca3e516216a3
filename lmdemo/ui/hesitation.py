"""Where a variant hesitates: a text whose words are marked by how far its expectation was from fp32's there.

One scale for all texts and variants. A mark is a shade and a line, the thicker the farther, so that it is read without
colour too.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby

from markupsafe import Markup

from lmdemo.fidelity import coin
from lmdemo.own_text import OwnText, TextReading
from lmdemo.report import prose
from lmdemo.report.choices import isolated
from lmdemo.text import EOS, UNK, Vocabulary, shown, spaced

SCALE = (0.005, 0.01, 0.02, 0.05)  # nats, from which on a word has the first, second … mark
FARTHEST = 3  # words that are named
NAMED = 5  # words outside the vocabulary that are named


def marked(reading: TextReading) -> Markup:
    """The text with its marks, and what they mean; nothing before the end, or where there is nothing to compare."""
    name = prose.of_interest(reading.evaluation.comparison.results)
    if name not in reading.words or name == reading.evaluation.comparison.baseline:
        return Markup()
    kl = reading.words[name].kl
    return Markup(
        '<section class="own-text" aria-labelledby="hesitation" style="--variant:var(--{name})">'
        '<h3 id="hesitation">Where {name} hesitates</h3><p>{farthest}</p>{legend}'
        '<div class="read">{text}</div></section>'
    ).format(
        name=name,
        farthest=farthest(name, reading.text.words, kl),
        legend=_legend(name, bool(reading.text.unknown)),
        text=_paragraphs(reading.text, kl),
    )


def farthest(name: str, words: Sequence[str], kl: Sequence[float]) -> str:
    """At which words a variant is farthest from the baseline, and how far it is on average."""
    order = sorted(range(len(kl)), key=lambda place: -kl[place])
    named: dict[str, float] = {}
    for place in order:
        if words[place] != EOS and kl[place] > 0 and len(named) < FARTHEST:
            named.setdefault(words[place], kl[place])
    if not named:
        return f"{name} expects what fp32 expects, at every word."
    most = ", ".join(f"“{isolated(shown(word))}” ({value:.2g})" for word, value in named.items())
    return f"Farthest from fp32 at {most}; on average KL is {sum(kl) / len(kl):.2g} nats a word."


def unknown(text: OwnText, vocabulary: Vocabulary) -> str:
    """How many words the vocabulary lacks, which they are, and what becomes of them; empty if it has all."""
    if not text.unknown:
        return ""
    count = sum(text.unknown.values())
    first = [f"{isolated(shown(word))}{f' ({times:,}×)' if times > 1 else ''}" for word, times in text.unknown.items()]
    more = f" and {len(first) - NAMED:,} others" if len(first) > NAMED else ""
    become = f"read as {UNK}" if UNK in vocabulary else "left out"
    return f"Not in the model’s vocabulary and {become}, {count:,} in all: {', '.join(first[:NAMED])}{more}."


def level(kl: float) -> int:
    """Which mark a divergence has, from 1; 0 is none."""
    return sum(kl >= least for least in SCALE)


def _legend(name: str, unknown: bool) -> Markup:
    steps = Markup(" ").join(Markup('<mark class="kl{}">{:g}</mark>').format(level(each), each) for each in SCALE)
    lacking = Markup(' A <span class="lacking">wavy line</span>: not in the vocabulary.') if unknown else ""
    return Markup(
        '<p class="scale">Marked: where {}’s chances for the next word were far from fp32’s. KL in nats, from {} on.'
        " 0.01 is as far as a coin that falls heads {:.0%} of the time is from a fair one.{}</p>"
    ).format(name, steps, 0.5 + coin(0.01), lacking)


def _paragraphs(text: OwnText, kl: Sequence[float]) -> Markup:
    lines = groupby(_pieces(text, kl), key=lambda piece: piece is None)
    paragraph = Markup('<p dir="auto">{}</p>')
    return Markup().join(paragraph.format(Markup().join(pieces)) for ends, pieces in lines if not ends)


def _pieces(text: OwnText, kl: Sequence[float]) -> Iterator[Markup | str | None]:
    """Each word with the space before it, marked where it has a mark; None for the end of a line."""
    before = [] if text.first is None else [text.first]
    words = [*before, *text.words]
    mark = Markup('{}<mark class="kl{}" title="KL {:.2g}">{}</mark>')
    lacking = Markup('<span class="lacking">{}</span>')
    for word, piece, value in zip(
        words, spaced([shown(word) for word in words]), [*(0.0 for _ in before), *kl], strict=True
    ):
        if word == EOS:
            yield None
            continue
        bare = piece.lstrip()
        space = piece[: len(piece) - len(bare)]
        inside = lacking.format(bare) if word in text.unknown else bare
        yield mark.format(space, level(value), value, inside) if level(value) else Markup("{}{}").format(space, inside)
