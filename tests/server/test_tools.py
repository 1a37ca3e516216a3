"""The endpoints as tools for agents, through the protocol's own client, good input and bad."""

import fcntl
import json
import re
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import gradio
import httpx
import pytest

import patient
from account import jobs_in
from endpoints import LONG, assert_stopped, begin, following
from lmdemo.bench import ROOT
from lmdemo.server import tools
from readme import README
from short import running_shortly
from waiting import LAST_NET

ENVIRONMENT = ROOT / ".venv" / "mcp"
PATH = "/gradio_api/mcp/"
ACCEPT = {"Accept": "application/json, text/event-stream"}


class Agent:
    """An agent in a process of its own."""

    def __init__(self, python: str, address: str) -> None:
        command = [python, str(ROOT / "tests" / "support" / "mcp_agent.py"), address]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def call(self, tool: str, **arguments: object) -> dict:
        return self._ask({"call": tool, "arguments": arguments})

    def listed(self) -> dict:
        return self._ask({})

    def close(self) -> None:
        self._process.communicate(timeout=LAST_NET)

    def _ask(self, order: dict) -> dict:
        print(json.dumps(order), file=self._process.stdin, flush=True)
        return json.loads(self._process.stdout.readline())


@pytest.fixture(scope="module")
def python() -> str:
    """An interpreter that has `gradio[mcp]` over what this one has, whose own pydantic is left as it is."""
    ENVIRONMENT.parent.mkdir(exist_ok=True)
    python = ENVIRONMENT / "bin" / "python"
    with ENVIRONMENT.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # workers of pytest-xdist would install at the same time
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", ENVIRONMENT], check=True)
        paths = {"base": str(ENVIRONMENT), "platbase": str(ENVIRONMENT)}
        over = Path(sysconfig.get_path("purelib", "venv", paths)) / "tests.pth"
        over.write_text("\n".join({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}))
        pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "-r", ROOT / "tests" / "requirements-mcp.txt"], check=True)
    return str(python)


