"""How events run: what computes goes one at a time, and what it sends is paced by the clock."""

import time
from collections.abc import Iterator
from typing import TypeVar

Snapshot = TypeVar("Snapshot")

TEXT_INTERVAL = 0.1  # seconds between updates of a text
CHART_INTERVAL = 0.25  # of a chart, which the browser takes longer to draw

TURN = {"concurrency_id": "compute", "concurrency_limit": 1}  # one computing event at a time, on tabs and endpoints
COMPUTING = {**TURN, "show_progress": "full", "api_visibility": "private"}
QUICK = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}


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
