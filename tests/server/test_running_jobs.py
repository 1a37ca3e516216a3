"""Jobs on a page that runs: what fails, what takes too long, what waits; and one line in the log for each."""

import copy
import gc
import json
import logging
from asyncio import Queue
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import gradio as gr
import pytest
from torch import Tensor, nn

from account import overtakes, turns_of_jobs
from little_text import little_text
from lmdemo.server import mailboxes
from lmdemo.server.log import JsonLines
from lmdemo.server.service import Service
from lmdemo.ui import build_page, launch_options
from patient import get
from visitor import Asked, Leave, Outcome, Visitor, page_events
from waiting import LAST_NET, wait_until

# Gradio makes event loops as it builds a page and leaves them to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")

WRITE = ("page/generate", (False, ["int8"], "It was", 20, 1.0, 0, 1, False))
LONGER = ("page/generate", (False, ["int8"], "It was", 200, 1.0, 0, 1, False))  # than WRITE
LONG = ("page/generate", (False, ["int8"], "It was", 1_000, 1.0, 0, 1, False))
CALL = ("api/generate", ("It was", 20, 1.0, 0, 1))


class Broken(nn.Module):
    """A decoder that cannot compute."""

    def forward(self, output: Tensor) -> Tensor:
        raise RuntimeError(f"secret {output}")


def wait_for_place(visitor: Visitor) -> None:
    """Until what a visitor asks for, in another thread, has its place in the queue."""
    wait_until(lambda: visitor.asked and visitor.asked[-1].accepted, "a place in the queue")


def ask(visitor: Visitor, what: tuple, *leave: object) -> Asked:
    """Press or call, whichever it is."""
    return (visitor.press if what[0].startswith("page") else visitor.call)(*what, *leave)


@pytest.fixture(scope="module")
def service() -> Service:
    with little_text():
        return Service()


@pytest.fixture(scope="module")
def page(service: Service) -> Iterator[gr.Blocks]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_ANALYTICS_CACHE_FREQUENCY", "1000000000")  # as app.py does
        page = build_page(service)
    page.launch(prevent_thread_lock=True, quiet=True, **launch_options(service))
    service.start()
    service.lab.evaluation.result(timeout=LAST_NET)
    yield page
    page.close()
    gc.collect()  # while these tests still say what may be left unclosed


@pytest.fixture
def visitor(page: gr.Blocks) -> Callable[[], Visitor]:
    """A new visitor of the page."""
    address = page.local_url.rstrip("/")
    events = page_events(get(f"{address}/config").json())
    return lambda: Visitor(address, events)


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Callable[[], list[dict]]:
    """The lines of the jobs that have ended."""
    caplog.set_level(logging.INFO, "lmdemo")
    return lambda: [json.loads(JsonLines().format(record)) for record in caplog.records if record.msg == "job"]


