"""Pacing what a generator sends to the browser: by the clock, never a snapshot a word."""

import time
from collections.abc import Iterator
from typing import TypeVar

Snapshot = TypeVar("Snapshot")

TEXT_INTERVAL = 0.08  # seconds between updates of a text
CHART_INTERVAL = 0.25  # of a chart, which the browser takes longer to draw


def throttled(snapshots: Iterator[Snapshot], interval: float) -> Iterator[Snapshot]:
    """The first snapshot at once, then at most one every `interval` seconds, and the last one always."""
    shown = float("-inf")
    waiting: Snapshot | None = None
    for waiting in snapshots:
        if time.monotonic() - shown >= interval:
            yield waiting
            shown, waiting = time.monotonic(), None
    if waiting is not None:
        yield waiting
