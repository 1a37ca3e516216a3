"""`python tests/scripts/space.py`: what Hugging Face makes of this repository as a Space, replayed here.

From a clean clone of what is committed: the commands with which a Gradio Space is built (from public build logs of
2026), on the interpreter that runs this; then the app with a Space's variables, on CPU hardware and on ZeroGPU, one run
through Gradio's client and one look at the tools for agents. Nothing but packages comes from outside: the Hub and
ZeroGPU's scheduler are on this machine. It takes minutes, most of them for pip.
"""

import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import yaml

sys.path.insert(0, str(Path(__file__).parents[2]))

from lmdemo.bench import ROOT, running_app

FIRST = ("datasets", "huggingface-hub>=0.30", "hf-transfer>=0.1.4", "protobuf<4", "click<8.1")
THEN = ("uvicorn>=0.14.0", "websockets>=10.4", "spaces")
SPACE = {
    "SYSTEM": "spaces",
    "SPACE_ID": "someone/lmdemo",
    "SPACE_HOST": "someone-lmdemo.hf.space",
    "SPACE_AUTHOR_NAME": "someone",
    "SPACE_REPO_NAME": "lmdemo",
    "SPACE_TITLE": "lmdemo",
    "CPU_CORES": "2",
    "MEMORY": "16Gi",
    "PYTHONUNBUFFERED": "1",
    "GRADIO_SERVER_NAME": "0.0.0.0",
    "GRADIO_NUM_PORTS": "1",
    "HF_ENDPOINT": "http://127.0.0.1:9",  # where nothing listens
}
RUN = """
from gradio_client import Client
import sys
print(*Client(sys.argv[1], verbose=False).predict("It was", words=5, api_name="/generate")["int8"]["words"])
"""


def main() -> None:
    """Build, then start twice."""
    with tempfile.TemporaryDirectory(prefix="lmdemo-space-") as temporary:
        folder, environment = Path(temporary) / "app", Path(temporary) / "python"
        subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)
        python = build(folder, environment)
        start(folder, python, Path(temporary) / "cpu")
        with_cuda(environment)
        with zerogpu() as (address, reports):
            start(
                folder, python, Path(temporary) / "zerogpu", SPACES_ZERO_GPU="true", SPACES_ZERO_DEVICE_API_URL=address
            )
        assert reports == ["/startup-report"], "ZeroGPU ends an app that did not report a function of its own"
    say("It builds and runs as a Space, on CPU hardware and on ZeroGPU.")


def build(folder: Path, environment: Path) -> str:
    """Install what a Space has; the interpreter that has it."""
    card = yaml.safe_load((folder / "README.md").read_text(encoding="utf-8").split("---")[1])
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    python = str(next(environment.glob("[bS]*/python*")))
    for packages in (
        ["pip", "--upgrade"],
        FIRST,
        ["-r", folder / "requirements.txt", f"gradio[oauth,mcp]=={card['sdk_version']}", *THEN],
    ):
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-warn-conflicts", *packages], check=True)
        say("Installed:", *packages)
    return python


def start(folder: Path, python: str, home: Path, **hardware: str) -> None:
    """Start the app as a Space does, write five words through Gradio's client, list the tools.

    Raises:
        LmdemoError: it served no page.
        AssertionError: the page, the log or an answer is not what it should be.
    """
    home.mkdir()
    log = home / "log"
    settings = SPACE | {"HF_HOME": str(home)} | hardware
    with running_app(python=python, folder=folder, log=log, **settings) as (_, address, seconds):
        done = subprocess.run([python, "-c", RUN, address], capture_output=True, text=True, check=True)
        assert len(done.stdout.split()) == 5
        tools = list_tools(python, f"{address}/gradio_api/mcp/")
        assert tools == [
            "lmdemo_generate_texts",
            "lmdemo_list_sizes",
            "lmdemo_evaluate_loss_and_speed",
            "lmdemo_inspect_choice",
            "lmdemo_read_text",
            "lmdemo_round_to_bits",
            "lmdemo_measure_shape",
        ], tools
        assert "lmdemo-lstm" not in httpx.get(f"{address}/config").text, "the guess that failed is on the page"
    lines = log.read_text(encoding="utf-8")
    assert lines.count("someone/lmdemo-lstm") == 1, lines
    assert "Traceback" not in lines, lines
    say(f"Served after {seconds:.1f} s with {hardware or 'CPU hardware'}; it wrote: {done.stdout.strip()}")


def list_tools(python: str, address: str) -> list[str]:
    """The names of the tools that the protocol's own client is offered."""
    agent = [python, ROOT / "tests" / "support" / "mcp_agent.py", address]
    answer = subprocess.run(agent, input="{}\n", capture_output=True, text=True, check=True)
    return [tool["name"] for tool in json.loads(answer.stdout)["tools"]]


def with_cuda(environment: Path) -> None:
    """Let a CPU build of torch pass for one with CUDA, as ZeroGPU's is: `spaces` looks for these and fails without."""
    for torch in environment.rglob("site-packages/torch/__init__.py"):
        with torch.open("a", encoding="utf-8") as module:
            module.write("\nif version.cuda is None:\n    version.cuda, _C._cuda_init = '13.0', lambda: None\n")
            module.write("    cuda._is_in_bad_fork = builtins.bool\n")


@contextmanager
def zerogpu() -> Iterator[tuple[str, list[str]]]:
    """What lends GPUs on ZeroGPU hardware, as far as a start asks for it: its address, and what it was asked."""
    asked: list[str] = []

    class Scheduler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Keep the output clean."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Scheduler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()


def say(*words: object) -> None:
    """A line at once."""
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
