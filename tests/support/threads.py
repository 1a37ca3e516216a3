"""Commands in a thread of their own: the browser's fixture keeps an event loop running in the tests' one."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Done = TypeVar("Done")


def in_a_thread(command: Callable[..., Done], *arguments: object, **more: object) -> Done:
    """Run a command that starts an event loop."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(command, *arguments, **more).result()
