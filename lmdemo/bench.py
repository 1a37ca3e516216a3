"""`python -m lmdemo bench`: what the page costs over the bare work, as ratios and differences of one run.

It starts the real app in a process of its own and talks to it over HTTP as the page does. It needs the tools
of tests/requirements.txt. Nothing here is a pass or a fail; these are measurements, with their spread.
"""

import json
import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path

import httpx
import numpy as np
import psutil
import torch

from lmdemo.checkpoint import load_checkpoint
from lmdemo.errors import LmdemoError
from lmdemo.evaluation import Comparison, Interval, median_interval
from lmdemo.generation import GenerationSettings
from lmdemo.lab import Lab
from lmdemo.machine import this_machine

ROOT = Path(__file__).parent.parent
IMPORTS = "import torch, gradio; print('ready', flush=True); input()"
SETTINGS = GenerationSettings("It was a cold night in November, and", words=1_000)
PATIENCE = 120  # seconds the app may take to serve a page, or to write


@dataclass(frozen=True)
class Bench:
    """What one run of the benchmark measured."""

    imports_seconds: Interval  # a new interpreter until torch and gradio are imported
    page_seconds: Interval  # a new interpreter until the first page is served
    imports_bytes: int  # resident, after these imports
    idle_bytes: int  # resident, the app at rest after its first results
    bare_seconds: Interval  # writing SETTINGS without a page
    streaming: Interval  # the same through the page's own event, ÷ without, pair by pair
    comparison: Comparison  # int8 against fp32 on the bundled test text


def run(rounds: int) -> Bench:
    """Measure everything, `rounds` pairs for each ratio.

    Raises:
        LmdemoError: the app did not start, or did not answer in time.
    """
    imports, pages, imports_bytes = [], [], 0
    for _ in range(rounds):
        seconds, imports_bytes = _time_imports()
        imports.append(seconds)
        with running_app() as (_, _, seconds):
            pages.append(seconds)
    torch.set_num_threads(1)  # as the app has it
    lab = Lab(load_checkpoint())
    bare, streamed = [], []
    with running_app() as (process, address, _):
        _wait_until_idle(process)
        idle_bytes = process.memory_info().rss
        _write_on_page(address)  # a first run of each, not counted
        _write_bare(lab)
        for turn in range(rounds):  # each goes first every other time
            if turn % 2:
                streamed.append(_write_on_page(address))
            bare.append(_write_bare(lab))
            if not turn % 2:
                streamed.append(_write_on_page(address))
    *_, comparison = lab.compare(min(10_000, lab.available_tokens))
    return Bench(
        imports_seconds=median_interval(np.array(imports)),
        page_seconds=median_interval(np.array(pages)),
        imports_bytes=imports_bytes,
        idle_bytes=idle_bytes,
        bare_seconds=median_interval(np.array(bare)),
        streaming=median_interval(np.divide(streamed, bare)),
        comparison=comparison,
    )


def report(bench: Bench) -> str:
    """The measurements as Markdown."""
    machine, comparison = this_machine(), bench.comparison
    imports, page = bench.imports_seconds.median, bench.page_seconds.median
    speedup = comparison.speedup("int8")
    fp32, int8 = comparison.results["fp32"], comparison.results["int8"]
    rows = [
        ("importing torch and gradio", f"{imports:.1f} s"),
        ("start to first page, beyond that", f"{page - imports:+.1f} s"),
        ("idle memory beyond torch and gradio imported", f"{(bench.idle_bytes - bench.imports_bytes) / 1e6:+.0f} MB"),
        (f"{SETTINGS.words:,} words, both variants, without a page", f"{bench.bare_seconds.median:.2f} s"),
        ("the same streamed through the page, ÷ without", _ratio(bench.streaming)),
        ("evaluation, int8 ÷ fp32 speed", _ratio(speedup)),
        ("evaluation, loss fp32 and int8", f"{fp32.loss:.4f} and {int8.loss:.4f} nats a word"),
    ]
    head = f"{machine.cpu} ({machine.capability}), torch {machine.torch}, {machine.engine}, {machine.threads} thread(s)"
    table = "\n".join(f"| {what} | {figure} |" for what, figure in rows)
    pairs = (
        f"Medians of {bench.streaming.n} runs; evaluation: {speedup.n} blocks of {comparison.tokens:,} words in all,"
    )
    return f"{head}\n\n| measured | |\n|---|---:|\n{table}\n\n{pairs} window {comparison.window}."


