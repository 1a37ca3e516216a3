"""The gate: every hole of bare Gradio, open on a bare app and closed on ours; and what is let through, and how."""

import json
import math
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import httpx
import pytest

from lmdemo.bench import ROOT
from lmdemo.errors import InputError
from lmdemo.server.bodies import MAX_BYTES
from lmdemo.server.headers import security_headers
from lmdemo.server.queue_limits import PER_SESSION
from lmdemo.server.service import Service
from lmdemo.ui import launch_options
from patient import get, head, post, stream
from waiting import LAST_NET, wait_until

DEEP = json.loads("[" * 16 + "]" * 16)


@dataclass(frozen=True)
class Target:
    """A running app, and a function of its page that has a text, a number and perhaps a choice."""

    address: str
    fn_index: int
    api_name: str
    values: tuple
    long_run: tuple  # values that keep it busy, if it can be

    def post(self, path: str, body: object, **more: object) -> httpx.Response:
        content = body if isinstance(body, bytes | str) else json.dumps(body)
        headers = {"Content-Type": "application/json"}
        return post(f"{self.address}/gradio_api/{path}", content=content, headers=headers, **more)

    def get(self, path: str) -> httpx.Response:
        return get(self.address + path)

    def join(self, session: str, values: Sequence, **more: object) -> httpx.Response:
        body = {"session_hash": session, "fn_index": self.fn_index, "data": list(values)} | more
        return self.post("queue/join", body)


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A plain Gradio app, with its function that is meant to be private."""
    command = [sys.executable, str(ROOT / "tests" / "support" / "bare_app.py")]
    # what is uploaded is kept in a folder for all users, which may be another's
    own = os.environ | {"GRADIO_TEMP_DIR": str(tmp_path_factory.mktemp("bare"))}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=own) as process:
        yield Target(process.stdout.readline().strip(), 0, "echo", ("x", 1, "a"), ("x", 1, "a"))
        process.terminate()


@pytest.fixture(scope="module")
def ours(address: str) -> Target:
    """lmdemo, and the function that writes."""
    config = get(f"{address}/config").json()
    labels = {component["id"]: component["props"].get("label") for component in config["components"]}
    (write,) = (
        function
        for function in config["dependencies"]
        if [labels[number] for number in function["inputs"]][1:3] == ["Variants", "Prompt"]
        and any(event == "submit" for _, event in function["targets"])
    )
    short, long = ((False, ["int8"], "It was", words, 1.0, 0, 1, False) for words in (2, 1_000))
    return Target(address, write["id"], write["api_name"], short, long)


def runs_by_its_name(target: Target) -> bool:
    return target.post(f"call/{target.api_name}", {"data": list(target.values)}).is_success


def runs_beside_the_queue(target: Target) -> bool:
    return target.post(f"run/{target.api_name}", {"data": list(target.values)}).is_success


def reads_a_large_body(target: Target) -> bool:
    return target.join("large", ["x" * 5_000_000, *target.values[1:]]).is_success


def reads_a_large_body_of_unknown_length(target: Target) -> bool:
    def chunks() -> Iterator[bytes]:
        yield json.dumps({"session_hash": "chunks", "fn_index": target.fn_index, "data": list(target.values)}).encode()
        for _ in range(20):
            yield b" " * 5_000

    return post(
        f"{target.address}/gradio_api/queue/join", content=chunks(), headers={"Content-Type": "application/json"}
    ).is_success


def takes_uploads(target: Target) -> bool:
    return post(f"{target.address}/gradio_api/upload", files={"files": ("a.txt", b"abc")}).is_success


def shows_its_monitoring(target: Target) -> bool:
    return target.get("/monitoring/summary").is_success


def names_the_file_that_was_asked_for(target: Target) -> bool:
    return "passwd" in target.get("/gradio_api/file=/etc/passwd").text


def says_what_it_would_proxy(target: Target) -> bool:
    return target.get("/gradio_api/proxy=https://127.0.0.1/x").status_code != 404


def fails_on_an_unknown_function(target: Target) -> bool:
    return target.post("queue/join", {"session_hash": "unknown", "fn_index": 10**6, "data": []}).status_code == 500


def fails_on_a_function_that_is_no_number(target: Target) -> bool:
    body = {"session_hash": "unknown", "data": list(target.values)}
    return "function index" in target.post("queue/join", body).text  # in Gradio's words


def queues_what_lacks_values(target: Target) -> bool:
    return target.join("lacking", target.values[:1]).is_success


def queues_deep_nesting(target: Target) -> bool:
    deep = 300
    values = json.dumps(target.values[1:])[1:-1]
    body = f'{{"session_hash": "deep", "fn_index": {target.fn_index}, "data": [{"[" * deep}{"]" * deep}, {values}]}}'
    return target.post("queue/join", body).is_success


def queues_half_a_surrogate_pair(target: Target) -> bool:
    return target.join("half", ["\ud800", *target.values[1:]]).is_success


def queues_a_file(target: Target) -> bool:
    file = {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}
    return target.join("file", [file, *target.values[1:]]).is_success


def queues_for_any_name_of_a_session(target: Target) -> bool:
    return target.join("a\nb" * 100, target.values).is_success


def lets_one_session_fill_the_queue(target: Target) -> bool:
    taken = all(target.join("hog", target.long_run).is_success for _ in range(PER_SESSION * 3))
    _drop(target, "hog")
    return taken


def lets_its_types_be_guessed(target: Target) -> bool:
    return "x-content-type-options" not in target.get("/").headers


def may_load_from_anywhere(target: Target) -> bool:
    return "default-src 'self'" not in target.get("/").headers.get("content-security-policy", "")


def tells_others_its_address(target: Target) -> bool:
    return "referrer-policy" not in target.get("/").headers


HOLES = [
    runs_by_its_name,
    runs_beside_the_queue,
    reads_a_large_body,
    reads_a_large_body_of_unknown_length,
    takes_uploads,
    shows_its_monitoring,
    names_the_file_that_was_asked_for,
    says_what_it_would_proxy,
    fails_on_an_unknown_function,
    fails_on_a_function_that_is_no_number,
    queues_what_lacks_values,
    queues_deep_nesting,
    queues_half_a_surrogate_pair,
    queues_a_file,
    queues_for_any_name_of_a_session,
    lets_one_session_fill_the_queue,
    lets_its_types_be_guessed,
    may_load_from_anywhere,
    tells_others_its_address,
]


@pytest.mark.parametrize("hole", HOLES, ids=lambda hole: hole.__name__)
def test_a_hole_of_gradios_is_closed(hole: Callable[[Target], bool], bare: Target, ours: Target) -> None:
    assert hole(bare)  # or the test could not fail
    assert not hole(ours)


def ended(target: Target, session: str, values: Sequence) -> dict:
    """What a run of the page ends with, through the queue."""
    target.join(session, values).raise_for_status()
    lines = target.get(f"/gradio_api/queue/data?session_hash={session}").text.strip().split("\n\n")
    messages = [json.loads(line.removeprefix("data: ")) for line in lines]
    (end,) = (message for message in messages if message["msg"] == "process_completed")
    return end


@pytest.mark.parametrize("value", [math.nan, None, True, 2.5, 0, 10**9, "many"])
def test_what_passes_a_slider_is_answered_with_a_sentence(bare: Target, ours: Target, value: object) -> None:
    """Gradio's own range check catches the ends alone; the handler knows the rest."""
    session = f"slider-{value}".replace(".", "-")
    if value is True or value == 2.5 or value is math.nan:
        assert ended(bare, session, ["x", value, "a"])["success"]
    values = list(ours.values)
    values[3] = value
    assert "Words must be a whole number from 1 to 1,000." in json.dumps(ended(ours, session, values))


