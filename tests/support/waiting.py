"""Waiting for what happens. No test waits for a number of seconds; the limit is for what never comes."""

import time
from collections.abc import Callable

LAST_NET = 120  # seconds; a busy machine takes longer for everything


def _nap() -> None:
    time.sleep(0.02)


def wait_until(condition: Callable[[], object], what: str, pause: Callable[[], None] = _nap) -> None:
    """Look until a condition holds."""
    deadline = time.monotonic() + LAST_NET
    while not condition():
        assert time.monotonic() < deadline, f"it never came: {what}"
        pause()
