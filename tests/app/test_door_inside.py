"""The door over Gradio's queue while it runs: whom it counts, what is kept of who does not read, what is told."""

from collections import defaultdict
from collections.abc import Callable, Iterator

import httpx
import pytest
from gradio.queueing import ProcessTime
from inside import LONG, Inside, served_inside

from lmdemo.ui.door import security_headers
from lmdemo.ui.door.queue_limits import PER_ADDRESS, PER_SESSION

# Gradio makes event loops as it builds a page and leaves them to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")

FOREIGN_PAGE = {"Origin": "https://example.org", "Access-Control-Request-Method": "POST"}


@pytest.fixture(scope="module")
def served() -> Iterator[Inside]:
    with served_inside() as inside:
        yield inside


@pytest.fixture
def inside(served: Inside) -> Iterator[Inside]:
    yield served
    served.wait_until_idle()


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