def test_text_over_its_length_is_answered_with_a_sentence(bare: Target, ours: Target) -> None:
    assert ended(bare, "long", ["x" * 11, 1, "a"])["success"]
    values = [*ours.values[:2], "x" * 2_001, *ours.values[3:]]
    assert "Prompt has 2,001 characters; at most 2,000 are allowed." in json.dumps(ended(ours, "long", values))


@pytest.mark.parametrize("value", [None, "int8", ["int9"], [["int8"]], [1]])
def test_what_passes_a_choice_is_answered_with_a_sentence(bare: Target, ours: Target, value: object) -> None:
    if value is None:
        assert ended(bare, "choice", ["x", 1, value])["success"]
    end = json.dumps(ended(ours, "choice", [ours.values[0], value, *ours.values[2:]]))
    assert "Variants must be a list of names among fp32, " in end


@pytest.mark.parametrize(
    ("path", "body", "status", "sentence"),
    [
        ("call/generate", b"{", 400, "The body must be JSON, with text in Unicode."),
        ("call/generate", b"[1]", 400, "The body must be a JSON object."),
        ("call/generate", b"[" * 20 + b"]" * 20, 400, "The body must be a JSON object."),
        (
            "call/generate",
            {"data": [0, 0, 0, 0, DEEP]},
            400,
            "The body may nest 16 levels deep.",
        ),
        ("call/generate", b"[" * 30_000, 400, "The body may hold 2,500 lists and objects."),
        ("call/generate", b"\xff\xfe", 400, "The body must be JSON, with text in Unicode."),
        ("call/generate", {}, 400, "data must be a list of the values."),
        (
            "call/generate",
            {"data": ["a"]},
            400,
            "data must have 5 values: prompt, words, temperature, top_k, seed; it has 1.",
        ),
        ("call/generate", {"data": [{}] * 5}, 400, "Values must be text, numbers, true, false, null or lists of them."),
        ("call/generate", {"data": [], "fn_index": 3}, 400, "The body may hold session_hash, data, event_data."),
        (
            "call/v2/generate",
            {"prompt": "a", "word": 2},
            400,
            "The body must hold prompt, words, temperature, top_k, seed.",
        ),
        ("call/v2/sizes", {"data": []}, 400, "The body must be an empty object."),
        (
            "call/follow",
            {"data": []},
            404,
            "The endpoints are /generate, /sizes, /evaluate, /inspect, /text, /bits, /shape.",
        ),
        ("call/sizes", b" " * (MAX_BYTES + 1), 413, "A request may have 65,536 bytes."),
        ("queue/join", {"data": []}, 400, "session_hash must be 1 to 64 letters, digits, - and _."),
        ("cancel", {"session_hash": "a", "event_id": "b"}, 400, "fn_index must be a whole number."),
        ("upload", b"", 404, "There is nothing here."),
        ("config", b"", 404, "There is nothing here."),
    ],
)
def test_a_refusal_is_a_sentence(ours: Target, path: str, body: object, status: int, sentence: str) -> None:
    answer = ours.post(path, body)
    assert (answer.status_code, answer.json()) == (status, {"error": sentence})


