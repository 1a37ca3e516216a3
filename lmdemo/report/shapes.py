"""A shape that was measured, and a sweep over widths, in sentences and rows."""

from collections.abc import Mapping

from lmdemo.evaluation import Comparison
from lmdemo.latency import Latencies
from lmdemo.report import prose
from lmdemo.shape import Shape
from lmdemo.shaping import ShapeRun
from lmdemo.size import MODULES, Size
from lmdemo.sweeping import Sweep
from lmdemo.variants import BASELINE, FAIR
from lmdemo.verdict import above

INT8, PACKED = "int8", "int8-packed"
VERBS = {"writing": "writes", "reading": "reads"}
MEANINGS = {
    "writing, words/s": "Words written a second, one at a time: the median over turns of ten words, with its 95%"
    " interval.",
    "writing × fp32-packed": "How many times as fast as fp32 done well: the median of the ratios of the same turn, the"
    " variants taking turns in random order in one run, with its 95% interval.",
    "reading, words/s": "Words read a second, a window at a time: the median over the turns, with its 95% interval.",
    "reading × fp32-packed": "As in writing, of words that are read a window at a time.",
}


def reckoned(shape: Shape) -> str:
    """What a shape comes to, before any of it is there."""
    return (
        f"{shape.parameters:,} parameters, {prose.file_size(shape.fp32_bytes)} as fp32,"
        f" {prose.file_size(shape.int8_bytes)} as int8."
    )


def progress(run: ShapeRun) -> str:
    """How far a run has come that is under way."""
    if run.writing:
        return f"Writing: {run.writing.words:,} words each."
    if run.reading:
        return f"Reading: {run.reading.results[run.reading.baseline].tokens:,} words each."
    if len(run.built) == len(run.variants):
        return "Built. Weighing the files …"
    return f"Building {run.variants[len(run.built)]}, {len(run.built) + 1} of {len(run.variants)} …"


def verdict(run: ShapeRun) -> tuple[str, str]:
    """Whether int8 pays at this shape, and the figures; empty before all is measured."""
    if not run.final:
        return "", ""
    timed = _timed(run)
    ahead = {work: above(each.speedup(INT8, over=FAIR), 1.0) for work, each in timed.items()}
    figures = (
        f"{who} {' and '.join(f'{VERBS[work]} at {_ratio(each, name)}' for work, each in timed.items())} the speed of"
        f" {FAIR}."
        for who, name in (("It", INT8), ("Packed, it", PACKED))
    )
    return _pays(ahead), " ".join(figures)


def file(sizes: Mapping[str, Size]) -> str:
    """What the file of int8 is beside that of fp32."""
    one, other = sizes[BASELINE], sizes[INT8]
    both = f"{prose.file_size(other.total)} instead of {prose.file_size(one.total)}"
    if other.total > one.total:
        return f"int8’s file is larger: {both}."
    return f"int8’s file is {other.ratio:.0%} of fp32’s: {both}."


def bytes_sentence(sizes: Mapping[str, Size]) -> str:
    """What the bars of bytes show."""
    one, other = sizes[BASELINE], sizes[INT8]
    if other.modules["decoder"] > one.modules["decoder"]:
        return (
            f"{file(sizes)} In fp32 embedding and decoder are one matrix; quantizing makes a second one of the decoder,"
            f" {prose.file_size(other.modules['decoder'])}."
        )
    largest = max(one.modules, key=one.modules.__getitem__)
    stays = "stays as it is" if largest == "encoder" else "shrinks to about a quarter"
    return f"{file(sizes)} The largest part, the {MODULES[largest]}, {stays}."


def doubts(run: ShapeRun) -> str:
    """Why the timings say less than they should, if they do; else nothing."""
    if not run.final:
        return ""
    return " ".join(
        reason
        for work, timed in _timed(run).items()
        for reason in prose.reasons_for_doubt(timed, work, "measure again in a quieter moment")
    )


def rows(run: ShapeRun) -> dict[str, dict[str, str]]:
    """Words a second of each corner, with their spread."""
    return {
        name: {
            column: cell
            for work, timed in _timed(run).items()
            for column, cell in (
                (f"{work}, words/s", prose.interval(timed.speed(name))),
                (f"{work} × {FAIR}", "1" if name == FAIR else prose.interval(timed.speedup(name, over=FAIR))),
            )
        }
        for name in run.variants
    }


def sweep_sentence(found: Sweep) -> str:
    """From which width on int8 pays, as far as it was measured."""
    if not found.points:
        return "Nothing was measured."
    left = ", ".join(f"{width:,}" for width in found.left_out)
    return f"int8 is surely faster than fp32 done well {_from(found, INT8)}. Packed int8 is {_from(found, PACKED)}." + (
        f" There was no time for {left}." if left else ""
    )


def sweep_progress(found: Sweep) -> str:
    """How far a sweep has come that is under way."""
    run = found.run
    if run is None:
        return "Starting …"
    return f"Hidden {run.shape.nhid:,}, {len(found.points) + 1} of {len(found.shapes)}. {progress(run)}"


def _timed(run: ShapeRun) -> dict[str, Latencies | Comparison]:
    return {"writing": run.writing, "reading": run.reading}


def _ratio(timed: Latencies | Comparison, name: str) -> str:
    return prose.interval(timed.speedup(name, over=FAIR), "×")


def _pays(ahead: Mapping[str, bool | None]) -> str:
    """In a sentence, where int8 is ahead of fp32 done well, by work; None where an interval holds 1."""
    speed = {True: "faster", False: "slower"}
    answers = {*ahead.values()}
    if answers == {None}:
        return "At this shape no difference shows between int8 and fp32 done well: both intervals hold 1."
    if len(answers) == 1:
        return f"At this shape int8 is {speed[answers.pop()]} than fp32 done well, in writing and in reading."
    known = [f"{speed[answer]} in {work}" for work, answer in ahead.items() if answer is not None]
    open_ = [
        f"; in {work} no difference shows, the interval holds 1" for work, answer in ahead.items() if answer is None
    ]
    return f"At this shape, against fp32 done well, int8 is {' and '.join(known)}{''.join(open_)}."


def _from(found: Sweep, variant: str) -> str:
    """From which width on a variant is ahead, in writing and in reading."""
    first = found.points[0].hidden
    widths = {work: found.pays_from(work, variant) for work in VERBS}
    places = {
        work: "at none of these sizes"
        if width is None
        else "at all of these sizes"
        if width == first
        else f"from {width:,} on"
        for work, width in widths.items()
    }
    if len({*places.values()}) == 1:
        return f"{places['writing']}, in writing and in reading"
    return ", ".join(f"in {work} {place}" for work, place in places.items())
