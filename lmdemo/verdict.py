"""Should I ship it: what a variant costs in quality, gives in speed and saves in bytes, each held against a bar.

Every answer is yes, no, or None where what was measured cannot tell. Words for it are the page's.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from lmdemo.bootstrap import Estimate
from lmdemo.fidelity import CLOSE
from lmdemo.held import Held
from lmdemo.measured import Evaluation
from lmdemo.timed import Interval
from lmdemo.variants import FAIR, packed_form


class Mark(Enum):
    """Several answers as one."""

    YES = "yes"
    NO = "no"
    PARTLY = "partly"  # yes and no
    OPEN = "not decided"


@dataclass(frozen=True)
class Quality:
    """Whether perplexity stays within `CLOSE` of the baseline's on this text."""

    perplexity: Estimate
    baseline: Estimate
    change: Estimate  # a share, paired
    close: bool | None
    words: int  # that were read
    more: int | None  # further words that would decide it, as far as can be told; None if decided

    @property
    def mark(self) -> Mark:
        """The answer."""
        return together([self.close])


@dataclass(frozen=True)
class Speed:
    """How many times as fast as fp32, as the one call gives it and where fp32 is done well too."""

    called: Interval
    fair: Interval | None  # None where no fair baseline was measured

    @property
    def faster(self) -> tuple[bool | None, ...]:
        """Whether it is faster than fp32, and fairly."""
        return tuple(above(ratio, 1.0) for ratio in (self.called, self.fair) if ratio is not None)


@dataclass(frozen=True)
class Bytes:
    """The bytes of a variant beside the baseline's."""

    baseline: int
    own: int

    @property
    def ratio(self) -> float:
        """Own ÷ the baseline's."""
        return self.own / self.baseline


@dataclass(frozen=True)
class Verdict:
    """All of it, of one variant; None is what was not measured yet, or cannot be told here."""

    variant: str
    baseline: str
    fairly: tuple[str, str] | None  # whose speed over whose is called fair
    quality: Quality | None
    writing: Speed | None
    reading: Speed | None
    file: Bytes | None
    memory: Bytes | None

    @property
    def faster(self) -> Mark:
        """Whether it is faster, in writing and in reading, as called and fairly."""
        return together(answer for speed in (self.writing, self.reading) if speed for answer in speed.faster)

    @property
    def smaller(self) -> Mark:
        """Whether it is smaller, on disk and in memory."""
        return together(each.own < each.baseline for each in (self.file, self.memory) if each)


def verdict(evaluation: Evaluation, name: str) -> Verdict:
    """Of the variant `name` of an evaluation, which may be under way, over its baseline."""
    comparison, writing, held, files = evaluation.comparison, evaluation.writing, evaluation.held, evaluation.files
    base = comparison.baseline
    pair = _fair_pair(name, comparison.results)
    wrote = writing if writing and writing.final else None
    read = comparison if comparison.final else None
    return Verdict(
        variant=name,
        baseline=base,
        fairly=pair,
        quality=_quality(evaluation, name),
        writing=Speed(wrote.speedup(name), wrote.speedup(*pair) if pair else None) if wrote else None,
        reading=Speed(read.speedup(name), read.speedup(*pair) if pair else None) if read else None,
        file=Bytes(files[base], files[name]) if name in files else None,
        memory=_memory(held.get(base), held.get(name)),
    )


def more_words(change: Estimate, words: int, bar: float = CLOSE) -> int | None:
    """How many words beside `words` would tell a change from `bar`, up or down; None where nothing can be told.

    As if the change stayed and its interval narrowed with the root of the words.
    """
    distance = abs(abs(change.value) - bar)
    half = max(change.high - change.value, change.value - change.low)
    if math.isnan(half) or math.isinf(half) or distance == 0:
        return None
    return max(0, math.ceil(words * (half / distance) ** 2) - words)


def above(ratio: Interval, bar: float) -> bool | None:
    """Whether a ratio is above a bar; None where its interval holds it, or there is none."""
    if ratio.low > bar:
        return True
    return False if ratio.high < bar else None


def together(answers: Iterable[bool | None]) -> Mark:
    """Several answers as one; no answer decides nothing."""
    found = set(answers)
    if {True, False} <= found:
        return Mark.PARTLY
    if found == {True}:
        return Mark.YES
    return Mark.NO if found == {False} else Mark.OPEN


def _fair_pair(name: str, measured: Iterable[str]) -> tuple[str, str] | None:
    """Whose speed over whose: both done well, or, where only fp32 was, the variant itself over that."""
    names = set(measured)
    if FAIR not in names or name == FAIR:
        return None
    packed = packed_form(name)
    return (packed if packed in names else name), FAIR


def _quality(evaluation: Evaluation, name: str) -> Quality | None:
    run = evaluation.fidelity
    if run is None or not run.final or name not in run.results:
        return None
    found = run.results[name]
    close = found.close()
    return Quality(
        perplexity=found.perplexity,
        baseline=run.results[run.baseline].perplexity,
        change=found.perplexity_change,
        close=close,
        words=run.tokens,
        more=more_words(found.perplexity_change, run.tokens) if close is None else None,
    )


def _memory(baseline: Held | None, own: Held | None) -> Bytes | None:
    return Bytes(baseline.total, own.total) if baseline and own else None