def test_an_endpoint_takes_its_values_by_name_too(ours: Target) -> None:
    """As the line of curl says that the page's recorder writes."""
    started = ours.post("call/v2/evaluate", {"tokens": 200, "window": 50})
    answer = ours.get(f"/gradio_api/call/evaluate/{started.json()['event_id']}").text
    assert "event: complete" in answer
    assert '"tokens": 200' in answer.splitlines()[-2]


def test_another_method_is_refused(ours: Target) -> None:
    answer = ours.get("/gradio_api/queue/join")
    assert (answer.status_code, answer.json()) == (405, {"error": "Only POST is answered here."})


def test_results_that_nobody_waits_for_are_a_sentence(ours: Target) -> None:
    gone = "There is no such run here; it has ended, or the app was started anew."
    by_session = ours.get("/gradio_api/queue/data?session_hash=nobody").text
    message = json.loads(by_session.removeprefix("data: "))
    assert (message["msg"], message["message"], message["session_not_found"]) == ("unexpected_error", gone, True)
    by_call = ours.get("/gradio_api/call/generate/nothing").text
    assert by_call == f'event: error\ndata: {{"error": "{gone}"}}\n\n'


def test_a_session_may_have_some_runs_and_no_more(ours: Target) -> None:
    answers = [ours.join("many", ours.long_run) for _ in range(PER_SESSION + 1)]
    _drop(ours, "many")
    *taken, refused = answers
    assert all(answer.is_success for answer in taken)
    assert refused.status_code == 429
    assert refused.json()["error"].startswith(f"From one page {PER_SESSION} runs may wait; ")
    assert int(refused.headers["retry-after"]) >= 1
    assert ours.join("many", ours.values).is_success


def _drop(target: Target, session: str) -> None:
    """Take a session's runs out of the queue: begin to read its results, and go."""
    with stream("GET", f"{target.address}/gradio_api/queue/data?session_hash={session}") as answer:
        next(answer.iter_raw())


def test_a_host_can_poll_its_health(address: str) -> None:
    # in the middle of the first results a model may have no time for it, and a host asks again
    wait_until(lambda: get(f"{address}/healthz").status_code == 200, "health")
    health = get(f"{address}/healthz").json()  # an answer holds some seconds
    assert (health["status"], health["checkpoint"]) == ("ok", "bundled")
    assert "int8" in health["variants"]
    assert health["seconds"] > 0
    assert head(f"{address}/healthz").status_code == 200


def test_a_websocket_is_refused(address: str) -> None:
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=LAST_NET) as connection:
        connection.sendall(
            b"GET /gradio_api/queue/join HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        assert connection.recv(100).split()[1] in (b"403", b"405")


def test_pages_that_may_frame_it_can_be_named() -> None:
    headers = dict(security_headers("https://docs.example.org  'self'"))
    assert headers[b"content-security-policy"].endswith(b"; frame-ancestors https://docs.example.org 'self'")


def test_what_is_no_host_that_may_frame_it_is_told_before_the_launch() -> None:
    service = Service()
    for wrong in ("x; script-src *", "a,b", "javascript:"):
        with pytest.raises(InputError, match="LMDEMO_FRAME_ANCESTORS must be hosts"):
            launch_options(service, wrong)
