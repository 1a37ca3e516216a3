"""Who was served before whom, what became of each run, how fast answers were: from the app's log and its visitors."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from visitor import Asked, Outcome

SLACK = 0.01  # seconds; the log rounds


@dataclass(frozen=True)
class Turn:
    """A run, in seconds on one clock."""

    came: float  # it joined the queue
    started: float
    ended: float


def jobs_in(log: Path) -> list[dict]:
    """The lines of a log that tell of a job."""
    lines = (line for line in log.read_text(encoding="utf-8").splitlines() if line.startswith("{"))
    return [line for line in map(json.loads, lines) if line["message"] == "job"]


def turns_of_jobs(jobs: Iterable[dict]) -> list[Turn]:
    """The turns of jobs whose time in the queue is known."""
    turns = []
    for job in jobs:
        if job["queue_seconds"] is not None:
            ended = datetime.fromisoformat(job["time"]).timestamp()
            started = ended - job["seconds"]
            turns.append(Turn(started - job["queue_seconds"], started, ended))
    return turns


def overtakes(turns: Sequence[Turn]) -> int:
    """The most runs that began and ended before one whose visitor had come earlier began."""
    return max(
        (sum(other.came > one.came + SLACK and other.ended < one.started for other in turns) for one in turns),
        default=0,
    )


def unaccounted(asked: Iterable[Asked], jobs: Iterable[dict]) -> tuple[int, int]:
    """Runs that something was seen of and that have no line in the log, and lines too many for what was asked for.

    What is cancelled or left before may have begun or not, and has a line or none.
    """
    asked = list(asked)
    lines = Counter(job["event"] for job in jobs)
    events = {one.event for one in asked if one.event}
    begun = {one.event for one in asked if one.computed}
    without = len(begun - lines.keys())
    return without, sum(count - (event in events) for event, count in lines.items())


def speeds(asked: Iterable[Asked]) -> dict[tuple[str, str], list[float]]:
    """Words/s that the endpoints answered with, by endpoint and variant."""
    found: dict[tuple[str, str], list[float]] = {}
    for one in asked:
        if one.outcome is not Outcome.DONE or not one.answer:
            continue
        if one.kind == "api/generate":
            rates = {name: one.answer[name]["words_per_second"] for name in ("fp32", "int8")}
        else:
            rates = {row["variant"]: row["tokens_per_second"] for row in one.answer}
        for name, rate in rates.items():
            found.setdefault((one.kind, name), []).append(rate)
    return found
