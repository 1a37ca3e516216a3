"""The card: should I ship it? Three answers, each with what was measured and the bar it is held to.

The answers are verdict.py's; here are their words. What is not measured yet has its row already.
"""

from collections.abc import Callable
from dataclasses import dataclass

from lmdemo.fidelity import CLOSE
from lmdemo.measured import Evaluation
from lmdemo.report import closeness, prose
from lmdemo.verdict import Bytes, Mark, Quality, Speed, Verdict, verdict

PENDING = "being measured"


@dataclass(frozen=True)
class Row:
    """One answer."""

    what: str
    mark: Mark | None  # None as long as it is not measured
    answer: str
    measured: tuple[str, ...]  # lines
    bar: str


def markdown(evaluation: Evaluation) -> str:
    """The card as a table; empty where there is nothing to compare."""
    found = asked(evaluation)
    if found is None:
        return ""
    lines = ["| | | measured | held against |", "|---|---|---|---|"]
    lines += [
        f"| {row.what} | {row.answer} | {'; '.join(row.measured)} | {row.bar} |" for row in rows(found, evaluation)
    ]
    return f"**{title(found)}**\n\n" + "\n".join(lines) + f"\n\n{measured_on(evaluation)}"


def asked(evaluation: Evaluation | None) -> Verdict | None:
    """The answers; None where there is nothing to compare."""
    if evaluation is None or len(evaluation.comparison.results) < 2:
        return None
    return verdict(evaluation, prose.of_interest(evaluation.comparison.results))


def title(found: Verdict) -> str:
    """The question."""
    return f"Should I ship {found.variant}?"


def measured_on(evaluation: Evaluation) -> str:
    """What the answers are of."""
    comparison = evaluation.comparison
    return (
        f"On this text and this machine: {comparison.tokens:,} words in windows of {comparison.window}, each figure"
        " with its 95% interval. Another text, and another machine, may answer otherwise."
    )


def rows(found: Verdict, evaluation: Evaluation) -> tuple[Row, ...]:
    """The answers in words."""
    return _quality(found, evaluation.available), _speed(found, evaluation.comparison.window), _size(found)


def _quality(found: Verdict, available: int) -> Row:
    bar = f"perplexity within {CLOSE:.0%} of {found.baseline}’s, up or down"
    quality = found.quality
    if quality is None:
        return Row("Quality: close?", None, PENDING, ("…",), bar)
    own, base = (closeness.perplexity(value) for value in (quality.perplexity, quality.baseline))
    change = closeness.percent_change(quality.change)
    lines = (f"perplexity {change}", f"{own} against {base}")
    return Row("Quality: close?", quality.mark, _decided(quality, available), lines, bar)


def _decided(quality: Quality, available: int) -> str:
    if quality.close is not None:
        return quality.mark.value
    if quality.more is None:
        return "not decided: too few words to say"
    words = _rounded_up(quality.more)
    if quality.more + quality.words > available:
        return f"not decided: it would take about {words} more words, and this text has not as many"
    return f"not decided: measure about {words} more words"


def _rounded_up(count: int) -> str:
    """A number of words to one figure: it is a guess."""
    step = 10 ** (len(str(count)) - 1)
    return f"{-(-count // step) * step:,}"


def _speed(found: Verdict, window: int) -> Row:
    bar = f"faster than {found.baseline}, as called"
    if found.fairly:
        bar = f"faster than {found.baseline} as called; fair is {found.fairly[0]} ÷ {found.fairly[1]}"
    named = (("writing, a word at a time", found.writing), (f"reading, {window:,} at a time", found.reading))
    lines = tuple(f"{name}: {_ratios(speed)}" for name, speed in named)
    if found.writing is None or found.reading is None:
        return Row("Speed: faster?", None, PENDING, lines, bar)
    return Row("Speed: faster?", found.faster, found.faster.value, lines, bar)


def _ratios(speed: Speed | None) -> str:
    if speed is None:
        return "…"
    called = f"{prose.interval(speed.called, '×')} as called"
    return f"{called}, {prose.interval(speed.fair, '×')} fair" if speed.fair else called


def _size(found: Verdict) -> Row:
    bar = f"less than {found.baseline}’s"
    if found.file is None:
        return Row("Size and memory: smaller?", None, PENDING, ("…", "…"), bar)
    memory = "memory: this system does not tell"
    if found.memory:
        memory = f"memory: {_bytes(found.memory, prose.about)}"
    return Row(
        "Size and memory: smaller?",
        found.smaller,
        found.smaller.value,
        (f"file: {_bytes(found.file, prose.megabytes)}", memory),
        bar,
    )


def _bytes(found: Bytes, shown: Callable[[int], str]) -> str:
    return f"{found.ratio:.0%}, {shown(found.baseline)} → {shown(found.own)}"
