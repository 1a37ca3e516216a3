"""Waiting for what happens. No test waits for a number of seconds; the limit is for what never comes."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from lmdemo.bench.app import PATIENCE

Result = TypeVar("Result")

LAST_NET = PATIENCE  # seconds; a busy machine takes many times as long for everything, and nothing is proven by it


def _nap() -> None:
    time.sleep(0.02)


def wait_until(condition: Callable[[], object], what: str, pause: Callable[[], None] = _nap) -> None:
    """Look until a condition holds."""
    deadline = time.monotonic() + LAST_NET
    while not condition():
        assert time.monotonic() < deadline, f"it never came: {what}"
        pause()


def finished(work: Coroutine[object, object, Result]) -> Result:
    """What a coroutine comes to, in a loop of its own: a browser's tests leave one running in their thread."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()