def test_what_fails_is_a_sentence_and_the_next_is_served(
    service: Service,
    visitor: Callable[[], Visitor],
    lines: Callable[[], list[dict]],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    def both() -> list[Asked]:
        with visitor() as one:
            return [ask(one, what) for what in (WRITE, CALL)]

    with monkeypatch.context() as patch:
        model = copy.deepcopy(service.lab.checkpoint.model)
        model.decoder = Broken()
        patch.setitem(service.lab.models, "int8", model)
        pressed, called = both()
    assert pressed.outcome is Outcome.DONE  # the page shows the sentence
    assert called.outcome is Outcome.ERROR
    assert "The run failed; the log of this server says where." in called.problem
    assert [(line["outcome"], line["error"]) for line in lines()] == [("failed", "RuntimeError")] * 2
    assert all(line["where"].startswith("inference.py:") for line in lines())
    assert "secret" not in json.dumps(lines())
    assert [one.outcome for one in both()] == [Outcome.DONE] * 2
    assert "Traceback" not in capfd.readouterr().err


def test_what_takes_too_long_is_a_sentence(
    service: Service, visitor: Callable[[], Visitor], lines: Callable[[], list[dict]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "longest", 0.05)
    whole = (("api/evaluate", (1_000, 1)), ("page/evaluate", (1_000, 1, ["int8"])), LONG)
    with visitor() as one:
        called, *pressed = (ask(one, what) for what in whole)
    assert called.outcome is Outcome.ERROR
    assert "The run was ended after 0.05 seconds" in called.problem
    assert [one.outcome for one in pressed] == [Outcome.DONE] * 2  # with what was measured, and the sentence
    assert [line["outcome"] for line in lines()] == ["too long"] * 3
    assert all((line.get("tokens") or line.get("words")) > 0 for line in lines())


def test_visitors_are_served_in_their_turn_and_the_log_says_how_long_they_waited(
    service: Service, visitor: Callable[[], Visitor], lines: Callable[[], list[dict]]
) -> None:
    with ThreadPoolExecutor() as crowd, ExitStack() as visitors:
        asking = []
        with service.lab._turns.turn:  # none has computed anything when the last comes
            for what in (LONGER, WRITE, CALL, LONGER, CALL, WRITE):
                one = visitors.enter_context(visitor())
                asking.append(crowd.submit(ask, one, what))
                wait_for_place(one)
        asked = [one.result() for one in asking]
    assert [one.outcome for one in asked] == [Outcome.DONE] * 6
    told = lines()
    assert [line["event"] for line in told] == [one.event for one in asked]
    assert overtakes(turns_of_jobs(told)) == 0
    for number, (line, one) in enumerate(zip(told, asked, strict=True)):
        between = sum(before["seconds"] for before in told[1:number])  # all of which it waited for
        assert between - 0.01 <= line["queue_seconds"] <= one.waited + 0.01  # the log rounds


@pytest.mark.parametrize("leave", [Leave.CANCEL, Leave.VANISH])
def test_whoever_leaves_stops_what_they_asked_for(
    visitor: Callable[[], Visitor], lines: Callable[[], list[dict]], leave: Leave
) -> None:
    with visitor() as one:
        left = ask(one, LONG, leave, 0.05)
    with visitor() as other:
        after = ask(other, WRITE)
    assert left.outcome.value.startswith(leave.value[:6])
    assert after.outcome is Outcome.DONE
    first, second = lines()
    assert (first["event"], first["outcome"]) == (left.event, "stopped")
    assert first["words"] < 2_000
    assert (second["event"], second["outcome"]) == (after.event, "done")


def test_a_session_that_is_forgotten_while_it_waits_does_not_stop_the_queue(
    page: gr.Blocks, visitor: Callable[[], Visitor], monkeypatch: pytest.MonkeyPatch
) -> None:
    boxes = page._queue.pending_messages_per_session
    for session in list(boxes):
        del boxes[session]
    monkeypatch.setattr(boxes, "most", 5)

    with visitor() as one, visitor() as two, visitor() as three, ThreadPoolExecutor(1) as thread:
        running = thread.submit(ask, one, LONG)
        wait_for_place(one)
        ask(two, WRITE, Leave.NEVER_READ)  # waits, and is forgotten before its turn

        def is_read() -> None:
            wait_until(lambda: list(boxes)[-1] == one.session, "a use of the mailbox that is read")

        is_read()
        for _ in range(4):
            with visitor() as passing:
                ask(passing, ("api/sizes", ()))
        is_read()
        assert two.session not in list(boxes)
        assert [ask(three, WRITE).outcome, running.result().outcome] == [Outcome.DONE] * 2
    assert not page._queue.stopped


def test_the_mailboxes_used_last_are_kept() -> None:
    runs = mailboxes.Runs(a={"1"}, b={"2"}, c={"3"})
    boxes = mailboxes.Mailboxes(2, runs)
    boxes["a"], boxes["b"] = Queue(), Queue()
    assert "a" in boxes
    boxes["c"] = Queue()
    assert list(boxes) == list(runs) == ["a", "c"]
    boxes["b"].put_nowait("dropped")
    assert list(boxes) == ["a", "c"]
