"""Requests of every kind over real HTTP: each is answered with less than 500, and neither answer nor log tells more.

`LMDEMO_FUZZ=20000 tests/run tests/server/test_fuzz.py` sends that many; without it a short form runs. What is sent
is the same each time.
"""

import json
import math
import os
from collections.abc import Iterator

import pytest
from anyio.from_thread import start_blocking_portal
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import patient
from fuzz_app import FuzzedApp, Loop, Sent
from fuzz_bytes import raw_bytes
from fuzz_calls import ENDPOINTS, Page, calls, others
from fuzz_requests import on_any_path, routes
from short import running_shortly
from waiting import LAST_NET

REQUESTS = int(os.environ.get("LMDEMO_FUZZ", "600"))
BATCH = 10  # requests that are on their way at the same time


class Report:
    """Prints the counts when all tests have run."""

    def __init__(self, app: FuzzedApp) -> None:
        self.app = app

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        terminalreporter.section(f"{self.app.sent():,} fuzzed requests by status")
        for line in self.app.summary():
            terminalreporter.write_line(line)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[FuzzedApp]:
    log = tmp_path_factory.mktemp("fuzz") / "stderr.log"
    with running_shortly(log=log) as (_, address, _), start_blocking_portal() as portal:
        loop = Loop(portal)
        app = FuzzedApp(address, log, loop, loop.run(routes()))
        app.get("/healthz")  # once the model answers
        request.config.pluginmanager.register(Report(app))
        yield app
        app.close()


