"""The gate over Gradio's queue while it runs: whom it counts, what is kept of who does not read, what is told."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator

import httpx
import pytest
from gradio.queueing import ProcessTime
from starlette.types import Message, Receive, Scope, Send

from inside import LONG, Inside, served_inside
from lmdemo.server import gradio_queue
from lmdemo.server.headers import security_headers
from lmdemo.server.queue_limits import PER_ADDRESS, PER_SESSION, UNREAD

# Gradio makes event loops as it builds a page and leaves them to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")

GONE = f'event: error\ndata: {{"error": "{gradio_queue.GONE}"}}\n\n'
FOREIGN_PAGE = {"Origin": "https://example.org", "Access-Control-Request-Method": "POST"}


@pytest.fixture(scope="module")
def served() -> Iterator[Inside]:
    with served_inside() as inside:
        yield inside


@pytest.fixture
def inside(served: Inside) -> Iterator[Inside]:
    yield served
    served.wait_until_idle()


@pytest.fixture
def few_mailboxes(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    boxes = inside.page._queue.pending_messages_per_session
    for session in list(boxes):
        del boxes[session]
    monkeypatch.setattr(boxes, "max_size", 2)


def stopping(inside: Inside) -> httpx.Response:
    inside.stop.told.set()
    try:
        return inside.join("stopping")
    finally:
        inside.stop.told.clear()


def failing(inside: Inside) -> httpx.Response:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inside.page.app, "get_blocks", lambda: 1 / 0)
        # over a connection of its own, which is closed after that
        return httpx.get(f"{inside.page.local_url}gradio_api/heartbeat/any")


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (lambda inside: inside.client.get("/"), 200),
        (lambda inside: inside.client.get("/nothing"), 404),
        (lambda inside: inside.client.get("/", headers={"X-Forwarded-Host": "a b"}), 400),
        (lambda inside: inside.client.options("/gradio_api/queue/join", headers=FOREIGN_PAGE), 200),
        (stopping, 503),
        (failing, 500),
    ],
    ids=["page", "refusal", "threshold", "preflight", "stopping", "failure"],
)
def test_every_answer_carries_the_headers(
    inside: Inside, answer: Callable[[Inside], httpx.Response], status: int
) -> None:
    answered = answer(inside)
    assert answered.status_code == status
    for name, value in security_headers(None):
        assert answered.headers.get_list(name.decode()) == [value.decode()]


def test_a_call_that_was_left_while_it_ran_is_gone(inside: Inside) -> None:
    run = inside.call()
    address = f"/gradio_api/call/generate/{run}"
    inside.begin_to_read(address)
    inside.wait_until_idle()
    assert inside.begin_to_read(address) == GONE


@pytest.mark.usefixtures("few_mailboxes")
def test_a_call_whose_result_had_to_make_room_is_gone(inside: Inside) -> None:
    run = inside.call(("It was", 1, 1.0, 0, 1))
    inside.wait_until_idle()
    for session in ("b", "c"):
        inside.join(session).raise_for_status()
    assert inside.begin_to_read(f"/gradio_api/call/generate/{run}") == GONE


def test_a_call_that_was_read_to_its_end_is_gone(inside: Inside) -> None:
    address = f"/gradio_api/call/generate/{inside.call(('It was', 1, 1.0, 0, 1))}"
    assert "event: complete" in inside.client.get(address).text
    assert inside.begin_to_read(address) == GONE


@pytest.mark.usefixtures("few_mailboxes")
def test_of_a_session_that_has_no_mailbox_nothing_is_kept(inside: Inside) -> None:
    queue = inside.page._queue
    for number in range(5):
        inside.join(f"unread-{number}").raise_for_status()
        inside.wait_until_idle()
    assert list(queue.pending_messages_per_session) == ["unread-3", "unread-4"]
    assert set(queue.pending_event_ids_session) == {"unread-3", "unread-4"}


def test_of_a_session_that_leaves_nothing_is_kept(inside: Inside) -> None:
    queue = inside.page._queue
    run = inside.join("leaving", LONG).json()["event_id"]
    inside.begin_to_read("/gradio_api/queue/data?session_hash=leaving")
    inside.wait_until_idle()
    assert run not in queue.pending_event_ids_session.get("leaving", ())


def test_nor_if_gradio_finds_it_gone_before_it_hears_of_it(inside: Inside) -> None:
    """It then keeps the mailbox: here it always does, since what serves the stream is what it does in that case."""
    queue = inside.page._queue
    run = inside.join("slow", LONG).json()["event_id"]

    async def as_gradio(_scope: Scope, receive: Receive, _send: Send) -> None:
        while run not in {event._id for job in queue.active_jobs for event in job or ()}:
            await asyncio.sleep(0.01)
        await receive()
        await queue.clean_events(session_hash="slow")

    async def left() -> Message:
        return {"type": "http.disconnect"}

    following = gradio_queue.follow(as_gradio, queue, "slow", {}, left, left)
    asyncio.run_coroutine_threadsafe(following, inside.stop.loop).result(60)
    inside.wait_until_idle()
    assert "slow" in queue.pending_messages_per_session
    assert not queue.pending_event_ids_session["slow"]


def test_of_two_readers_of_a_session_one_leaves_and_the_other_is_told(
    inside: Inside, caplog: pytest.LogCaptureFixture
) -> None:
    inside.join("both", LONG).raise_for_status()
    address = "/gradio_api/queue/data?session_hash=both"
    with inside.client.stream("GET", address) as other:
        told = other.iter_text()
        next(told)
        inside.begin_to_read(address)
        rest = "".join(told)  # to its end, and not to a connection that breaks off
    assert '"session_not_found":true' in rest
    assert caplog.records == []


def test_who_reads_nothing_gets_no_more(inside: Inside) -> None:
    for _ in range(UNREAD):
        refused = inside.join("deaf")
        if not refused.is_success:
            break
        inside.wait_until_idle()
    assert refused.status_code == 429
    sentence = f"More than {UNREAD} messages to this page are unread; read what its runs have told."
    assert refused.json() == {"error": sentence}
    assert inside.page._queue.pending_messages_per_session["deaf"].qsize() < UNREAD + 20
    assert inside.join("other").is_success  # the others do
    assert "close_stream" in inside.client.get("/gradio_api/queue/data?session_hash=deaf").text
    assert inside.join("deaf").is_success


def test_a_run_ends_once_however_often_it_is_cancelled(inside: Inside) -> None:
    box = inside.page._queue.pending_messages_per_session
    run = inside.join("often", LONG).json()["event_id"]
    cancel = {"session_hash": "often", "fn_index": inside.write, "event_id": run}
    for _ in range(10):
        answer = inside.client.post("/gradio_api/cancel", json=cancel)
        assert (answer.status_code, answer.json()) == (200, {"success": True})
    inside.wait_until_idle()
    messages = [message.msg.value for message in box["often"]._queue]
    assert messages.count("process_completed") == 1


def test_looking_up_how_long_runs_take_leaves_no_trace(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a function that has merely been looked up, Gradio says that it takes no time."""
    times: dict = defaultdict(ProcessTime)
    monkeypatch.setattr(inside.page._queue, "process_time_per_fn", times)
    *taken, refused = [inside.join("guessed", LONG) for _ in range(PER_SESSION + 1)]
    assert all(answer.is_success for answer in taken)
    assert "takes about 20 s" in refused.json()["error"]
    assert not times
    inside.begin_to_read("/gradio_api/queue/data?session_hash=guessed")


