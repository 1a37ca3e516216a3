"""A short crowd and a short soak on the real app, and the account of both; locust stays out of the tests' process."""

import math
import os
import re
import subprocess
import sys

import httpx
import pytest

import report
from account import Turn, overtakes, turns_of_jobs, unaccounted
from lmdemo.bench import ROOT
from short import short_folder
from visitor import Asked, Outcome, sentence
from waiting import LAST_NET

LAST = f"{LAST_NET}s"  # both end by what was done
RATIOS = [f"{variant} words/s of /{end}" for end in ("generate", "evaluate") for variant in ("fp32", "int8")]


def rows(file: str, *arguments: str) -> dict[str, str]:
    """What locust reports of a short form of it, by name, when the load ends; its exit code is that of the report."""
    command = [sys.executable, "-m", "locust", "-f", f"tests/load/{file}", "--headless", "--only-summary", *arguments]
    command += ["--folder", str(short_folder()), "--most-words", "100"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LOCUST_")}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    found = dict(re.findall(r"^\| (.+?) \| (.*?) \| .*\|$", done.stdout, re.MULTILINE))
    assert found, done.stderr
    assert done.returncode == (not done.stdout.rstrip().endswith("All of it passes.")), done.stderr
    return found


def test_a_crowd_is_served_in_turn_and_leaves_nothing_behind() -> None:
    found = rows("crowd.py", "-u", "8", "-r", "4", "-t", LAST, "--requests", "10", "--probes", "1")
    assert found["errors"] == "0"
    assert found["requests"] == "10"
    assert int(found["done"]) > 0
    assert int(found["requests"]) == sum(int(found[one.value]) for one in Outcome if one is not Outcome.ERROR)
    assert found["most visitors served before one who came earlier"] == "0"
    assert found["runs that began and did not end"] == found["lines in the log beyond one a run"] == "0"
    before, after = map(int, found["threads before, after"].split(", "))
    assert after <= before + report.THREADS
    assert any(f"{name}, under load ÷ idle" in found for name in RATIOS)  # whether they pass is the machine's business


def test_memory_over_many_short_sessions() -> None:
    found = rows("soak.py", "-u", "4", "-r", "4", "-t", LAST, "--sessions", "12")
    assert found["sessions"] == "12"
    assert found["errors"] == "0"
    assert found["runs that began and did not end"] == found["lines in the log beyond one a run"] == "0"
    first, last = map(int, re.match(r"(\d+), (\d+) MB", found["memory at the first look, at the last"]).groups())
    assert last < 1.5 * first


def test_the_slope_is_that_of_the_second_half() -> None:
    memory = [500_000_000 + 9_000 * max(session, 500) for session in range(1_000)]  # 9 KB a session
    *_, slope = report.slope_rows(memory)
    assert slope.figure == "+9.0 MB (95% +9.0 to +9.0)"
    assert not slope.passed
    assert report.slope_rows([one // 2 for one in memory])[-1].passed


def test_overtakes_are_counted() -> None:
    first, second, third = Turn(0.1, 5, 6), Turn(0.3, 1, 2), Turn(0.5, 2, 3)
    assert overtakes([first, second, third]) == 2
    assert overtakes([Turn(0.1, 1, 2), Turn(0.3, 2, 3)]) == 0
    assert overtakes([Turn(0.300, 2, 3), Turn(0.305, 1, 2)]) == 0  # the log rounds: nobody knows who came first
    job = {"time": "2026-01-01T00:00:10+00:00", "seconds": 2.0, "queue_seconds": 3.0}
    (turn,) = turns_of_jobs([job, job | {"queue_seconds": None}])
    assert (turn.started - turn.came, turn.ended - turn.started) == (3, 2)


def test_a_run_without_a_line_and_lines_without_a_run_are_counted() -> None:
    asked = [Asked("page/generate", 0, event="a", computed=True), Asked("page/generate", 0, event="b")]
    assert unaccounted(asked, [{"event": "a"}]) == (0, 0)
    assert unaccounted(asked, [{"event": "b"}]) == (1, 0)
    assert unaccounted(asked, [{"event": "a"}, {"event": "a"}, {"event": "c"}]) == (0, 2)


@pytest.mark.parametrize(("rate", "passes"), [(9, True), (8, True), (7, False), (11, False), (math.nan, False)])
def test_words_per_second_are_held_to_those_at_rest(rate: float, passes: bool) -> None:
    def answered(rate: float) -> Asked:
        answer = {name: {"words_per_second": rate} for name in ("fp32", "int8")}
        return Asked("api/generate", 0, outcome=Outcome.DONE, answer=answer)

    loaded = [] if math.isnan(rate) else [answered(rate)]
    assert [row.passed for row in report.speed_rows(loaded, [answered(9)])] == [passes] * 2


@pytest.mark.parametrize(
    ("row", "passes"),
    [
        (report.memory_row(100, 200, 105), True),
        (report.memory_row(100, 200, 106), False),
        (report.thread_row(4, 6), True),
        (report.thread_row(4, 7), False),
        (report.wait_rows([], 1)[-1], False),
        (report.outcome_rows([], ["one"])[-1], False),
        *((row, False) for row in report.account_rows(1, 1)),
    ],
)
def test_a_bar_that_is_missed_is_named(row: report.Row, passes: bool) -> None:
    assert row.passed is passes
    assert report.markdown([row]).endswith("All of it passes." if passes else f"Does not pass: {row.what}.")


def test_a_full_queue_is_known_by_its_sentence() -> None:
    assert sentence(httpx.Response(503, json={"detail": "The queue is full."})) == "The queue is full."
    assert sentence(httpx.Response(503, json={"error": "Come back in a minute."})) == "Come back in a minute."
    with pytest.raises(ValueError, match="Refused without a sentence"):
        sentence(httpx.Response(503, json={}))
