"""What came of a crowd or a soak as Markdown: every figure, the bar that it is held against, and whether it passes."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from account import speeds
from visitor import Asked, Outcome

TIMING = 0.15  # that words/s may differ under load
MEMORY = 0.05  # that the app may keep when it is at rest again
THREADS = 2  # that it may keep: the web server's own come and go
FLAT = 5.0  # MB per 1,000 sessions


@dataclass(frozen=True)
class Row:
    """A figure and its bar."""

    what: str
    figure: str
    bar: str = ""
    passed: bool = True


def outcome_rows(asked: Sequence[Asked], errors: Sequence[str]) -> list[Row]:
    """How many requests came to which end; any error does not pass."""
    count = Counter(one.outcome for one in asked)
    ends = [Row(outcome.value, f"{count[outcome]:,}") for outcome in Outcome if outcome is not Outcome.ERROR]
    return [Row("requests", f"{len(asked):,}"), *ends, Row("errors", f"{len(errors):,}", "0", not errors)]


def wait_rows(asked: Sequence[Asked], overtakes: int) -> list[Row]:
    """Seconds until the first sign of life, and whether anybody was overtaken."""
    waits = [one.waited for one in asked if one.waited is not None]
    median, most, worst = np.quantile(waits, (0.5, 0.95, 1)) if waits else (math.nan,) * 3
    return [
        Row("wait: median, 95th percentile, worst", f"{median:.1f}, {most:.1f}, {worst:.1f} s"),
        Row("most visitors served before one who came earlier", f"{overtakes}", "0", overtakes == 0),
    ]


def speed_rows(loaded: Sequence[Asked], idle: Sequence[Asked]) -> list[Row]:
    """By endpoint and variant: words/s under load ÷ idle, of the medians."""
    rows, under_load = [], speeds(loaded)
    for key, rates in speeds(idle).items():
        answers = under_load.get(key, [])
        ratio = float(np.median(answers) / np.median(rates)) if answers else math.nan
        endpoint, variant = key[0].removeprefix("api/"), key[1]
        rows.append(
            Row(
                f"{variant} words/s of /{endpoint}, under load ÷ idle",
                f"{ratio:.2f} ({len(answers)} answers)",
                f"{1 - TIMING:.2f} to {1 + TIMING:.2f}",
                abs(ratio - 1) <= TIMING,  # NaN, without an answer, does not pass
            )
        )
    return rows


def memory_row(before: int, peak: int, after: int) -> Row:
    """Bytes resident at rest, at the most, and at rest again."""
    grown = after / before - 1
    figure = f"{before / 1e6:.0f}, {peak / 1e6:.0f}, {after / 1e6:.0f} MB ({grown:+.1%})"
    return Row(
        "memory before, at its peak, after", figure, f"at most {MEMORY:+.0%} after", after <= before * (1 + MEMORY)
    )


def slope_rows(memory: Sequence[int]) -> list[Row]:
    """How bytes resident grew with the sessions, one look after each: by least squares over the second half."""
    y = np.array(memory[len(memory) // 2 :]) / 1e6
    x = np.arange(len(y)) / 1e3
    x, y = x - x.mean(), y - y.mean()
    slope = float(x @ y / (x @ x))
    error = 1.96 * float(np.sqrt(((y - slope * x) ** 2).sum() / max(1, len(x) - 2) / (x @ x)))
    return [
        Row("memory at the first look, at the last", f"{memory[0] / 1e6:.0f}, {memory[-1] / 1e6:.0f} MB"),
        Row(
            "memory per 1,000 sessions, over the second half",
            f"{slope:+.1f} MB (95% {slope - error:+.1f} to {slope + error:+.1f})",
            f"below {FLAT:+.0f} MB",
            slope < FLAT,
        ),
    ]


def thread_row(before: int, after: int) -> Row:
    """Threads at rest, and at rest again."""
    return Row("threads before, after", f"{before}, {after}", f"at most {THREADS} more", after <= before + THREADS)


def account_rows(without: int, more: int) -> list[Row]:
    """Of `unaccounted`."""
    return [
        Row("runs that began and did not end", f"{without}", "0", without == 0),
        Row("lines in the log beyond one a run", f"{more}", "0", more == 0),
    ]


def markdown(rows: Sequence[Row]) -> str:
    """The rows as a table, and below it what does not pass."""
    lines = [f"| {row.what} | {row.figure} | {row.bar} |" for row in rows]
    missed = [row.what for row in rows if not row.passed]
    verdict = f"Does not pass: {'; '.join(missed)}." if missed else "All of it passes."
    return "\n".join(["| measured | | bar |", "|---|---:|---:|", *lines, "", verdict])
