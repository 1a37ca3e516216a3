"""How far variants are from fp32, in sentences and figures: of the text that was read, and of no other."""

import math

from lmdemo.bootstrap import Estimate
from lmdemo.evaluation import shown_perplexity
from lmdemo.fidelity import Fidelity, FidelityRun, coin
from lmdemo.passages import Passage
from lmdemo.report.prose import of_interest, ranged, signed

VAST = 1e10  # a share by which perplexity changes, from which on it says nothing any more


def distance(run: FidelityRun) -> str:
    """How far the variant of most interest is from the baseline; empty where there is nothing to compare."""
    name = of_interest(run.results)
    if name == run.baseline:
        return ""
    found = run.results[name]
    return f"KL of {name} is {kl(found.kl)}, as if a coin that says 50% said {as_coin(found)}."


def close(found: Fidelity) -> str:
    """Whether perplexity changed by less than `CLOSE`, up or down."""
    return {True: "yes", False: "no", None: "not decided"}[found.close()]


def change(found: Fidelity) -> str:
    """By how much perplexity changed: a paired difference."""
    return percent_change(found.perplexity_change)


def percent_change(value: Estimate) -> str:
    """A change of perplexity, as a share, in per cent."""
    if max(value.value, value.high) > VAST:
        return "over 10^12%"
    return _percent(value, signs=True)


def perplexity(value: Estimate) -> str:
    """A perplexity and its interval, as far as it says something."""
    text = shown_perplexity(value.value, 1)
    if text.startswith("over") or math.isnan(value.low) or value.high > VAST:
        return text
    return ranged(value.value, value.low, value.high)


def kl(value: Estimate) -> str:
    """A divergence in nats a word and its interval."""
    if math.isnan(value.low):
        return f"{value.value:.5f}"
    return ranged(value.value, value.low, value.high, most=5)


def as_coin(found: Fidelity) -> str:
    """The mean KL as what a coin would say that ought to say 50%."""
    off = 100 * coin(found.kl.value)
    return f"50 ± {off:.1f}%" if off >= 0.05 else "50%"


def share(value: Estimate) -> str:
    """A share of words and its interval."""
    return f"{value.value:.1%}" if math.isnan(value.low) else _percent(value)


def probability_change(value: Estimate) -> str:
    """A change in probability, in percentage points."""
    return signed(100 * value.value, 2) + "%" if math.isnan(value.low) else _percent(value, signs=True)


def root_mean_square(value: Estimate) -> str:
    """The size of changes in probability, in percentage points."""
    return f"{value.value:.2%}" if math.isnan(value.low) else _percent(value)


def _percent(value: Estimate, signs: bool = False) -> str:
    if math.isnan(value.low):
        return f"{signed(100 * value.value, 1)}%"
    return ranged(100 * value.value, 100 * value.low, 100 * value.high, "%", signs=signs)


def passage_change(passage: Passage) -> str:
    """By how much the perplexity of a passage changed."""
    return _passage_percent(passage.perplexity_change, 2)


def _passage_percent(change: float, digits: int) -> str:
    return f"{signed(100 * change, digits)}%" if change <= VAST else "over 10^12%"


def _ends(values: list[float]) -> tuple[float, float]:
    return min(values), max(values)


def passages(run: FidelityRun, text: str = "this text") -> str:
    """What the passages of a text did, in one sentence; empty where there is nothing to compare."""
    name = of_interest(run.results) if run.results else run.baseline
    if name == run.baseline:
        return ""
    found = run.results[name]
    words = found.passages[0].words
    if len(found.passages) == 1:
        return ""
    least, most = (f"{end:.4f}" for end in _ends([passage.kl for passage in found.passages]))
    down, up = (_passage_percent(end, 1) for end in _ends([passage.perplexity_change for passage in found.passages]))
    return (
        f"In {len(found.passages)} passages of {text}, {words:,} word{'s' * (words > 1)} each, KL of {name} ran from"
        f" {least} to {most}, and its perplexity changed by {down} to {up}."
    )


def whole(run: FidelityRun) -> str:
    """What the passages of the whole text did, of which only the beginning is measured unless more is asked for."""
    return passages(run, f"the whole test text ({run.tokens:,} words in windows of {run.window})")


def place(passage: Passage) -> str:
    """Which words of the text a passage holds, from 1."""
    return f"words {passage.start + 1:,} to {passage.start + passage.words:,}"
