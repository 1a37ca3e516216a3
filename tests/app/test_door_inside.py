"""The door over Gradio's queue while it runs: whom it counts, what is kept of who does not read, what is told."""

from collections.abc import Callable, Iterator

import httpx
import pytest
from inside import Inside, served_inside

from lmdemo.ui.door import security_headers

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
