"""The app is told to stop: what its clients are told, and how it ends."""

import asyncio
import json
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

import httpx
import pytest

from calls import Calls
from inside import LONG, SHORT, Inside, served_inside
from lmdemo.bench import running_app
from lmdemo.server import shutdown
from logged import beside_jobs
from waiting import LAST_NET, wait_until

# Gradio makes event loops as it builds a page and leaves them to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")


@pytest.fixture(scope="module")
def inside() -> Iterator[Inside]:
    with served_inside() as inside:
        yield inside


def end_of(inside: Inside, session: str) -> dict:
    """What the run of a session ended with."""
    with inside.client.stream("GET", f"/gradio_api/queue/data?session_hash={session}") as answer:
        messages = (json.loads(line.removeprefix("data: ")) for line in answer.iter_lines() if line)
        return next(message for message in messages if message["msg"] == "process_completed")


def finishing(inside: Inside) -> Future[None]:
    """One run under way and one that waits, while the app ends."""
    queue = inside.page._queue
    inside.join("running", LONG).raise_for_status()
    wait_until(lambda: any(queue.active_jobs), "a run under way")
    inside.join("waiting", SHORT).raise_for_status()
    return asyncio.run_coroutine_threadsafe(shutdown.finish(queue), inside.stop.loop)


def test_a_run_under_way_has_its_time_and_one_that_waits_is_told(
    inside: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutdown, "PATIENCE", LAST_NET)
    ending = finishing(inside)
    assert end_of(inside, "waiting")["output"]["error"] == shutdown.ENDED
    assert end_of(inside, "running")["success"]
    ending.result(LAST_NET)


def test_what_does_not_end_in_its_time_is_told(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutdown, "PATIENCE", 0)
    ending = finishing(inside)
    for session in ("waiting", "running"):
        assert end_of(inside, session)["output"]["error"] == shutdown.ENDED
    ending.result(LAST_NET)
    inside.wait_until_idle()


@pytest.mark.parametrize("path", ["call/generate", "call/v2/generate", "queue/join"])
def test_once_told_no_new_run_begins(inside: Inside, path: str) -> None:
    inside.stop.told.set()
    try:
        refused = inside.client.post(f"/gradio_api/{path}", json={"data": ["It was", 5, 1, 0, 1]})
        assert inside.client.get("/").is_success  # who looks at the page still sees it
    finally:
        inside.stop.told.clear()
    assert (refused.status_code, refused.json()) == (503, {"error": shutdown.REFUSED})


def test_the_whole_end_takes_less_than_five_seconds() -> None:
    assert shutdown.PATIENCE + shutdown.READ + 0.5 < 5


@pytest.mark.parametrize("number", shutdown.SIGNALS)
def test_a_signal_ends_the_app_in_order(number: signal.Signals, tmp_path: Path, calls: Callable[[str], Calls]) -> None:
    with running_app(log=tmp_path / "log") as (app, address, _):
        call = calls(address)
        running = [call.begin("evaluate", 8_000, 1), call.begin("evaluate", 8_000, 1)]  # word by word
        call.wait_for_turn(left=1)
        app.send_signal(number)
        for run in running:
            _, event, answer = run.result()
            assert (event, answer["error"]) == ("error", shutdown.ENDED)
        assert app.wait(timeout=LAST_NET) == 0
    assert beside_jobs(tmp_path / "log") == []
    with pytest.raises(httpx.ConnectError):
        httpx.get(address)
