"""How long the first page takes, and whether a Hub that is out of reach makes it later."""

import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import psutil

from lmdemo.bench.app import plain_environment, running_app
from lmdemo.evaluation import Interval, median_interval

IMPORTS = "import torch, gradio; print('ready', flush=True); input()"


@dataclass(frozen=True)
class Start:
    """What a start costs."""

    imports_seconds: Interval  # a new interpreter until torch and gradio are imported
    imports_bytes: int  # resident, after these imports
    page_seconds: Interval  # a new interpreter until the first page is served, nothing asked of the Hub
    with_hub: Mapping[str, Interval]  # the same with a model asked of a Hub out of reach, ÷ without, pair by pair


def measure_start(rounds: int) -> Start:
    """Start everything in turns, `rounds` times."""
    imports, imports_bytes = [], 0
    with tempfile.TemporaryDirectory() as home, ExitStack() as hubs:
        refusing = hubs.enter_context(socket.socket())  # bound and not listening: nobody else listens there either
        refusing.bind(("127.0.0.1", 0))
        silent = hubs.enter_context(socket.create_server(("127.0.0.1", 0)))  # accepts, and never answers
        asking = {"LMDEMO_MODEL": "someone/model", "HF_HOME": home, "HF_HUB_OFFLINE": "0"}
        settings = {"none": {}} | {
            name: asking | {"HF_ENDPOINT": f"http://127.0.0.1:{hub.getsockname()[1]}"}
            for name, hub in (("refusing", refusing), ("silent", silent))
        }
        pages: dict[str, list[float]] = {name: [] for name in settings}
        for turn in range(rounds):
            seconds, imports_bytes = _time_imports()
            imports.append(seconds)
            for name in np.roll(list(settings), turn):  # each goes first in its turn
                with running_app(**settings[name]) as (_, _, seconds):
                    pages[name].append(seconds)
    none = pages.pop("none")
    return Start(
        imports_seconds=median_interval(np.array(imports)),
        imports_bytes=imports_bytes,
        page_seconds=median_interval(np.array(none)),
        with_hub={name: median_interval(np.divide(seconds, none)) for name, seconds in pages.items()},
    )


def _time_imports() -> tuple[float, int]:
    began = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-c", IMPORTS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=plain_environment()
    ) as process:
        process.stdout.readline()
        seconds = time.perf_counter() - began
        memory = psutil.Process(process.pid).memory_info().rss
        process.communicate(b"\n")
    return seconds, memory
