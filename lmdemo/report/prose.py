"""Results in sentences and figures: numbers are rounded for a reader here, and with `ranged` where words are apart."""

import math
from collections.abc import Iterable, Mapping

from lmdemo.checkpoint import Checkpoint
from lmdemo.evaluation import Comparison, exp, shown_perplexity
from lmdemo.machine import Machine
from lmdemo.measured import Evaluation
from lmdemo.packed_fp32 import PackedFp32Model
from lmdemo.packed_int8 import PackedInt8Model
from lmdemo.roofline import Bound, Limit
from lmdemo.size import Size
from lmdemo.timed import WIDE, Interval, Timed
from lmdemo.variants import BASELINE, FAIR


def megabytes(size: int) -> str:
    """Bytes as MB of 10^6."""
    return f"{size / 1e6:.1f} MB"


def file_size(size: int) -> str:
    """Bytes of a file that may be small: MB of 10^6, below one of them kB of 10^3."""
    return megabytes(size) if size >= 1e6 else f"{size / 1e3:.0f} kB"


def about(held_bytes: int) -> str:
    """Bytes in memory, to two figures: what else the process did is in them."""
    size, unit = (held_bytes / 1e6, "MB") if held_bytes >= 1e5 else (held_bytes / 1e3, "kB")
    return f"{float(f'{size:.2g}'):g} {unit}"


def interval(value: Interval, unit: str = "") -> str:
    """A median and its interval, as `ranged`."""
    return ranged(value.median, value.low, value.high, unit) if value.n else "–"


def ranged(value: float, low: float, high: float, unit: str = "", most: int = 3, signs: bool = False) -> str:
    """A figure and its 95% interval, the page's one notation: 3.0 (2.9 to 3.2).

    Args:
        value, low, high: the ends are NaN where there is no interval.
        unit: behind the figure, for all three.
        most: digits after the point; fewer where the interval supports no more.
        signs: write a plus too.
    """
    if math.isnan(low):
        return f"about {_significant(value)}{unit}"
    digits = most if low == high else min(most, math.ceil(-math.log10((high - low) / 4)))  # below 0: tens, hundreds
    middle, *ends = (_rounded(number, digits, signs) for number in (value, low, high))
    if ends == [middle, middle]:
        return f"{middle.rstrip('0').rstrip('.') if '.' in middle else middle}{unit}"
    return f"{middle}{unit} ({ends[0]} to {ends[1]})"


def _rounded(value: float, digits: int, signs: bool) -> str:
    """A number in its sign's own dash; zero without sign or digits."""
    text = f"{round(value, digits):{'+' if signs else ''},.{max(0, digits)}f}"
    return text.replace("-", "−") if float(text.replace(",", "")) else "0"


def rate(words_per_second: float) -> str:
    """A speed to two figures: a single run supports no more."""
    return f"{float(f'{words_per_second:.2g}'):,.0f} words/s"


def module_size(size: Size, module: str) -> str:
    """What a module takes of the whole file; of a decoder that shares the embedding's matrix, what it adds to it."""
    own = megabytes(size.parts[module])
    return f"{own} + the embedding" if module == "decoder" and size.shared else own


def size_sentences(sizes: Mapping[str, Size]) -> tuple[str, str]:
    """What the size bars mean: how much smaller, then what shrank, what did not, and why."""
    base, int8 = sizes[BASELINE], sizes["int8"]
    shrunk = (int8.modules["rnn"] + int8.modules["decoder"]) / (base.modules["rnn"] + base.modules["decoder"])
    share = base.modules["encoder"] / base.total
    smallest = min(sizes, key=lambda name: sizes[name].total)
    least = ""
    if smallest == "int4-embedding":
        least = f" With the embedding in 4 bits too, {sizes[smallest].ratio:.0%} is left."
    first = f"int8 takes {int8.ratio:.0%} of the bytes of {BASELINE}."
    if base.shared:
        return (
            first,
            f"The weights are tied: in {BASELINE} embedding and decoder are one matrix, stored once, {share:.0%} of the"
            " file. Quantizing breaks the tie: the decoder becomes integers of its own, a quarter of that matrix, and"
            f" the embedding stays beside it in fp32. What the LSTM saves has to pay for that first.{least}",
        )
    return (
        first,
        f"LSTM and decoder shrank to {shrunk:.0%}, a byte for a weight instead of four. The embedding, {share:.0%} of"
        f" {BASELINE}, did not change: the tutorial’s call names LSTM and Linear only.{least}",
    )


def speed_verdict(comparison: Comparison) -> str:
    """How fast the variant of most interest is, against fp32 and against fp32 laid out for this CPU."""
    base, name = comparison.baseline, of_interest(comparison.results)
    if name == base:
        return f"{base} reads {interval(comparison.speed(base))} words/s."
    speedup = comparison.speedup(name)
    if math.isnan(speedup.low):
        return f"{name} reads at about {_significant(speedup.median)}× the speed of {base}; too few blocks to say more."
    if speedup.low <= 1 <= speedup.high:
        return f"The noise on this machine hides any difference in speed: {interval(speedup, '×')}."
    fair = ""
    if FAIR in comparison.results and name != FAIR:
        fair = f", {interval(comparison.speedup(name, over=FAIR), '×')} that of {FAIR}"
    return f"{name} reads at {interval(speedup, '×')} the speed of {base}{fair}."


