"""What the page costs while it writes: the same run through the page's own event, and without a page."""

import json
import time
import uuid
from dataclasses import astuple, dataclass

import httpx
import numpy as np
import psutil

from lmdemo.bench.app import PATIENCE, running_app
from lmdemo.errors import LmdemoError
from lmdemo.generation import GenerationSettings
from lmdemo.lab import Lab
from lmdemo.timed import Interval, median_interval

SETTINGS = GenerationSettings("It was a cold night in November, and", words=500)


@dataclass(frozen=True)
class Streaming:
    """What a run through the page costs, and the app at rest."""

    idle_bytes: int  # resident, the app at rest after its first results
    bare_seconds: Interval  # writing SETTINGS without a page
    over_bare: Interval  # the same through the page's own event, ÷ without, pair by pair


def measure_streaming(lab: Lab, rounds: int) -> Streaming:
    """Write with `lab` here and through the page in turns, `rounds` times.

    Raises:
        LmdemoError: the app did not start, or did not answer in time.
    """
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
    return Streaming(idle_bytes, median_interval(np.array(bare)), median_interval(np.divide(streamed, bare)))


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
        fields = [False, ["int8"], *astuple(SETTINGS)]  # raw tokens, variants beside fp32, then the settings
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
