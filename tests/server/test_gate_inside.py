"""The gate over Gradio's queue while it runs: whom it counts, what is kept of who does not read, what is told."""

import asyncio
import gc
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from operator import attrgetter

import httpx
import pytest
import torch
from gradio.server_messages import ProcessCompletedMessage
from starlette.types import Message, Receive, Scope, Send

import lmdemo
from inside import LONG, Inside, served_inside
from lmdemo import inference
from lmdemo.generation import Generation
from lmdemo.server import gone, gradio_queue, rates
from lmdemo.server.headers import address_of, security_headers
from patient import get
from waiting import LAST_NET, wait_until

# Gradio makes event loops as it builds a page and leaves them to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")

GONE = f'event: error\ndata: {{"error": "{gone.GONE}"}}\n\n'
FOREIGN_PAGE = {"Origin": "https://example.org", "Access-Control-Request-Method": "POST"}


@pytest.fixture(scope="module")
def served() -> Iterator[Inside]:
    with served_inside() as inside:
        yield inside


@pytest.fixture
def inside(served: Inside, monkeypatch: pytest.MonkeyPatch) -> Iterator[Inside]:
    """With as much time to begin to read as a busy machine needs."""
    monkeypatch.setattr(gradio_queue, "GRACE", LAST_NET)
    yield served
    served.wait_until_idle()


