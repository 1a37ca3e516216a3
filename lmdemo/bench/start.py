"""How long the first page takes, and whether a Hub that is out of reach makes it later."""

import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import psutil

from lmdemo.bench.app import plain_environment, running_app
from lmdemo.timed import Interval, median_interval

IMPORTS = "import torch, gradio; print('ready', flush=True); input()"


@dataclass(frozen=True)
class Start:
    """What a start costs."""

    imports_seconds: Interval  # a new interpreter until torch and gradio are imported
    imports_bytes: int  # resident, after these imports
    page_seconds: Interval  # a new interpreter until the first page is served, nothing asked of the Hub
    beyond_imports: Interval  # the seconds to the first page beyond these imports, ÷ the imports, pair by pair
    with_hub: Interval  # the same start with a model asked of a Hub out of reach, ÷ without, pair by pair


def measure_start(rounds: int) -> Start:
    """Start everything in turns, `rounds` times; one Hub refuses connections, another never answers, in turns too."""
    imports, imports_bytes, pages, with_hub = [], 0, [], []
    with tempfile.TemporaryDirectory() as home, ExitStack() as hubs:
        refusing = hubs.enter_context(socket.socket())  # bound and not listening: nobody else listens there either
        refusing.bind(("127.0.0.1", 0))
        silent = hubs.enter_context(socket.create_server(("127.0.0.1", 0)))  # accepts, and never answers
        asking = {"LMDEMO_MODEL": "someone/model", "HF_HOME": home, "HF_HUB_OFFLINE": "0"}
        for turn in range(rounds):
            seconds, imports_bytes = _time_imports()
            imports.append(seconds)
            hub = asking | {"HF_ENDPOINT": f"http://127.0.0.1:{(refusing, silent)[turn % 2].getsockname()[1]}"}
            starts = [({}, pages), (hub, with_hub)]
            for settings, found in starts if turn % 4 < 2 else reversed(starts):  # each goes first with each Hub
                with running_app(**settings) as (_, _, seconds):
                    found.append(seconds)
    return Start(
        imports_seconds=median_interval(np.array(imports)),
        imports_bytes=imports_bytes,
        page_seconds=median_interval(np.array(pages)),
        beyond_imports=median_interval(np.divide(pages, imports) - 1),
        with_hub=median_interval(np.divide(with_hub, pages)),
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
