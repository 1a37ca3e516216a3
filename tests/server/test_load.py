"""The load command on the real app, shorter; ratios with slack, since other tests run on the same machine."""

import itertools
import math
import os
import subprocess
import sys

import httpx
import pytest

from lmdemo import load
from lmdemo.bench import ROOT
from lmdemo.cli import main
from lmdemo.load.measure import State
from lmdemo.load.report import Row
from lmdemo.load.soak import Soak
from lmdemo.load.turns import Turn, overtakes, turns_of_jobs, unaccounted
from lmdemo.load.visitor import Asked, Outcome, _sentence
from threads import in_a_thread


def row(rows: list[Row], what: str) -> Row:
    """The one row whose name has these words."""
    (found,) = (one for one in rows if what in one.what)
    return found


def test_a_crowd_is_served_in_turn_and_leaves_nothing_behind() -> None:
    done = in_a_thread(load.run_load, 12, 10, probes=3)
    assert done.errors == []
    assert done.sessions >= 12
    assert len(done.asked) > 12
    assert {one.kind for one in done.asked} == {"page/generate", "page/evaluate", "api/generate", "api/evaluate"}
    assert done.count(Outcome.DONE) > 0
    assert done.count(Outcome.CANCELLED) + done.count(Outcome.VANISHED) > 0
    assert done.overtakes == 0
    assert done.unaccounted == (0, 0)  # one line for each run
    assert done.after.threads <= done.before.threads + 2
    assert done.after.memory < 1.25 * done.before.memory
    assert set(done.ratios) == set(itertools.product(("api/generate", "api/evaluate"), ("fp32", "int8")))
    answered = [ratio for ratio, answers in done.ratios.values() if answers]
    assert answered
    assert all(0.2 < ratio < 5 for ratio in answered)
    rows = load.load_rows(done)
    assert row(rows, "errors").passed
    assert row(rows, "served before one who came earlier").passed
    report = load.markdown(rows)
    assert "| runs that began and did not end | 0 | 0 |" in report
    assert report.endswith("passes.") or "Does not pass: " in report


def test_memory_over_many_short_sessions() -> None:
    soak = in_a_thread(load.run_soak, 40, 400)
    assert soak.whole
    assert soak.errors == []
    assert len(soak.asked) == 40
    assert soak.unaccounted == (0, 0)
    assert soak.threads[1] <= soak.threads[0] + 2
    assert max(soak.memory) < 1.5 * min(soak.memory)
    assert "MB (95% " in load.markdown(load.soak_rows(soak))


def test_the_slope_is_that_of_the_second_half() -> None:
    soak = Soak(sessions=list(range(10, 1_010, 10)), memory=[500_000_000 + 9_000 * max(n, 50) for n in range(100)])
    slope, error = soak.slope  # 9 KB every 10 sessions
    assert slope == pytest.approx(0.9)
    assert error == pytest.approx(0, abs=1e-6)
    assert soak.flat
    assert not Soak(sessions=soak.sessions, memory=[10 * one for one in soak.memory]).flat


def test_overtakes_are_counted() -> None:
    first, second, third = Turn(0, 0.1, 5, 6), Turn(0.2, 0.3, 1, 2), Turn(0.4, 0.5, 2, 3)
    assert overtakes([first, second, third]) == 2
    assert overtakes([Turn(0, 0.1, 1, 2), Turn(0.2, 0.3, 2, 3)]) == 0
    assert overtakes([Turn(0, 0.4, 2, 3), Turn(0.2, 0.3, 1, 2)]) == 0  # nobody knows who came first
    job = {"time": "2026-01-01T00:00:10+00:00", "seconds": 2.0, "queue_seconds": 3.0}
    (turn,) = turns_of_jobs([job, job | {"queue_seconds": None}])
    assert (turn.started - turn.came_before, turn.ended - turn.started) == (3, 2)


def test_a_run_without_a_line_and_lines_without_a_run_are_counted() -> None:
    asked = [Asked("page/generate", 0, event="a", computed=True), Asked("page/generate", 0, event="b")]
    assert unaccounted(asked, [{"event": "a"}]) == (0, 0)
    assert unaccounted(asked, [{"event": "b"}]) == (1, 0)
    assert unaccounted(asked, [{"event": "a"}, {"event": "a"}, {"event": "c"}]) == (0, 2)


def test_a_timing_without_an_answer_does_not_pass() -> None:
    idle = Asked(
        "api/generate", 0, outcome=Outcome.DONE, answer={name: {"words_per_second": 9} for name in ("fp32", "int8")}
    )
    state = State(None, None)
    done = load.Load(1, 1, 1, (), (), (idle,), state, None, state, 0, None)
    assert all(math.isnan(ratio) for ratio, _ in done.ratios.values())
    assert not row(load.load_rows(done), "fp32 words/s of /generate").passed


def test_a_full_queue_is_known_by_its_sentence() -> None:
    assert _sentence(httpx.Response(503, json={"detail": "The queue is full."})) == "The queue is full."
    assert _sentence(httpx.Response(503, json={"error": "Come back in a minute."})) == "Come back in a minute."
    with pytest.raises(ValueError, match="Refused without a sentence"):
        _sentence(httpx.Response(503, json={}))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--url", "http://192.0.2.1:7860"), "Load is put on this machine only"),
        (("--url", "http://example.org"), "Load is put on this machine only"),
        (("--url", "https://127.0.0.1:1"), "Load is put on this machine only"),
        (("--url", "http://127.0.0.1:1"), "There is no page of ours at http://127.0.0.1:1."),
        (("--visitors", "501"), "--visitors must be a whole number from 1 to 500."),
        (("--minutes", "61"), "--minutes must be a number from 0.1 to 60."),
        (("--soak", "--sessions", "10001"), "--sessions must be a whole number from 20 to 10,000."),
    ],
)
def test_the_command_refuses_with_a_sentence(
    arguments: tuple[str, ...], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert str(main(["load", *arguments])).startswith(f"lmdemo: {sentence}")
    assert capsys.readouterr().out == ""


def test_threads_share_two_heaps() -> None:
    code = """
import ctypes, sys, threading
from lmdemo.memory import few_arenas
few_arenas()
held = threading.Barrier(6)
def hold():
    kept = [bytearray(600) for _ in range(1000)]
    held.wait()
threads = [threading.Thread(target=hold) for _ in range(6)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
libc = ctypes.CDLL(None)
libc.malloc_info(0, ctypes.c_void_p.in_dll(libc, "stdout"))
libc.fflush(None)
"""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, check=True)
    assert 1 <= told.stdout.count(b"<heap nr=") <= 2
