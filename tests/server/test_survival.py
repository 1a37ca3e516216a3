"""The app is stopped, killed, out of disk, under a clock that jumps: what its clients and the next start find."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from glob import glob
from pathlib import Path

import httpx
import psutil
import pytest

import lmdemo
from lmdemo.bench import ROOT, running_app
from lmdemo.checksums import SUMS
from logged import beside_jobs
from marked import marked_checkpoint, replace_file

REFUSED = "The app is being stopped and takes no new runs; try again in a minute."
ENDED = "The app was stopped before this run was done; try again in a minute."


class Calls:
    """Calls of an app's endpoints, each read by a thread of its own."""

    def __init__(self, address: str, pool: ThreadPoolExecutor) -> None:
        self.api, self.pool = f"{address}/gradio_api", pool

    def post(self, name: str, *data: object) -> httpx.Response:
        return httpx.post(f"{self.api}/call/{name}", json={"data": data})

    def begin(self, name: str, *data: object) -> Future[tuple[float, str, object]]:
        """Start a call: the moment of its end, its last event and the data with it."""
        event = self.post(name, *data).raise_for_status().json()["event_id"]
        return self.pool.submit(self._read, f"{self.api}/call/{name}/{event}")

    def _read(self, url: str) -> tuple[float, str, object]:
        *_, last = httpx.get(url, timeout=120).raise_for_status().text.strip().split("\n\n")
        event, data = last.split("\n")
        return time.monotonic(), event.removeprefix("event: "), json.loads(data.removeprefix("data: "))

    def wait_for_turn(self, left: int = 0) -> None:
        """Until all that was begun is running, but for those `left` in the queue."""
        deadline = time.monotonic() + 30
        while httpx.get(f"{self.api}/queue/status").json()["queue_size"] > left:
            assert time.monotonic() < deadline
            time.sleep(0.01)


@pytest.fixture
def calls() -> Iterator[Callable[[str], Calls]]:
    with ThreadPoolExecutor() as pool:
        yield lambda address: Calls(address, pool)


# A file system for temporary files with no byte left, which only the app's own process sees and which goes with it.
# Where a host allows no private mounts the test fails: a full disk was not tried there.
FILL = 'mount -t tmpfs -o size=64k tmpfs "$TMPDIR" && ! dd if=/dev/zero of="$TMPDIR/full" 2>/dev/null && exec "$@"'
AS_ROOT = () if os.geteuid() == 0 else ("--map-root-user",)
FULL_DISK = ("unshare", "--mount", *AS_ROOT, "sh", "-c", FILL, "sh")


def assert_ends(app: psutil.Process, told: float, log: Path) -> None:
    """With code 0, in five seconds, and nothing to say."""
    assert app.wait(timeout=30) == 0
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
        time.sleep(0.2)
        for path in ("call/generate", "call/v2/generate", "queue/join"):
            refused = httpx.post(f"{address}/gradio_api/{path}", json={"data": ["It was", 5, 1, 0, 1]})
            assert (refused.status_code, refused.json()) == (503, {"error": REFUSED})
        assert httpx.get(address).is_success  # who looks at the page still sees it
        ended, event, answer = running.result()
        assert (event, answer["error"]) == ("error", ENDED)
        assert ended - told > 2.9  # it had its time
        assert_ends(app, told, tmp_path / "log")


def test_a_full_disk_for_temporary_files_changes_nothing(tmp_path: Path, calls: Callable[[str], Calls]) -> None:
    full = {"TMPDIR": str(tmp_path), "GRADIO_TEMP_DIR": str(tmp_path)}
    with running_app(under=FULL_DISK, log=tmp_path.with_suffix(".log"), **full) as (_, address, _):
        call = calls(address)
        _, event, (answer,) = call.begin("generate", "It was", 20, 1, 0, 1).result()
        assert (event, len(answer["int8"]["words"])) == ("complete", 20)
        _, event, (rows,) = call.begin("evaluate", 500, 25).result()
        assert (event, [row["tokens"] for row in rows]) == ("complete", [500, 500])
        assert "lmdemo: what 8 bits change" in httpx.get(address).text
        assert httpx.get(f"{address}/gradio.js").is_success
    assert beside_jobs(tmp_path.with_suffix(".log")) == []


FAKETIME = "/usr/lib/*-linux-gnu/faketime/libfaketimeMT.so.1"  # of Debian's package faketime


def test_a_clock_that_jumps_in_a_run_changes_no_figure(tmp_path: Path, calls: Callable[[str], Calls]) -> None:
    libraries = glob(FAKETIME)
    assert libraries, "Without Debian's package faketime no clock jumps here."
    clock = tmp_path / "clock"
    clock.write_text("+0d")
    faked = {
        "LD_PRELOAD": libraries[0],
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_CACHE_DURATION": "1",  # second; then the file is read again
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",  # a clock that is set does not move that one either
    }
    with running_app(**faked) as (_, address, _):

        def day() -> int:
            return parsedate_to_datetime(httpx.get(address).headers["date"]).toordinal()

        call = calls(address)
        call.begin("evaluate", 500, 25).result()  # the app knows how long one takes
        for jump in ("+1d", "-1d"):
            before = day()
            began = time.monotonic()
            running = call.begin("evaluate", 3000, 5)
            call.wait_for_turn()
            clock.write_text(jump)
            while day() == before:
                assert not running.done(), "the run ended before the clock jumped"
                time.sleep(0.1)
            jumped = time.monotonic()
            ended, event, (rows,) = running.result()
            assert jumped < ended  # it was within the run
            assert event == "complete"
            assert [row["tokens"] for row in rows] == [3000, 3000]
            assert all(row["seconds"] > 0 for row in rows)
            assert sum(row["seconds"] for row in rows) < ended - began
            _, event, (answer,) = call.begin("generate", "It was", 20, 1, 0, 1).result()
            assert (event, len(answer["int8"]["words"])) == ("complete", 20)


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