@pytest.fixture
def no_patience(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001 - its patience goes before
    """Runs that nobody reads leave the queue at once."""
    monkeypatch.setattr(gradio_queue, "GRACE", 0.0)


@pytest.fixture
def few_mailboxes(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    boxes = inside.queue.pending_messages_per_session
    for session in list(boxes):
        del boxes[session]
    monkeypatch.setattr(boxes, "most", 2)


def stopping(inside: Inside) -> httpx.Response:
    inside.stop.asked.set()
    try:
        return inside.join("stopping")
    finally:
        inside.stop.asked.clear()


def failing(inside: Inside) -> httpx.Response:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inside.page.app, "get_blocks", lambda: 1 / 0)
        # over a connection of its own, which is closed after that
        return get(f"{inside.page.local_url}gradio_api/queue/data?session_hash=any")


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


@pytest.mark.usefixtures("few_mailboxes", "no_patience")
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


@pytest.mark.usefixtures("few_mailboxes", "no_patience")
def test_of_a_session_that_has_no_mailbox_nothing_is_kept(inside: Inside) -> None:
    queue = inside.queue
    for number in range(5):
        inside.join(f"unread-{number}").raise_for_status()
        inside.wait_until_idle()
    assert list(queue.pending_messages_per_session) == ["unread-3", "unread-4"]
    assert set(queue.pending_event_ids_session) == {"unread-3", "unread-4"}


def test_of_a_session_that_leaves_nothing_is_kept(inside: Inside) -> None:
    queue = inside.queue
    run = inside.join("leaving", LONG).json()["event_id"]
    inside.begin_to_read("/gradio_api/queue/data?session_hash=leaving")
    inside.wait_until_idle()
    assert run not in queue.pending_event_ids_session.get("leaving", ())


def test_nor_if_gradio_finds_it_gone_before_it_hears_of_it(inside: Inside) -> None:
    """It then keeps the mailbox: here it always does, since what serves the stream is what it does in that case."""
    queue = inside.queue
    run = inside.join("slow", LONG).json()["event_id"]

    async def as_gradio(_scope: Scope, receive: Receive, _send: Send) -> None:
        while run not in {event._id for job in queue.active_jobs for event in job or ()}:
            await asyncio.sleep(0.01)
        await receive()
        await queue.clean_events(session_hash="slow")

    async def left() -> Message:
        return {"type": "http.disconnect"}

    following = queue.follow(as_gradio, "slow", {}, left, left)
    asyncio.run_coroutine_threadsafe(following, inside.stop.loop).result(LAST_NET)
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


@pytest.mark.usefixtures("no_patience")
def test_who_reads_nothing_gets_no_more(inside: Inside) -> None:
    for _ in range(gradio_queue.UNREAD):
        refused = inside.join("deaf")
        if not refused.is_success:
            break
        inside.wait_until_idle()
    assert refused.status_code == 429
    sentence = f"More than {gradio_queue.UNREAD} messages to this page are unread; read what its runs have sent."
    assert refused.json() == {"error": sentence}
    assert inside.queue.pending_messages_per_session["deaf"].qsize() < gradio_queue.UNREAD + 20
    assert inside.join("other").is_success  # the others do
    assert "close_stream" in inside.client.get("/gradio_api/queue/data?session_hash=deaf").text
    assert inside.join("deaf").is_success


def cancel(inside: Inside, session: str, run: str) -> httpx.Response:
    body = {"session_hash": session, "fn_index": inside.write, "event_id": run}
    return inside.client.post("/gradio_api/cancel", json=body)


def lines_until(told: Iterator[str], what: str) -> None:
    """Read until a message says so."""
    assert any(what in text for text in told)


def test_stop_twice_is_answered_twice_and_takes_no_place(inside: Inside) -> None:
    for number in range(3):
        session = f"twice-{number}"
        run = inside.join(session, LONG).json()["event_id"]
        with (
            inside.client.stream("GET", f"/gradio_api/queue/data?session_hash={session}") as reading,
            ThreadPoolExecutor() as presses,
        ):
            told = reading.iter_text()
            lines_until(told, "process_generating")
            answers = list(presses.map(lambda _, run=run, session=session: cancel(inside, session, run), range(3)))
            rest = "".join(told)
        assert [(answer.status_code, answer.json()) for answer in answers] == [(200, {"success": True})] * 3
        assert rest.count("process_completed") == 1
    inside.wait_until_idle()
    assert not inside.queue.event_ids_to_events


def test_a_session_cancels_its_own_runs_only(inside: Inside) -> None:
    run = inside.join("victim", LONG).json()["event_id"]
    with inside.client.stream("GET", "/gradio_api/queue/data?session_hash=victim") as reading:
        told = reading.iter_text()
        lines_until(told, "process_generating")
        assert cancel(inside, "attacker", run).json() == {"success": True}  # as of one that has ended
        lines_until(told, "process_generating")
        assert cancel(inside, "victim", run).is_success
    inside.wait_until_idle()


def test_a_run_that_nobody_reads_is_not_begun_and_leaves(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gradio_queue, "GRACE", 0.3)
    inside.join("unread", LONG).raise_for_status()
    inside.wait_until_idle()
    told = inside.client.get("/gradio_api/queue/data?session_hash=unread").text
    assert gradio_queue.NOT_READ in told
    assert "process_generating" not in told


def test_who_reads_is_served_before_who_does_not(inside: Inside) -> None:
    inside.join("silent", LONG).raise_for_status()
    inside.join("reader").raise_for_status()
    assert "process_completed" in inside.client.get("/gradio_api/queue/data?session_hash=reader").text
    assert [place.session for place in inside.queue.places()] == ["silent"]
    inside.begin_to_read("/gradio_api/queue/data?session_hash=silent")


def test_what_nobody_reads_is_bounded_in_bytes(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader who has connected and takes nothing: what the run shows stays in the mailbox."""
    monkeypatch.setattr(gradio_queue, "UNREAD_BYTES", 20_000)
    queue = inside.queue
    inside.join("stuck", LONG).raise_for_status()

    async def takes_nothing(_scope: Scope, _receive: Receive, _send: Send) -> None:
        while queue.places():
            await asyncio.sleep(0.01)

    following = queue.follow(takes_nothing, "stuck", {}, takes_nothing, takes_nothing)
    asyncio.run_coroutine_threadsafe(following, inside.stop.loop).result(LAST_NET)
    assert queue.pending_messages_per_session.bytes_of("stuck") < 100_000
    assert gradio_queue.TOO_MUCH_UNREAD in inside.client.get("/gradio_api/queue/data?session_hash=stuck").text


def test_of_all_that_is_unread_the_most_goes_first(inside: Inside) -> None:
    boxes = inside.queue.pending_messages_per_session
    for session, length in (("small", 10), ("large", 10_000)):
        boxes[session] = asyncio.Queue()
        boxes[session].put_nowait(ProcessCompletedMessage(output={"data": ["x" * length]}, success=True))
    boxes.make_room(5_000)
    assert "small" in boxes
    assert "large" not in boxes


def test_the_wait_comes_from_what_runs_took_here(inside: Inside) -> None:
    function = gradio_queue.function(inside.page, inside.write)
    inside.join("timed").raise_for_status()
    inside.client.get("/gradio_api/queue/data?session_hash=timed")
    inside.wait_until_idle()
    took = inside.queue._taken[function.number]
    assert took[-1] > 0
    assert inside.queue.seconds(function) == sum(took) / len(took)


def asked_from(inside: Inside, told: str) -> str:
    """The address that a run counts for, with what a proxy has heard."""
    inside.join("told", LONG, **{"X-Forwarded-For": told}).raise_for_status()
    (place,) = inside.queue.places()
    inside.begin_to_read("/gradio_api/queue/data?session_hash=told")
    inside.wait_until_idle()
    return place.address


def test_on_a_space_the_host_says_whose_run_it_is() -> None:
    with served_inside(SPACE_ID="someone/demo") as inside:
        # what stands before it is the visitor's own word; the host's inner proxies may add theirs
        assert asked_from(inside, "9.9.9.3, 9.9.9.1, 10.0.0.1") == "9.9.9.1"


def test_elsewhere_a_visitor_does_not_choose_their_address(inside: Inside) -> None:
    assert asked_from(inside, "9.9.9.1") == "127.0.1.1"


@pytest.mark.parametrize(
    ("told", "path"),
    [
        ({"X-Forwarded-Prefix": "/lm"}, "/lm"),
        ({"X-Forwarded-Prefix": "/demo/lm/", "X-Forwarded-Host": "example.org"}, "/demo/lm"),
        ({"X-Forwarded-Prefix": "/lm", "X-Forwarded-Host": "example.org/lm"}, "/lm"),
        ({"X-Forwarded-Prefix": "/"}, ""),
    ],
)
def test_a_proxy_that_takes_a_prefix_off_is_heard(inside: Inside, told: dict[str, str], path: str) -> None:
    root = httpx.URL(inside.client.get("/config", headers=told).json()["root"])
    assert root.path.rstrip("/") == path
    assert root.host == ("example.org" if "X-Forwarded-Host" in told else "127.0.0.1")


def test_a_prefix_that_is_no_path_is_refused(inside: Inside) -> None:
    answer = inside.client.get("/config", headers={"X-Forwarded-Prefix": "/a b"})
    assert (answer.status_code, answer.json()) == (400, {"error": "A forwarded prefix is a path."})


def test_who_asks_too_often_is_told_and_others_are_answered(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "AT_ONCE", 20.0)
    monkeypatch.setattr(rates, "PER_SECOND", 1e-6)  # else it would have to ask faster than it earns
    body = {"session_hash": "often", "fn_index": -1, "data": []}
    elsewhere = httpx.HTTPTransport(local_address="127.0.3.1")
    with httpx.Client(base_url=inside.page.local_url, transport=elsewhere, timeout=LAST_NET) as often:
        answers = [often.post("/gradio_api/run/any", json=body).status_code for _ in range(21)]
        assert answers == [404] * 20 + [429]
        assert often.get("/config").status_code == 429
    assert inside.client.get("/config").is_success


def stop_within(inside: Inside, reached: threading.Event, go_on: threading.Event, *run: object) -> str:
    """Cancel a run that has reached a place, and let it go on from there; its name."""
    name = inside.join("stopped", run).json()["event_id"]
    with inside.client.stream("GET", "/gradio_api/queue/data?session_hash=stopped"):
        assert reached.wait(LAST_NET)
        with ThreadPoolExecutor() as pressing:
            answer = pressing.submit(cancel, inside, "stopped", name)
            events = inside.queue.event_ids_to_events
            wait_until(lambda: name not in events or not events[name].alive, "the end of the run")
            go_on.set()
            assert answer.result().is_success
    return name


def end_of(run: str, caplog: pytest.LogCaptureFixture) -> dict:
    """What the log says of a run, as soon as it does."""

    def lines() -> list[dict]:
        fields = (getattr(record, "fields", {}) for record in caplog.records)
        return [told for told in fields if told.get("event") == run]

    wait_until(lines, "its line in the log")
    (line,) = lines()
    return line


def test_a_run_that_was_stopped_gives_the_processor_up_before_its_first_words(
    inside: Inside, caplog: pytest.LogCaptureFixture
) -> None:
    """In the middle of a prompt of 2,000 characters, six times over: pauses come after each piece of it."""
    caplog.set_level(logging.INFO, "lmdemo")
    all_variants = list(lmdemo.VARIANTS)[1:]
    reached, go_on, runner = threading.Event(), threading.Event(), inference.Runner.prefill
    with pytest.MonkeyPatch.context() as patch:

        def prefill(self: inference.Runner, ids: torch.Tensor, pause: inference.Pause) -> None:
            reached.set()
            go_on.wait(LAST_NET)
            runner(self, ids, pause)

        patch.setattr(inference.Runner, "prefill", prefill)
        run = stop_within(inside, reached, go_on, False, all_variants, "a " * 1_000, 5, 1.0, 0, 1, False)
    line = end_of(run, caplog)
    assert line["outcome"] == "stopped"
    assert "words" not in line


@pytest.mark.parametrize("late", ["lmdemo.lab.write", "lmdemo.ui.generate.throttled"])
def test_a_run_that_is_stopped_after_the_last_pause_of_its_first_step_ends_too(
    inside: Inside, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, late: str
) -> None:
    """And without a garbage collector: what it has shown reached nobody, so that Gradio knows of nothing to close."""
    caplog.set_level(logging.INFO, "lmdemo")
    reached, go_on = threading.Event(), threading.Event()

    steps = attrgetter(late.removeprefix("lmdemo."))(lmdemo)

    def waits(*asked: object) -> Iterator[Generation]:
        for snapshot in steps(*asked):
            reached.set()
            go_on.wait(LAST_NET)
            yield snapshot

    monkeypatch.setattr(late, waits)
    gc.disable()
    try:
        run = stop_within(inside, reached, go_on, *LONG)
        assert end_of(run, caplog)["outcome"] == "stopped"
    finally:
        gc.enable()


def test_of_ipv6_a_network_counts_as_one() -> None:
    assert address_of({"client": ("2001:db8:1:2:3::4", 1)}) == address_of({"client": ("2001:db8:1:2::9", 1)})
    assert address_of({"client": ("2001:db8:1:3::4", 1)}) == "2001:db8:1:3::/64"
