"""What a contest of loops came to: speeds, ratios, how near the limit, and which ways were chosen."""

from collections.abc import Iterator

from lmdemo.bench.figures import figure
from lmdemo.bench.speed import CORNERS, WORDS, Contest, Speed
from lmdemo.bench.tutorial import BPTT
from lmdemo.lab import DEFAULT_WINDOW
from lmdemo.timed import FEWEST_TURNS, Interval

# whose seconds ÷ whose: what our care gains, what the one call gives, what is left when both are done well, the peer
PAIRS = (
    ("tutorial fp32", "fp32-packed"),
    ("tutorial int8", "int8-packed"),
    ("fp32", "int8"),
    ("fp32-packed", "int8-packed"),
    ("fp32-packed", "ONNX Runtime fp32"),
    ("int8-packed", "ONNX Runtime int8"),
)


def speed_figures(speed: Speed) -> dict[str, object]:
    """Words a second by work and contestant, the ratios of seconds, shares of the limits, ways chosen and losses."""
    return {
        "title": speed.title,
        "words_per_second": {
            work: {name: held.speed(name) for name in held.seconds} for work, held in speed.contests.items()
        },
        "seconds_over_seconds": {work: dict(_ratios(held)) for work, held in speed.contests.items()},
        "limits": {
            name: {
                "step": limit.writing,
                "step_share": speed.step.speed(name).median / limit.writing,
                "reading": limit.reading,
                "reading_share": speed.long_windows.speed(name).median / limit.reading,
            }
            for name, limit in speed.limits.items()
        },
        "step_share_of_writing": {name: _step_share(speed, name) for name in speed.step.seconds},
        "chosen": {
            name: [{"work": each.work, "chosen": each.chosen, "seconds": dict(each.seconds)} for each in ways]
            for name, ways in speed.chosen_ways.items()
        },
        "no_kernel": speed.problem,
        "loss": dict(speed.long_windows.answers),
    }


def speed_report(speed: Speed) -> str:
    """The same as Markdown."""
    losses = {name: speed.long_windows.answers[name] for name in ("tutorial fp32", "tutorial int8", *CORNERS)}
    losses_read = ", ".join(f"{name} {loss:.6f}" for name, loss in losses.items())
    rounds = len(speed.generation.seconds["fp32"])
    intervals = " with 95% intervals" if rounds >= FEWEST_TURNS else ""
    return "\n\n".join(
        [
            f"**{speed.title}**",
            _table("words/s", speed, [*speed.generation.seconds], {w: _speeds(c) for w, c in speed.contests.items()}),
            _table(
                "seconds ÷ seconds",
                speed,
                [f"{name} ÷ {other}" for name, other in PAIRS],
                {w: {pair: figure(ratio) for pair, ratio in _ratios(c)} for w, c in speed.contests.items()},
            ),
            f"Medians of {rounds} rounds{intervals}; {speed.step.words:,} steps, {WORDS} words written and"
            f" {speed.evaluation.words:,} read in a turn. The tutorial always reads in its own window of {BPTT}."
            f" Loss: {losses_read}.",
            _roofline(speed),
            *_chosen(speed),
        ]
    )


def _table(head: str, speed: Speed, rows: list[str], cells: dict[str, dict[str, str]]) -> str:
    """One row a name, one column a work; what did not take part is left empty, and a row of nothing but that out."""
    lines = [f"| {' | '.join([head, *speed.contests])} |", f"|---|{'---:|' * len(cells)}"]
    for name in rows:
        row = [column.get(name, "") for column in cells.values()]
        if any(row):
            lines.append(f"| {' | '.join([name, *row])} |")
    return "\n".join(lines)


def _speeds(contest: Contest) -> dict[str, str]:
    return {name: figure(contest.speed(name), digits=0) for name in contest.seconds}


def _ratios(contest: Contest) -> Iterator[tuple[str, Interval]]:
    for name, other in PAIRS:
        if {name, other} <= contest.seconds.keys():
            yield f"{name} ÷ {other}", contest.ratio(name, other)


def _step_share(speed: Speed, name: str) -> float:
    """Of the time of a word that is written, the model's step; noise, choice and the loop are the rest."""
    return speed.generation.speed(name).median / speed.step.speed(name).median


def _roofline(speed: Speed) -> str:
    """How near each corner comes to what this machine allows it, and where the time of a written word goes."""
    head = (
        f"| limit | bytes a word ÷ bandwidth | step, of it | products ÷ peak | reading {DEFAULT_WINDOW}, of it |"
        " step, of writing |\n|---|---:|---:|---:|---:|---:|"
    )
    rows = [
        f"| {name} | {limit.bytes_per_word / 1e6:.1f} MB ÷ {limit.bandwidth / 1e9:.0f} GB/s"
        f" | {speed.step.speed(name).median / limit.writing:.0%}"
        f" | {limit.operations_per_word / 1e6:.1f} M ÷ {limit.peak / 1e9:,.0f} G/s"
        f" | {speed.long_windows.speed(name).median / limit.reading:.0%} | {_step_share(speed, name):.0%} |"
        for name, limit in speed.limits.items()
    ]
    return "\n".join([head, *rows])


def _chosen(speed: Speed) -> Iterator[str]:
    """Each piece of the packed variants' work, and what every way of doing it took."""
    for name, ways in speed.chosen_ways.items():
        pieces = (
            f"{each.work}: {', '.join(_way(way, way == each.chosen, took) for way, took in each.seconds.items())}"
            for each in ways
        )
        yield f"{name}, ms a call: {'; '.join(pieces)}."
    if speed.problem:
        yield f"int8-packed: {speed.problem}"


def _way(way: str, chosen: bool, seconds: float) -> str:
    return f"{'**' * chosen}{way} {seconds * 1e3:.3g}{'**' * chosen}"
