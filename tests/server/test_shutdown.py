"""The app is told to stop: what its clients are told, and how it ends."""

import asyncio
import json
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from calls import Calls
from inside import LONG, SHORT, Inside, served_inside
from lmdemo.bench import running_app
from lmdemo.server import gradio_queue, shutdown
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


@contextmanager
def finishing(inside: Inside, patience: float) -> Iterator[tuple[Future[dict], Future[dict], Future[None]]]:
    """A run that cannot go on within the block and one that waits, while the app ends: the ends of all three."""
    with ThreadPoolExecutor(2) as readers:  # a run begins when it is read
        with inside.service.lab._turns.turn:
            ends = []
            for session, values in (("running", LONG), ("waiting", SHORT)):
                inside.join(session, values).raise_for_status()
                ends.append(readers.submit(end_of, inside, session))
                wait_until(lambda: any(inside.queue.active_jobs), "a run under way")
            yield *ends, asyncio.run_coroutine_threadsafe(inside.queue.finish(patience), inside.stop.loop)
        inside.wait_until_idle()


def test_a_run_under_way_has_its_time_and_one_that_waits_is_told(inside: Inside) -> None:
    with finishing(inside, LAST_NET) as (running, waiting, ending):
        assert waiting.result(LAST_NET)["output"]["error"] == gradio_queue.STOPPED
        assert not running.done()
    assert running.result(LAST_NET)["success"]
    ending.result(LAST_NET)


def test_what_does_not_end_in_its_time_is_told(inside: Inside) -> None:
    with finishing(inside, 0) as (running, waiting, ending):
        for told in (waiting, running):
            assert told.result(LAST_NET)["output"]["error"] == gradio_queue.STOPPED
        ending.result(LAST_NET)


@pytest.mark.parametrize("path", ["call/generate", "call/v2/generate", "queue/join"])
def test_once_told_no_new_run_begins(inside: Inside, path: str) -> None:
    inside.stop.asked.set()
    try:
        refused = inside.client.post(f"/gradio_api/{path}", json={"data": ["It was", 5, 1, 0, 1]})
        assert inside.client.get("/").is_success  # who looks at the page still sees it
    finally:
        inside.stop.asked.clear()
    assert (refused.status_code, refused.json()) == (503, {"error": shutdown.REFUSED})


def test_the_whole_end_takes_less_than_five_seconds() -> None:
    assert shutdown.PATIENCE + gradio_queue.READ + 0.5 < 5


@pytest.mark.parametrize("number", shutdown.SIGNALS)
def test_a_signal_ends_the_app_in_order(number: signal.Signals, tmp_path: Path, calls: Callable[[str], Calls]) -> None:
    with running_app(log=tmp_path / "log") as (app, address, _):
        call = calls(address)
        running = [call.begin("evaluate", 8_000, 1), call.begin("evaluate", 8_000, 1)]  # word by word
        call.wait_for_turn(left=1)
        app.send_signal(number)
        for run in running:
            _, event, answer = run.result()
            assert (event, answer["error"]) == ("error", gradio_queue.STOPPED)
        assert app.wait(timeout=LAST_NET) == 0
    assert beside_jobs(tmp_path / "log") == []
    with pytest.raises(httpx.ConnectError):
        httpx.get(address)