@pytest.fixture(scope="module")
def tools_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `app` writes to its standard error."""
    return tmp_path_factory.mktemp("tools") / "log"


@pytest.fixture(scope="module")
def app(python: str, tools_log: Path) -> Iterator[str]:
    """The real app where `mcp` is installed, at a console that has no character for what Gradio prints then."""
    with running_shortly(100, python=python, log=tools_log, PYTHONIOENCODING="cp1252") as (_, address, _):
        yield address


@pytest.fixture(scope="module")
def agent(python: str, app: str) -> Iterator[Agent]:
    """An agent told of the app by what the README prints."""
    (config,) = (json.loads(block) for block in re.findall(r"```json\n(.*?)```", README, re.DOTALL))
    url = config["mcpServers"]["lmdemo"]["url"]
    assert url == f"http://127.0.0.1:7860{PATH}"
    agent = Agent(python, url.replace("http://127.0.0.1:7860", app))
    yield agent
    agent.close()


def request(method: str, **parameters: object) -> dict:
    """A request of the protocol, as JSON."""
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}


def post(app: str, method: str, timeout: float, **parameters: object) -> dict:
    """A request over plain HTTP, left after `timeout` seconds."""
    answer = httpx.post(app + PATH, json=request(method, **parameters), headers=ACCEPT, timeout=timeout)
    (data,) = re.findall(r"^data: (.*)$", answer.text.replace("\r\n", "\n"), re.MULTILINE)
    return json.loads(data)


def write(app: str, words: int, timeout: float = LAST_NET) -> dict:
    """A call of `generate_texts` over plain HTTP, left after `timeout` seconds."""
    arguments = {"prompt": "It was", "words": words}
    return post(app, "tools/call", timeout, name="generate_texts", arguments=arguments)["result"]


def test_without_the_package_there_are_no_tools(address: str) -> None:
    assert not tools.INSTALLED
    assert patient.get(address).is_success
    for path in (PATH + "schema", PATH + "sse"):
        assert patient.get(address + path, headers={"Accept": "text/event-stream"}).status_code == 404
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    assert patient.post(address + PATH, json=message).status_code in (404, 405)  # Gradio's, which has no such route


def test_the_readme_turns_it_on_with_the_pinned_version() -> None:
    line = f"gradio[mcp]=={gradio.__version__}"
    assert f'pip install "{line}"' in README
    assert f"other calls, at most {tools.AT_ONCE} at a time." in README
    assert line in (ROOT / "tests" / "requirements-mcp.txt").read_text().splitlines()


def test_the_tools_are_the_endpoints_and_say_what_they_do(agent: Agent) -> None:
    listed = agent.listed()
    assert listed["offered"] == ["tools"]
    found = {tool["name"]: tool for tool in listed["tools"]}
    arguments = {name: list(tool["inputSchema"]["properties"]) for name, tool in found.items()}
    assert arguments == {
        "generate_texts": ["prompt", "words", "temperature", "top_k", "seed"],
        "list_sizes": [],
        "evaluate_loss_and_speed": ["tokens", "window"],
        "inspect_choice": ["prompt", "words", "position", "temperature", "top_k", "seed", "model"],
        "read_text": ["text"],
        "round_to_bits": ["bits", "per_row", "matrices", "prompt", "words", "temperature", "top_k", "seed"],
        "measure_shape": ["ntoken", "ninp", "nhid", "nlayers", "window", "tied"],
    }
    assert found["generate_texts"]["inputSchema"]["required"] == ["prompt"]
    for tool in found.values():
        assert re.search(r"LSTM .* The answer has\b.*\.$", tool["description"])
        for argument in tool["inputSchema"]["properties"].values():
            assert argument["type"] in ("string", "integer", "number", "boolean", "array")
            assert argument["description"].endswith(".")


def test_an_agent_gets_the_final_texts_and_hears_of_them_at_most_each_second(agent: Agent, app: str) -> None:
    began = time.monotonic()
    called = agent.call("generate_texts", prompt="It was", words=400)
    seconds = time.monotonic() - began
    assert not called["error"]
    (text,) = called["texts"]
    answer = json.loads(text)
    with following(app, "generate", "It was", 400) as events:
        *_, (_, (expected,)) = events
    assert answer.keys() == expected.keys()
    for name in ("fp32", "int8"):
        assert answer[name].keys() == expected[name].keys()
        assert answer[name]["words"] == expected[name]["words"]
    assert len(called["heard"]) <= seconds
    assert {message for _, message in called["heard"]} <= {"Computing.", "In the queue."}


def test_an_agent_gets_the_other_answers(agent: Agent, app: str) -> None:
    with httpx.Client(base_url=app, timeout=LAST_NET) as http:
        started = http.post("/gradio_api/call/sizes", json={"data": []}).json()
        expected = http.get(f"/gradio_api/call/sizes/{started['event_id']}").text
    (text,) = agent.call("list_sizes")["texts"]
    assert json.loads(expected.split("data: ")[1]) == [json.loads(text)]
    (text,) = agent.call("evaluate_loss_and_speed", tokens=200)["texts"]
    rows = json.loads(text)
    assert [row["variant"] for row in rows] == ["fp32", "int8"]
    assert [row["tokens"] for row in rows] == [200, 200]
    (text,) = agent.call("inspect_choice", prompt="It", words=["was", "the"], position=1)["texts"]
    assert json.loads(text)["written"] == "the"
    (text,) = agent.call("read_text", text="It was")["texts"]
    assert json.loads(text)["words"] == ["It", "was"]
    (text,) = agent.call("round_to_bits", bits=3, prompt="It", words=5)["texts"]
    assert len(json.loads(text)["rounded"]["words"]) == 5
    (text,) = agent.call("measure_shape", ntoken=40, ninp=6, nhid=8, nlayers=1)["texts"]
    assert json.loads(text)["sentence"].startswith("At this shape")


FILE = {"path": "/etc/passwd", "url": "http://127.0.0.1:1/x", "meta": {"_type": "gradio.FileData"}}
NO_TOOL = (
    "The tool must be one of generate_texts, list_sizes, evaluate_loss_and_speed, inspect_choice, read_text,"
    " round_to_bits, measure_shape."
)
NO_VALUE = "Values must be text, numbers, true, false, null or lists of them."
ARGUMENTS = "generate_texts takes no arguments but prompt, words, temperature, top_k, seed."


@pytest.mark.parametrize(
    ("tool", "arguments", "sentence"),
    [
        ("generate_texts", {}, "generate_texts needs prompt."),
        ("generate_texts", {"prompt": "x" * 3000}, "Prompt has 3,000 characters; at most 2,000 are allowed."),
        ("generate_texts", {"prompt": 5}, "Prompt must be text of at most 2,000 characters."),
        ("generate_texts", {"prompt": "a", "words": 0}, "Words must be a whole number from 1 to 1,000."),
        ("generate_texts", {"prompt": "a", "words": "abc"}, "Words must be a whole number from 1 to 1,000."),
        ("generate_texts", {"prompt": "a", "words": None}, "Words must be a whole number from 1 to 1,000."),
        ("generate_texts", {"prompt": FILE}, "prompt must be text, a number or a list of them."),
        ("generate_texts", {"prompt": "a", "words": [FILE]}, NO_VALUE),
        ("generate_texts", {"prompt": "a", "file": FILE}, ARGUMENTS),
        ("generate_texts", {"prompt": "a", "api_name": "/sizes"}, ARGUMENTS),
        ("evaluate_loss_and_speed", {"window": 0}, "Window must be a whole number from 1 to 1,000."),
        ("list_sizes", {"prompt": "a"}, "list_sizes takes no arguments."),
        ("write", {}, NO_TOOL),
        ("_follow", {}, NO_TOOL),
    ],
)
def test_bad_input_is_answered_with_one_sentence(agent: Agent, tool: str, arguments: dict, sentence: str) -> None:
    assert agent.call(tool, **arguments) == {"error": True, "texts": [sentence], "heard": []}


@pytest.mark.parametrize("method", ["prompts/get", "prompts/list", "resources/list", "resources/read"])
def test_nothing_else_is_offered(app: str, method: str) -> None:
    refused = post(app, method, LAST_NET, name="evaluate", uri="file:///etc/passwd")
    assert refused["error"] == {"code": -32601, "message": "Method not found"}


def test_agents_that_leave_end_their_runs(app: str, tools_log: Path) -> None:
    before = len(jobs_in(tools_log))
    tokens, window = LONG["evaluate"]
    call = {"name": "evaluate_loss_and_speed", "arguments": {"tokens": tokens, "window": window}}
    asked = request("tools/call", **call, _meta={"progressToken": 1})
    with patient.stream("POST", app + PATH, json=asked, headers=ACCEPT) as answer:
        computing = filter(lambda line: "Computing." in line, answer.iter_lines())
        next(computing)
        for _ in range(2):  # left before there is anything to end
            with pytest.raises(httpx.TimeoutException):
                write(app, 1000, 0.05)
        next(computing)  # the app goes on, and hears of it; then this one is left too, in the middle
    assert_stopped(app, tools_log, before)


def test_agents_wait_their_turn_and_only_so_many_do(app: str) -> None:
    with ThreadPoolExecutor(tools.AT_ONCE + 1) as threads:
        with following(app, "evaluate", *LONG["evaluate"]) as events:
            begin(events)
            calls = [threads.submit(write, app, 1) for _ in range(tools.AT_ONCE + 1)]
            answered = next(found for _ in events if (found := [call for call in calls if call.done()]))
            assert [call.result()["content"][0]["text"] for call in answered] == [tools.FULL]
            assert patient.get(app).is_success
            # the run before them is still on, and they wait
            assert next(events)[0] == "generating"
            assert sum(call.done() for call in calls) == 1
        assert sorted(call.result()["isError"] for call in calls) == [False] * tools.AT_ONCE + [True]
