"""What fewer bits do, in sentences: of one rounding, of a row of weights, and which matrix hurts."""

import math

from lmdemo.bit_costs import Sensitivity
from lmdemo.evaluation import shown_perplexity
from lmdemo.report.choices import isolated
from lmdemo.report.prose import megabytes
from lmdemo.rounding import MATRICES, RoundedRow, Rounding, kind_of
from lmdemo.simulation import Simulated

SCALES = {False: "one scale a tensor", True: "one scale a row"}  # by `per_row`
SIMULATED = (
    "A simulation: weights are rounded, and all arithmetic stays in fp32. So it shows what fewer bits do to the model,"
    " and says nothing of speed."
)


def how(rounding: Rounding) -> str:
    """A rounding in a few words."""
    return f"{rounding.bits} bits, {SCALES[rounding.per_row]}{which(rounding)}"


def which(rounding: Rounding) -> str:
    """Which matrices are rounded, behind a comma; nothing where all are."""
    return "" if rounding.matrices == MATRICES else f", {listed(rounding.matrices)} alone"


def listed(names: tuple[str, ...]) -> str:
    """Names with an and between the last two."""
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def headline(found: Simulated) -> str:
    """What the rounding costs; until that is known, what is rounded."""
    what, cost = how(found.rounding), found.cost
    if cost is None:
        return what
    return f"{what}: perplexity {perplexity(cost.perplexity)} instead of {perplexity(cost.fp32_perplexity)}"


def chosen(found: Simulated) -> str:
    """At how many places the rounded model chose another word along fp32's."""
    ((name, along),) = found.generation.along.items()
    count = f"{len(along.others):,}" if along.others else "no"
    so_far = "" if found.generation.final else " so far"
    return f"Along fp32’s text the {name} model chose another word at {count} of {along.reached:,} places{so_far}."


def saved(found: Simulated) -> str:
    """What the weights would shrink by, and how far the distributions are apart; empty until that is known."""
    cost = found.cost
    if cost is None:
        return ""
    return (
        f"KL, how far its chances for the next word are from fp32’s, is {kl(cost.kl)} nats a word, over {cost.tokens:,}"
        f" words of the test text. Packed, the matrices would take {megabytes(cost.fp32_bytes - cost.saved)} instead of"
        f" {megabytes(cost.fp32_bytes)}."
    )


def waiting(rounding: Rounding, seconds_left: float | None, to_come: bool) -> str:
    """What is said until it is known which matrix hurts; `seconds_left` is what all roundings will take."""
    if not to_come:
        return "Which matrix hurts could not be measured; the log of this server says why."
    left = "" if seconds_left is None else f" All of it takes about {seconds_left:.0f} s more while nobody computes."
    return f"One matrix at a time is being measured, from 8 bits down; {rounding.bits} bits are to come.{left}"


def hurts(costs: Sensitivity | None, rounding: Rounding) -> str:
    """Which matrix hurts most when it alone is rounded, in one sentence; empty until that is known."""
    ranked = costs.ranked(rounding.bits, rounding.per_row) if costs else ()
    together = costs.cost(Rounding(rounding.bits, rounding.per_row)) if costs else None
    if not ranked or together is None:
        return ""
    worst = ranked[0]
    (name,) = worst.rounding.matrices
    return (
        f"The {name} hurts most: alone with {rounding.bits} bits and {SCALES[rounding.per_row]} it gives a KL of"
        f" {kl(worst.kl)}, where all three together give {kl(together.kl)}."
    )


def row(found: RoundedRow, word: str | None) -> str:
    """Which row is drawn; `word` is the one that it is of, if it is of one."""
    return f"Row {found.row:,}{f', the word {quoted(word)}' if word is not None else ''}"


def matrix(found: RoundedRow, rounded: tuple[str, ...]) -> str:
    """What became of a matrix, in sentences; `rounded` are the matrices that are."""
    most = found.rounding.range[1]
    parts = [f"{share(found.zero)} of {found.name} became 0."]
    if found.within:
        parts.append(f"99% of its integers lie within ±{found.within}; there are ±{most}.")
    parts.append("Nothing was lost." if math.isinf(found.snr) else f"Signal to noise: {_decibels(found.snr)}.")
    if kind_of(found.name) not in rounded:
        parts.append("It is not rounded now; this is what would become of it.")
    return " ".join(parts)


def share(value: float) -> str:
    """A share of the weights; one that is nearly all does not become all."""
    return f"{value:.0%}" if value < 0.99 or value == 1 else f"{math.floor(value * 1000) / 10:.1f}%"


def _decibels(value: float) -> str:
    return f"{value:.1f} dB".replace("-", "−")


def quoted(word: str) -> str:
    """A word of the vocabulary in a sentence."""
    return f"“{isolated(word)}”"


def perplexity(value: float) -> str:
    """A perplexity for a headline: three figures, and all that are before the point."""
    return shown_perplexity(value, 1 if value < 100 else 0)


def kl(value: float) -> str:
    """A divergence, in two figures, or three from 1 on; below what matters to nobody, that it is."""
    if value < 1e-4:
        return "under 0.0001"
    return f"{value:.2g}" if value < 0.995 else f"{value:.2f}"
