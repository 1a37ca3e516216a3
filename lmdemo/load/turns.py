"""Who was served before whom: what the app's log says of its jobs, and what visitors saw of theirs."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from lmdemo.load.visitor import Asked

SLACK = 0.01  # seconds; the log rounds


@dataclass(frozen=True)
class Turn:
    """A run, in seconds on one clock."""

    came_after: float  # it joined the queue after this
    came_before: float  # and before this
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
            turns.append(Turn(started - job["queue_seconds"], started - job["queue_seconds"], started, ended))
    return turns


def turns_of_visitors(asked: Iterable[Asked]) -> list[Turn]:
    """The turns of those who pressed a button and saw their run begin and end; an endpoint does not tell when it began.

    What is seen is seen late, but nobody sees a run end before it has ended.
    """
    seen = (one for one in asked if one.kind.startswith("page/") and one.started and one.ended)
    return [Turn(one.asked, one.accepted, one.started, one.ended) for one in seen]


def overtakes(turns: Sequence[Turn]) -> int:
    """The most runs that began and ended before one whose visitor had certainly come earlier began."""
    return max(
        (
            sum(other.came_after > one.came_before + SLACK and other.ended < one.started for other in turns)
            for one in turns
        ),
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