def share(part: float, batch: int = 1) -> settings:
    """Settings for a part of the requests, `batch` in an example."""
    return settings(
        max_examples=max(1, round(REQUESTS * part / batch)),
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


def post(path: str, *headers: str, body: str = "") -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: here", "Content-Type: application/json", *headers]
    return "\r\n".join([*lines, "", body]).encode()


def get(path: str, *headers: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", *headers, "", ""]).encode()


JOIN = "/gradio_api/queue/join"
REFUSED = {
    "an origin and no host": (b"GET / HTTP/1.0\r\nOrigin: http://here\r\n\r\n", 400, "must name the Host"),
    "a preflight without a host": (
        b"OPTIONS / HTTP/1.0\r\nOrigin: http://here\r\nAccess-Control-Request-Method: GET\r\n\r\n",
        400,
        "must name the Host",
    ),
    "a host that is none": (get("/config", "Host: ["), 400, "A host is a name or an address"),
    "a path that leads up": (
        get("/config", "Host: here", "X-Forwarded-Host: here/../x?y"),
        400,
        "A forwarded host is a name or an address",
    ),
    "a port that is none": (
        get("/config", "Host: here", "X-Forwarded-Host: a:b"),
        400,
        "A forwarded host is a name or an address",
    ),
    "a name longer than a file's": (get(f"/assets/{'a' * 400}", "Host: here"), 404, "There is nothing here."),
    "a body that does not come": (post(JOIN, "Content-Length: 99", body="{"), 408, "did not arrive within 10 seconds"),
    "chunks without end": (post(JOIN, "Transfer-Encoding: chunked", body="1\r\n{\r\n"), 408, "did not arrive"),
    "a body told to be too long": (post(JOIN, "Content-Length: 65537", body="{"), 413, "65,536 bytes"),
    "chunks that are too long": (
        post(JOIN, "Transfer-Encoding: chunked", body=f"18000\r\n{'x' * 0x18000}\r\n0\r\n\r\n"),
        413,
        "65,536 bytes",
    ),
    "a body that is not told to be JSON": (
        b"POST /gradio_api/cancel HTTP/1.1\r\nHost: here\r\nContent-Length: 2\r\n\r\n{}",
        415,
        "must be application/json",
    ),
    "two lengths": (post(JOIN, "Content-Length: 2", "Content-Length: 3", body="{}"), 400, "Invalid HTTP request"),
    "a negative length": (post(JOIN, "Content-Length: -2", body="{}"), 400, "Invalid HTTP request"),
    "no HTTP at all": (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400, "Invalid HTTP request"),
}


def test_what_no_client_sends_is_refused_with_a_sentence(app: FuzzedApp) -> None:
    answers = app.raw([data for data, _, _ in REFUSED.values()], look=LAST_NET)
    for (name, (_, status, sentence)), answer in zip(REFUSED.items(), answers, strict=True):
        assert answer.startswith(f"HTTP/1.1 {status} ".encode()), (name, answer)
        assert sentence.encode() in answer, (name, answer)


def test_another_method_is_told_which_are_answered(app: FuzzedApp) -> None:
    assert patient.put(f"{app.address}{JOIN}").headers["Allow"] == "POST"


def test_a_client_that_leaves_in_the_middle_of_a_body_is_forgotten(app: FuzzedApp) -> None:
    assert app.raw([post(JOIN, "Content-Length: 99", body="{")], look=0.2) == [b""]
    app.settle()


def test_a_body_that_is_no_http_leaves_no_traceback(app: FuzzedApp) -> None:
    answers = app.raw([post("/nothing", "Transfer-Encoding: chunked", body="no length\r\n")] * 5, look=LAST_NET)
    assert all(answer.startswith(b"HTTP/1.1 400 ") for answer in answers)
    app.settle()


def test_two_clients_of_a_session_may_leave(app: FuzzedApp) -> None:
    follow = b"GET /gradio_api/queue/data?session_hash=shared HTTP/1.1\r\nHost: here\r\n\r\n"
    function = next(each for each in app.functions.values() if each["api_name"] == "evaluate")
    body = {"data": [800, 1], "fn_index": function["id"], "session_hash": "shared"}
    app.post(JOIN, body)
    assert all(answer.startswith(b"HTTP/1.1 200") for answer in app.left([follow, follow]))
    app.settle()


@pytest.mark.parametrize("query", ["page=elsewhere", "deep_link=abc&page=elsewhere", "all_endpoints=1"])
def test_parameters_of_other_pages_of_gradios_change_nothing(app: FuzzedApp, query: str) -> None:
    assert app.get(f"/config?{query}") == app.get("/config")
    assert app.get(f"/gradio_api/info?{query}") == app.get("/gradio_api/info")
    assert patient.get(f"{app.address}/?{query}").status_code == 200


def test_a_header_of_a_front_end_that_does_not_run_moves_nothing(app: FuzzedApp) -> None:
    moved = patient.get(f"{app.address}/config", headers={"X-Gradio-Server": "http://elsewhere.example"}).json()
    assert moved["root"] == app.address


def test_an_id_of_a_run_is_text(app: FuzzedApp) -> None:
    function = next(each for each in app.functions.values() if each["queue"] and each["backend_fn"])
    body = {
        "data": [0] * len(function["inputs"]),
        "fn_index": function["id"],
        "session_hash": "a",
        "event_id": [math.nan],
    }
    assert json.loads(app.answer(JOIN, body)) == {"error": "event_id must be 1 to 64 letters, digits, - and _."}


VALUES = (None, True, -1, 0.5, 99, 5000, 10**400, math.nan, "x", "\x00", [[]], ["no such"], [None])


def test_values_out_of_a_components_range_are_answered_without_names(app: FuzzedApp) -> None:
    for function in app.functions.values():
        kinds = {app.components[number]["type"] for number in function["inputs"]}
        if not function["backend_fn"] or function["api_name"] in ENDPOINTS or kinds <= {"state"}:
            continue
        path = JOIN if function["queue"] else "/gradio_api/run/predict"
        for number, value in enumerate(VALUES):
            session = f"values-{function['id']}-{number}"
            data = [value] * len(function["inputs"])
            told = app.answer(path, {"data": data, "fn_index": function["id"], "session_hash": session})
            assert '"error"' not in told, (function, value, told)
            assert '"success":false' not in told, (function, value, told)


def test_any_method_on_any_path(app: FuzzedApp) -> None:
    before = app.sent()

    @share(0.4, BATCH)
    @given(st.lists(on_any_path(app.routes), min_size=BATCH, max_size=BATCH))
    def send(requests: list[Sent]) -> None:
        app.together(requests)

    send()
    assert app.sent() - before >= 0.4 * REQUESTS


def test_calls_of_every_function_and_endpoint_spoilt(app: FuzzedApp) -> None:
    before = app.sent()
    spoilt = calls(Page(app.functions, app.components), spoilt=True)
    requests = spoilt | spoilt | others()

    @share(0.4, BATCH)
    @given(st.lists(requests, min_size=BATCH, max_size=BATCH))
    def send(requests: list[Sent]) -> None:
        app.together(requests)

    send()
    app.settle()
    assert app.sent() - before >= 0.4 * REQUESTS


def test_calls_as_the_page_makes_them_to_their_end(app: FuzzedApp) -> None:
    before = app.sent()

    @share(0.1)
    @given(calls(Page(app.functions, app.components), spoilt=False))
    def send(call: Sent) -> None:
        app.together([call])

    send()
    app.settle()
    assert app.sent() - before >= 0.1 * REQUESTS


def test_bytes_that_are_no_request(app: FuzzedApp) -> None:
    before = app.sent()

    @share(0.1, BATCH)
    @given(st.lists(raw_bytes(), min_size=BATCH, max_size=BATCH))
    def send(data: list[bytes]) -> None:
        app.raw(data, look=0.4)

    send()
    assert app.sent() - before >= 0.1 * REQUESTS
