"""Results in sentences and figures: the only place where a number is rounded for a reader."""

import math
from collections.abc import Mapping
from pathlib import Path

from lmdemo.checkpoint import Checkpoint
from lmdemo.evaluation import Comparison, Interval
from lmdemo.generation import Generation
from lmdemo.lab import Lab
from lmdemo.service import Phase, Pull
from lmdemo.size import Size


def megabytes(size: int) -> str:
    """Bytes as MB of 10^6."""
    return f"{size / 1e6:.1f} MB"


def interval(value: Interval, unit: str = "") -> str:
    """A median and its interval, with no more digits than the interval supports."""
    if value.n == 0:
        return "–"
    if math.isnan(value.low):
        return f"about {_significant(value.median)}{unit}"
    width = max(value.high - value.low, 1e-9)
    digits = min(3, math.ceil(-math.log10(width / 2)))  # below 0: tens, hundreds
    numbers = (round(number, digits) for number in (value.low, value.median, value.high))
    low, median, high = (f"{number:,.{max(0, digits)}f}" for number in numbers)
    return f"{median}{unit}" if low == high else f"{median}{unit} ({low} – {high})"


def rate(words_per_second: float) -> str:
    """A speed to two figures: a single run supports no more."""
    return f"{float(f'{words_per_second:.2g}'):,.0f} words/s"


def parting(generation: Generation) -> str:
    """Where the texts differ, in one sentence."""
    names = " and ".join(generation.writings)
    if generation.compared == 0:
        return f"{names} are starting."
    if generation.first_difference is None:
        return f"No word of {generation.compared:,} differs{'' if generation.final else ' so far'}."
    count = len(generation.differences)
    differ = "differs, at" if count == 1 else "differ, first at"
    return f"{count:,} of {generation.compared:,} words {differ} word {generation.first_difference + 1:,}."


def unknown_words(generation: Generation) -> str:
    """Which words of the prompt the model does not have; empty if it has them all."""
    if not generation.unknown:
        return ""
    shown = ", ".join(generation.unknown[:5]) + (" …" if len(generation.unknown) > 5 else "")
    return f"Not in the model’s vocabulary, read as <unk>: {shown}"


def size_sentences(sizes: Mapping[str, Size]) -> tuple[str, str]:
    """What the size bars mean: how much smaller, then what shrank, what did not, and why."""
    (base_name, base), (name, other), *_ = sizes.items()
    shrunk = (other.modules["rnn"] + other.modules["decoder"]) / (base.modules["rnn"] + base.modules["decoder"])
    share = base.modules["encoder"] / base.total
    return (
        f"{name} takes {other.ratio:.0%} of the bytes of {base_name}.",
        f"LSTM and decoder shrank to {shrunk:.0%}, a byte for a weight instead of four. The embedding, {share:.0%} of"
        f" {base_name}, did not change: the tutorial’s call names LSTM and Linear only.",
    )


def speed_verdict(comparison: Comparison) -> str:
    """Which is faster and by how much, in one sentence."""
    base = comparison.baseline
    name = _other(comparison)
    speedup = comparison.speedup(name)
    if math.isnan(speedup.low):
        return f"{name} runs at about {_significant(speedup.median)}× the speed of {base}; too few blocks to say more."
    if speedup.low <= 1 <= speedup.high:
        return f"The noise on this machine hides any difference in speed: {interval(speedup, '×')}."
    return f"{name} runs at {interval(speedup, '×')} the speed of {base}."


def loss_verdict(comparison: Comparison) -> str:
    """What that costs in loss, in one sentence."""
    base, other = comparison.results[comparison.baseline], comparison.results[_other(comparison)]
    change = f"{other.loss - base.loss:+.4f}".replace("-", "−")
    return (
        f"Its loss differs by {change} nats a word (perplexity {other.perplexity:.1f} against"
        f" {base.perplexity:.1f}) over {base.tokens:,} words in windows of {comparison.window}."
    )


def _other(comparison: Comparison) -> str:
    return next(name for name in comparison.results if name != comparison.baseline)


def origin(checkpoint: Checkpoint) -> str:
    """Where a checkpoint comes from, in a few words."""
    if checkpoint.source == "bundled":
        return "bundled with the app"
    if checkpoint.revision:
        return f"{checkpoint.source} at {checkpoint.revision[:7]}"
    # a folder's name says enough; where it lies is nobody's business on a public page
    return f"from the folder {Path(checkpoint.source).name}"


def shape(checkpoint: Checkpoint) -> str:
    """What a checkpoint holds, in a few words."""
    config = checkpoint.config
    return (
        f"{config.ntoken:,} words, LSTM {config.ninp}→{config.nhid} × {config.nlayers},"
        f" tested on {checkpoint.test_name}"
    )


def pull(pull: Pull) -> tuple[str, str]:
    """Where a pull stands: a sentence, and what it means for this page."""
    name = pull.request.source
    meanwhile = "Until then this page runs on the checkpoint bundled with it."
    match pull.phase:
        case Phase.PULLING if pull.total:
            return f"Pulling {name} from the Hub: {pull.here / 1e6:.1f} of {megabytes(pull.total)}.", meanwhile
        case Phase.PULLING:
            return f"Asking the Hub for {name} …", meanwhile
        case Phase.PREPARING:
            return f"{name} is here; it is being quantized and measured.", meanwhile
        case Phase.SERVING if pull.problem:
            return pull.problem, "The copy of it that is cached here is used."
        case Phase.REFUSED:
            return pull.problem, f"This page runs on the checkpoint bundled with it. Asked for by {pull.request.by}."
    return "", ""


def switched(checkpoint: Checkpoint) -> tuple[str, str]:
    """For a page that was open when another checkpoint came into service."""
    return (
        f"This page now runs on {origin(checkpoint)}.",
        "Texts and speeds that were here before came from the checkpoint before it; run again for new ones.",
    )


def machine_facts(lab: Lab) -> str:
    """What a timing here depends on."""
    machine = lab.machine
    threads = "1 thread" if machine.threads == 1 else f"{machine.threads} threads"
    return f"{machine.cpu} ({machine.capability}), torch {machine.torch}, engine {machine.engine}, {threads}"


def _significant(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"
