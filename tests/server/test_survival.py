"""The app is stopped, or its files are replaced under it: what its clients and the next start find."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil

import lmdemo
from calls import Calls
from lmdemo.bench import ROOT, running_app
from lmdemo.checksums import SUMS
from logged import beside_jobs
from marked import marked_checkpoint, replace_file
from waiting import LAST_NET, wait_until

REFUSED = "The app is being stopped and takes no new runs; try again in a minute."
ENDED = "The app was stopped before this run was done; try again in a minute."


def assert_ends(app: psutil.Process, told: float, log: Path) -> None:
    """With code 0, in five seconds, and nothing to say."""
    assert app.wait(timeout=LAST_NET) == 0
    assert time.monotonic() - told < 5
    assert beside_jobs(log) == []


def test_a_run_that_is_nearly_done_finishes_and_one_that_waits_is_told(
    tmp_path: Path, calls: Callable[[str], Calls]
) -> None:
    with running_app(log=tmp_path / "log") as (app, address, _):
        call = calls(address)
        call.begin("generate", "It was", 5, 1, 0, 1).result()  # what only the first run costs is paid
        began = time.monotonic()
        ended, *_ = call.begin("generate", "It was", 100, 1, 0, 1).result()
        words = min(1000, round(60 / (ended - began)))  # about 0.6 seconds, however busy this machine is
        running = call.begin("generate", "It was", words, 1, 0, 1)
        waiting = call.begin("generate", "It was", 100, 1, 0, 2)
        call.wait_for_turn(left=1)
        told = time.monotonic()
        app.send_signal(signal.SIGTERM)
        _, event, answer = waiting.result()
        assert (event, answer["error"]) == ("error", ENDED)
        ended, event, answer = running.result()
        assert event == "complete", answer
        assert ended > told
        assert len(answer[0]["int8"]["words"]) == words
        assert_ends(app, told, tmp_path / "log")


def test_a_long_run_is_told_and_no_new_one_begins(
    tmp_path: Path, calls: Callable[[str], Calls], bundled: lmdemo.Checkpoint
) -> None:
    with running_app(log=tmp_path / "log") as (app, address, _):
        call = calls(address)
        running = call.begin("evaluate", len(bundled.test_ids) - 1, 1)  # word by word: half a minute
        call.wait_for_turn()
        told = time.monotonic()
        app.send_signal(signal.SIGINT)

        def post(path: str) -> httpx.Response:
            return httpx.post(f"{address}/gradio_api/{path}", json={"data": ["It was", 5, 1, 0, 1]})

        wait_until(lambda: post("call/sizes").status_code == 503, "the app to hear of the signal")
        for path in ("call/generate", "call/v2/generate", "queue/join"):
            refused = post(path)
            assert (refused.status_code, refused.json()) == (503, {"error": REFUSED})
        assert httpx.get(address).is_success  # who looks at the page still sees it
        ended, event, answer = running.result()
        assert (event, answer["error"]) == ("error", ENDED)
        assert ended - told > 2.9  # it had its time
        assert_ends(app, told, tmp_path / "log")


def test_a_folder_that_is_being_replaced_is_not_served_as_a_mix(tmp_path: Path) -> None:
    # large enough to be read for longer than it takes to replace a small file
    kinds = [marked_checkpoint(tmp_path / mark, mark, number, 1500) for mark, number in (("a", 0.25), ("b", 0.5))]
    folder = shutil.copytree(kinds[0], tmp_path / "mine")
    stop = threading.Event()

    def keep_replacing() -> None:
        while not stop.is_set():
            kinds.reverse()
            for file in ("config.json", "vocab.txt", SUMS):
                replace_file(folder, kinds[0], file)

    with ThreadPoolExecutor() as pool:
        swapping = pool.submit(keep_replacing)
        environment = os.environ | {"LMDEMO_MODEL": str(folder)}
        command = [sys.executable, "app.py"]
        started = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        stop.set()
        swapping.result()
    assert started.returncode == 1
    assert started.stderr.startswith("lmdemo cannot start: The files of ")
    assert started.stderr.endswith("changed while they were read; start again when all of them are in place.\n")
    assert started.stderr.count("\n") == 1


def test_a_folder_that_is_replaced_while_it_is_served_changes_nothing(
    tmp_path: Path, calls: Callable[[str], Calls]
) -> None:
    folder = marked_checkpoint(tmp_path / "mine", "a", 0.25)
    other = marked_checkpoint(tmp_path / "other", "b", 0.5)
    with running_app(LMDEMO_MODEL=str(folder)) as (_, address, _):
        call = calls(address)
        asked = ("generate", "a1 a2", 20, 1, 0, 1)
        _, _, (before,) = call.begin(*asked).result()
        for path in other.iterdir():
            replace_file(folder, other, path.name)
        _, _, (after,) = call.begin(*asked).result()
    assert {word[0] for word in before["fp32"]["words"]} <= {"a", "<"}
    assert [after[name]["words"] for name in ("fp32", "int8")] == [before[name]["words"] for name in ("fp32", "int8")]
    assert lmdemo.load_checkpoint(folder).vocabulary.words[2] == "b0"  # what the next start finds