def _ratio(value: Interval) -> str:
    return f"{value.median:.2f} (95 % {value.low:.2f} to {value.high:.2f})"


def _time_imports() -> tuple[float, int]:
    began = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-c", IMPORTS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=_environment()
    ) as process:
        process.stdout.readline()
        seconds = time.perf_counter() - began
        memory = psutil.Process(process.pid).memory_info().rss
        process.communicate(b"\n")
    return seconds, memory


@contextmanager
def running_app(**environment: str) -> Iterator[tuple[psutil.Process, str, float]]:
    """The app in a process of its own, on a free port: the process, its address, the seconds to the first page."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    settings = _environment() | {"GRADIO_SERVER_PORT": str(port)} | environment
    began = time.perf_counter()
    with subprocess.Popen([sys.executable, "app.py"], cwd=ROOT, env=settings, stdout=subprocess.DEVNULL) as process:
        try:
            _wait_for_page(address)
            yield psutil.Process(process.pid), address, time.perf_counter() - began
        finally:
            process.terminate()


def _environment() -> dict[str, str]:
    asked = ("LMDEMO_MODEL", "SPACE_AUTHOR_NAME")  # what would put another checkpoint behind the page
    return {key: value for key, value in os.environ.items() if key not in asked} | {"OMP_NUM_THREADS": "1"}


def _wait_for_page(address: str) -> None:
    deadline = time.monotonic() + PATIENCE
    with httpx.Client() as client:
        while time.monotonic() < deadline:
            try:
                if client.get(address).is_success:
                    return
            except httpx.TransportError:
                time.sleep(0.05)  # seldom enough not to take the processor from what is timed
    raise LmdemoError(f"The app served no page within {PATIENCE} seconds.")


def _wait_until_idle(process: psutil.Process) -> None:
    """Until the first results are computed: a second in which the app takes less than a quarter of a core."""
    deadline = time.monotonic() + PATIENCE
    while process.cpu_percent(interval=1.0) > 25:
        if time.monotonic() > deadline:
            raise LmdemoError(f"The app was still computing after {PATIENCE} seconds.")


def _write_bare(lab: Lab) -> float:
    began = time.perf_counter()
    for _ in lab.generate(SETTINGS):
        pass
    return time.perf_counter() - began


def _write_on_page(address: str) -> float:
    """Press Write as the page does; the seconds from the start of the run to its last update."""
    session = uuid.uuid4().hex
    with httpx.Client(base_url=f"{address}/gradio_api", timeout=PATIENCE) as client:
        fields = [False, *astuple(SETTINGS)]  # raw tokens, then the settings
        job = {"data": fields, "fn_index": _write_event(httpx.get(f"{address}/config").json()), "session_hash": session}
        client.post("/queue/join", json=job).raise_for_status()
        began = 0.0
        with client.stream("GET", "/queue/data", params={"session_hash": session}) as events:
            for line in events.iter_lines():
                message = json.loads(line.removeprefix("data:")) if line.startswith("data:") else {}
                if message.get("msg") == "process_starts":
                    began = time.perf_counter()
                if message.get("msg") == "process_completed" and message.get("success"):
                    return time.perf_counter() - began
    raise LmdemoError("The page did not finish writing.")


def _write_event(config: dict) -> int:
    """The number of the event behind the button Write."""
    button = next(part["id"] for part in config["components"] if part["props"].get("value") == "Write")
    return next(event["id"] for event in config["dependencies"] if [button, "click"] in map(list, event["targets"]))
