"""A load or a soak as Markdown: every figure, the bar that it is held against, and whether it passes."""

from collections.abc import Sequence
from dataclasses import dataclass

from lmdemo.load.measure import Load, State
from lmdemo.load.soak import FLAT, Soak
from lmdemo.load.visitor import Outcome

TIMING = 0.15  # that words/s may differ under load
MEMORY = 0.05  # that the app may keep when it is at rest again
THREADS = 2  # that it may keep: the web server's own come and go


@dataclass(frozen=True)
class Row:
    """A figure and its bar."""

    what: str
    figure: str
    bar: str = ""
    passed: bool = True


def load_rows(load: Load) -> list[Row]:
    """The figures of a load."""
    rows = [
        Row("visitors, and pages they opened", f"{load.visitors:,} in {load.seconds:g} s, {load.sessions:,}"),
        Row("requests", f"{len(load.asked):,}"),
        *(Row(outcome.value, f"{load.count(outcome):,}") for outcome in Outcome if outcome is not Outcome.ERROR),
        Row("errors", f"{len(load.errors):,}", "0", not load.errors),
    ]
    if load.waits is not None:
        median, most, worst = load.waits
        rows.append(Row("wait: median, 95th percentile, worst", f"{median:.1f}, {most:.1f}, {worst:.1f} s"))
    rows.append(Row("most visitors served before one who came earlier", f"{load.overtakes}", "0", load.overtakes == 0))
    for (kind, variant), (ratio, answers) in load.ratios.items():
        rows.append(
            Row(
                f"{variant} words/s of /{kind.removeprefix('api/')}, under load ÷ idle",
                f"{ratio:.2f} ({answers} answers)",
                f"{1 - TIMING:.2f} to {1 + TIMING:.2f}",
                abs(ratio - 1) <= TIMING,  # NaN, without an answer, does not pass
            )
        )
    return [*rows, *_memory(load.before, load.peak, load.after), *_left(load.unaccounted)]


def _memory(before: State, peak: int | None, after: State) -> list[Row]:
    if before.memory is None:
        return [Row("memory, threads", "cannot be seen from here")]
    grown = after.memory / before.memory - 1
    return [
        Row(
            "memory before, at its peak, after",
            f"{before.memory / 1e6:.0f}, {peak / 1e6:.0f}, {after.memory / 1e6:.0f} MB ({grown:+.1%})",
            f"at most {MEMORY:+.0%} after",
            grown <= MEMORY,
        ),
        _threads(before.threads, after.threads),
    ]


def _threads(before: int, after: int) -> Row:
    return Row("threads before, after", f"{before}, {after}", f"at most {THREADS} more", after <= before + THREADS)


def _left(unaccounted: tuple[int, int] | None) -> list[Row]:
    if unaccounted is None:
        return []
    without, more = unaccounted
    return [
        Row("runs that began and did not end", f"{without}", "0", without == 0),
        Row("lines in the log beyond one a run", f"{more}", "0", more == 0),
    ]


def soak_rows(soak: Soak) -> list[Row]:
    """The figures of a soak."""
    slope, error = soak.slope
    first, last = soak.memory[0] / 1e6, soak.memory[-1] / 1e6
    return [
        Row("sessions", f"{len(soak.asked):,}", "all, in the time", soak.whole),
        Row("errors", f"{len(soak.errors):,}", "0", not soak.errors),
        Row("memory at the first look, at the last", f"{first:.0f}, {last:.0f} MB"),
        Row(
            "memory per 1,000 sessions, over the second half",
            f"{slope:+.1f} MB (95% {slope - error:+.1f} to {slope + error:+.1f})",
            f"below {FLAT:+.0f} MB",
            soak.flat,
        ),
        _threads(*soak.threads),
        *_left(soak.unaccounted),
    ]


def markdown(rows: Sequence[Row]) -> str:
    """The rows as a table, and below it what does not pass."""
    lines = [f"| {row.what} | {row.figure} | {row.bar} |" for row in rows]
    missed = [row.what for row in rows if not row.passed]
    verdict = f"Does not pass: {'; '.join(missed)}." if missed else "All of it passes."
    return "\n".join(["| measured | | bar |", "|---|---:|---:|", *lines, "", verdict])