def fill(inside: Inside, told: Callable[[int], str]) -> httpx.Response:
    """Ask for runs of a session each until one is refused, with what `told` says a proxy has heard."""
    taken = []
    for number in range(PER_ADDRESS + 20):
        answer = inside.join(f"told-{number}", LONG, **{"X-Forwarded-For": told(number)})
        if not answer.is_success:
            break
        taken.append(f"told-{number}")
    another = inside.join("another", **{"X-Forwarded-For": "9.9.9.1, 9.9.9.2, 10.0.0.1"})
    for session in taken:
        inside.begin_to_read(f"/gradio_api/queue/data?session_hash={session}")
    assert len(taken) >= PER_ADDRESS
    assert answer.json()["error"].startswith(f"From one address {PER_ADDRESS} runs may wait; ")
    return another


def test_on_a_space_the_host_says_whose_run_it_is() -> None:
    with served_inside(SPACE_ID="someone/demo") as inside:
        # what stands before it is the visitor's own word; the host's inner proxies may add theirs
        assert fill(inside, lambda number: f"9.9.{number}.1, 9.9.9.1, 10.0.0.1").is_success
        inside.wait_until_idle()


def test_elsewhere_a_visitor_does_not_choose_their_address(inside: Inside) -> None:
    assert fill(inside, lambda number: f"9.9.9.{number}").status_code == 429
