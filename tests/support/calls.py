"""Calls of an app's endpoints, several on their way at a time."""

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import httpx
import pytest

from patient import get, post
from waiting import wait_until


class Calls:
    """Calls of an app's endpoints, each read by a thread of its own."""

    def __init__(self, address: str, pool: ThreadPoolExecutor) -> None:
        self.api, self.pool = f"{address}/gradio_api", pool

    def post(self, name: str, *data: object) -> httpx.Response:
        return post(f"{self.api}/call/{name}", json={"data": data})

    def begin(self, name: str, *data: object) -> Future[tuple[float, str, object]]:
        """Start a call: the moment of its end, its last event and the data with it."""
        event = self.post(name, *data).raise_for_status().json()["event_id"]
        return self.pool.submit(self._read, f"{self.api}/call/{name}/{event}")

    def _read(self, url: str) -> tuple[float, str, object]:
        *_, last = get(url).raise_for_status().text.strip().split("\n\n")
        event, data = last.split("\n")
        return time.monotonic(), event.removeprefix("event: "), json.loads(data.removeprefix("data: "))

    def wait_for_turn(self, left: int = 0) -> None:
        """Until all that was begun is running, but for those `left` in the queue."""
        wait_until(lambda: get(f"{self.api}/queue/status").json()["queue_size"] <= left, f"{left} left in the queue")


@pytest.fixture
def calls() -> Iterator[Callable[[str], Calls]]:
    with ThreadPoolExecutor() as pool:
        yield lambda address: Calls(address, pool)