def why(comparison: Comparison, limits: Mapping[str, Limit]) -> str:
    """What takes the time of words that are read, from how near its limit each variant comes; empty without limits."""
    speeds = {name: comparison.speed(name).median for name in comparison.results if name in limits}
    shares = {name: speed / limits[name].reading for name, speed in speeds.items()}
    waits = {name: limits[name].reading_waits_for(speed) for name, speed in speeds.items()}
    return waiting(f"Read {comparison.window:,} at a time", shares, waits)


def waiting(how: str, shares: Mapping[str, float], waits: Mapping[str, Bound]) -> str:
    """What a word's time goes into, variant by variant, each with its share of its limit; empty for none."""
    names: dict[Bound, list[str]] = {}
    for name, bound in waits.items():
        names.setdefault(bound, []).append(f"{name} ({shares[name]:.0%} of its limit)")
    parts = [f"{bound.value} with {_listed(found)}" for bound, found in names.items()]
    return f"{how}, most of a word’s time goes into {'; '.join(parts)}." if parts else ""


def loss_verdict(comparison: Comparison) -> str:
    """What that costs in loss, in one sentence."""
    base, name = comparison.baseline, of_interest(comparison.results)
    one, other = comparison.results[base], comparison.results[name]
    over = f"over {one.tokens:,} words in windows of {comparison.window}"
    if name == base:
        return f"Its loss is {one.loss:.4f} nats a word (perplexity {shown_perplexity(one.perplexity, 1)}) {over}."
    return (
        f"Its loss differs by {signed(other.loss - one.loss, 4)} nats a word (perplexity"
        f" {shown_perplexity(other.perplexity, 1)} against {shown_perplexity(one.perplexity, 1)},"
        f" {signed(100 * (exp(other.loss - one.loss) - 1), 2)}%) {over}."
    )


def doubts(evaluation: Evaluation) -> str:
    """Why these timings say less than they should, if they do; else nothing."""
    reading, writing = evaluation.comparison, evaluation.writing
    found = reasons_for_doubt(reading, "reading", "measure more words, or in a quieter moment") if reading.final else []
    if writing and writing.final:
        found += reasons_for_doubt(writing, "writing", "measure again in a quieter moment")
    return " ".join(found)


def reasons_for_doubt(timed: Timed, doing: str, remedy: str) -> list[str]:
    """Why timings of variants in `doing` something say less than they should, and what to do."""
    reasons = []
    name, width = timed.widest
    if width > WIDE:
        spread = interval(timed.speed(name))
        reasons.append(f"In {doing} the spread is wide, {spread} words/s for {name}: {remedy}.")
    watched = timed.interference
    if watched.by_others:
        taken = f"{watched.others:.0%} of the processors"
        reasons.append(f"During {doing} other work, with this app’s for others, took {taken}.")
    if watched.by_host:
        taken = f"{watched.stolen:.0%} of its processor time"
        reasons.append(f"During {doing} the host of this virtual machine took {taken} away.")
    return reasons


def signed(value: float, digits: int) -> str:
    """A number with its sign; zero without one."""
    text = f"{value:+.{digits}f}"
    return text[1:] if float(text) == 0 else text.replace("-", "−")


def chosen_ways(name: str, model: PackedFp32Model | PackedInt8Model) -> str:
    """What a packed variant has chosen on this machine so far."""
    parts = [
        f"{choice.work}: {choice.chosen}, {choice.seconds[choice.chosen] * 1e3:.2g} ms"
        + ("" if choice.chosen == "stock" else f" against {choice.seconds['stock'] * 1e3:.2g} ms")
        for choice in model.chosen_ways
    ]
    return f"Chosen here for {name} by a short measurement: {'; '.join(parts)}." if parts else ""


def unavailable(reasons: Mapping[str, str]) -> str:
    """Which variants cannot be built on this platform, and why."""
    return f"Not available here: {' '.join(reasons.values())}" if reasons else ""


def of_interest(names: Iterable[str]) -> str:
    """int8 if it was measured, else the last variant."""
    *_, last = names = list(names)
    return "int8" if "int8" in names else last


def origin(checkpoint: Checkpoint) -> str:
    """Where a checkpoint comes from, in a few words."""
    if checkpoint.source == "bundled":
        return "bundled with the app"
    if checkpoint.revision:
        return f"{checkpoint.source} at {checkpoint.revision[:7]}"
    return f"from the folder {checkpoint.name}"


def shape(checkpoint: Checkpoint) -> str:
    """What a checkpoint holds, in a few words."""
    config = checkpoint.config
    return (
        f"{config.ntoken:,} words, LSTM {config.ninp}→{config.nhid} × {config.nlayers},{' tied weights,' * config.tied}"
        f" tested on {checkpoint.test_name}"
    )


def machine_line(machine: Machine) -> str:
    """What a timing here depends on."""
    threads = "1 thread" if machine.threads == 1 else f"{machine.threads} threads"
    return f"{machine.cpu} ({machine.capability}), torch {machine.torch}, engine {machine.engine}, {threads}"


def _significant(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def _listed(names: list[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
