"""Writing, a word at a time, as a table and a sentence of the Evaluate tab."""

from collections.abc import Mapping

from markupsafe import Markup

from lmdemo.latency import Latencies
from lmdemo.roofline import Limit
from lmdemo.ui import markup, prose
from lmdemo.variants import FAIR

MEANINGS = {
    "× fp32": "How many times as fast as fp32: the median of the ratios of the same turn of ten words, the variants"
    " taking turns in random order in one run, with its 95% interval, which is of this run.",
    "× fp32-packed": "As × fp32, of the same weights laid out for this CPU: the fair baseline.",
    "words/s": "Words written a second: the median over the turns, with its 95% interval.",
    "ms a word, median": "The model’s step, its noise and the choice: half of the words took less.",
    "95% take at most": "What the slowest words wait for: one of twenty took longer.",
}


def table(measured: Latencies | None) -> Markup:
    """How fast each variant writes; nothing until it has been measured."""
    if measured is None or not measured.final:
        return Markup()
    title = f"Writing, a word at a time: {measured.words:,} words each, by variant"
    return markup.table(rows(measured), title, shown=True, explained=MEANINGS)


def rows(measured: Latencies) -> dict[str, dict[str, str]]:
    """The rows of `table`, as text."""
    bases = [name for name in (measured.baseline, FAIR) if name in measured.seconds]
    return {
        name: {
            **{f"× {base}": _times(measured, name, base) for base in bases},
            "words/s": prose.interval(measured.speed(name)),
            "ms a word, median": f"{measured.percentile(name, 50) * 1e3:.2g}",
            "95% take at most": f"{measured.percentile(name, 95) * 1e3:.2g} ms",
        }
        for name in measured.seconds
    }


def why(measured: Latencies | None, limits: Mapping[str, Limit]) -> str:
    """What takes the time of words that are written; empty until it has been measured, or without limits."""
    if measured is None or not measured.final:
        return ""
    speeds = {name: measured.speed(name).median for name in measured.seconds if name in limits}
    shares = {name: speed / limits[name].writing for name, speed in speeds.items()}
    waits = {name: limits[name].writing_waits_for(speed) for name, speed in speeds.items()}
    return prose.waiting("Written one at a time", shares, waits)


def _times(measured: Latencies, name: str, base: str) -> str:
    return "1" if name == base else prose.interval(measured.speedup(name, over=base))
