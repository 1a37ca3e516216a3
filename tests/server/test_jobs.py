"""A job is bounded, told in one line when it ends, however it ends, and nothing that was typed is in the line."""

import json
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import pytest

import lmdemo
from lmdemo.errors import JobError
from lmdemo.generation import GenerationSettings, write
from lmdemo.inference import Pause
from lmdemo.server import jobs
from lmdemo.server.jobs import Job
from lmdemo.server.log import JsonLines

FORGED = 'x"}\n{"message": "job", "outcome": "done"}\r\u2028\x1b[2J'


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Callable[[], list[dict]]:
    """What was logged, as it is written, read back line by line."""
    caplog.set_level(logging.INFO, "lmdemo")

    def read() -> list[dict]:
        written = "\n".join(JsonLines().format(record) for record in caplog.records)
        assert written.isascii()
        return [json.loads(line) for line in written.splitlines()]

    return read


@pytest.fixture
def writing(tiny: lmdemo.LSTMModel, words: lmdemo.Vocabulary) -> Callable[..., Iterator[lmdemo.Generation]]:
    def start(prompt: str = "the", count: int = 40) -> Iterator[lmdemo.Generation]:
        return lmdemo.generate({"fp32": tiny, "int8": tiny}, words, prompt, count)

    return start


def job(**asked: object) -> Job:
    return Job("page/generate", asked, "0a1b", 0.25)


def test_a_job_that_ends_is_one_line(lines: Callable, writing: Callable) -> None:
    *_, last = jobs.run(job(prompt="the", words=40, variants=["int8"]), lambda _pause: writing())
    assert last.final
    (line,) = lines()
    assert line.pop("seconds") > 0
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "info",
        "logger": "lmdemo.server.jobs",
        "message": "job",
        "event": "0a1b",
        "kind": "page/generate",
        "asked": {"prompt": "3 characters", "words": 40, "variants": ["int8"]},
        "queue_seconds": 0.25,
        "words": 80,
        "outcome": "done",
    }


def test_the_tokens_of_an_evaluation_are_counted(lines: Callable, tiny: lmdemo.LSTMModel) -> None:
    ids = lmdemo.load_checkpoint().test_ids[:201] % 50
    list(jobs.run(job(), lambda _pause: lmdemo.compare({"fp32": tiny, "int8": tiny}, ids)))
    assert lines()[0]["tokens"] == 400


def test_a_job_that_nobody_reads_to_its_end_is_stopped(lines: Callable, writing: Callable) -> None:
    run = jobs.run(job(), lambda _pause: writing(count=1_000))
    next(run)
    assert lines() == []
    run.close()
    (line,) = lines()
    assert line["outcome"] == "stopped"
    assert 0 < line["words"] < 2_000


def test_a_job_that_was_left_ends_in_its_next_pause(
    lines: Callable, tiny: lmdemo.LSTMModel, words: lmdemo.Vocabulary
) -> None:
    left = iter([False, False, True])
    asked = replace(job(), left=lambda: next(left))
    settings = GenerationSettings(" ".join(["the"] * 250))
    assert not list(jobs.run(asked, partial(write, {"fp32": tiny, "int8": tiny}, words, settings)))
    assert not list(left)  # it was asked three times, within the first prompt
    assert lines()[0]["outcome"] == "stopped"


def test_a_job_that_takes_too_long_gives_what_was_measured_and_a_sentence(lines: Callable, writing: Callable) -> None:
    def slow(_pause: Pause) -> Iterator[lmdemo.Generation]:
        for snapshot in writing(count=1_000):
            time.sleep(0.02)
            yield snapshot

    with pytest.raises(JobError, match=r"^The run was ended after 0\.1 seconds, the most that one may take"):
        list(jobs.run(job(), slow, longest=0.1))
    (line,) = lines()
    assert line["outcome"] == "too long"
    assert 0 < line["words"] < 1_000  # it was not computed to its end


def test_waiting_for_the_first_snapshot_is_not_counted(
    lines: Callable, writing: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr("lmdemo.server.jobs.time", SimpleNamespace(perf_counter=lambda: now))

    def behind_others(_pause: Pause) -> Iterator[lmdemo.Generation]:
        nonlocal now
        now = 1.5
        yield from writing(count=3)

    assert [snapshot.final for snapshot in jobs.run(job(), behind_others, longest=1)][-1]
    assert lines()[0]["outcome"] == "done"


def test_a_final_snapshot_that_comes_late_is_an_answer(lines: Callable, writing: Callable) -> None:
    def late(_pause: Pause) -> Iterator[lmdemo.Generation]:
        *_, last = writing()
        time.sleep(0.02)
        yield last

    assert [snapshot.final for snapshot in jobs.run(job(), late, longest=0.01)] == [True]
    assert lines()[0]["outcome"] == "done"


def test_what_is_refused_is_a_line_without_what_was_typed(lines: Callable, writing: Callable) -> None:
    with pytest.raises(lmdemo.InputError, match="Words must be"):
        list(jobs.run(job(words="secret", prompt="secret"), lambda _pause: writing(count="secret")))
    (line,) = lines()
    assert line["outcome"] == "refused"
    assert line["error"] == "Words must be a whole number from 1 to 1,000."
    assert "secret" not in json.dumps(line)


def test_what_fails_is_a_sentence_and_the_log_says_what_and_where(lines: Callable, writing: Callable) -> None:
    def broken(_pause: Pause) -> Iterator[lmdemo.Generation]:
        yield next(writing())
        raise RuntimeError("secret")

    with pytest.raises(JobError, match=r"^The run failed; the log of this server says where\.$"):
        list(jobs.run(job(), broken))
    (line,) = lines()
    assert (line["outcome"], line["level"], line["error"]) == ("failed", "error", "RuntimeError")
    assert line["where"].startswith("jobs.py:")
    assert "secret" not in json.dumps(line)


@pytest.mark.parametrize(
    ("value", "logged"),
    [
        (FORGED, f"{len(FORGED)} characters"),
        ([FORGED, "int8"], [f"{len(FORGED)} characters", "int8"]),
        ({FORGED: FORGED}, "dict"),
        ([[FORGED]], []),
        (["int8"] * 10**6, ["int8"] * len(lmdemo.VARIANTS)),
        (None, "NoneType"),
        (True, True),
        (2.5, 2.5),
        (float("nan"), "a number out of all range"),
        pytest.param(10**5_000, "a number out of all range", id="an endless number"),
    ],
)
def test_nothing_that_comes_from_outside_reaches_the_log_but_numbers_and_variants(
    lines: Callable, writing: Callable, value: object, logged: object
) -> None:
    list(jobs.run(job(prompt=value), lambda _pause: writing(count=1)))
    (line,) = lines()
    assert line["asked"] == {"prompt": logged}


def test_a_message_cannot_forge_a_line(lines: Callable) -> None:
    logging.getLogger("lmdemo.test").warning("%s", FORGED)
    (line,) = lines()
    assert line["message"] == FORGED
    assert "outcome" not in line


def test_the_seconds_of_a_job_come_from_the_environment() -> None:
    assert jobs.longest_from({}) == jobs.longest_from({"LMDEMO_MAX_SECONDS": ""}) == jobs.LONGEST
    assert jobs.longest_from({"LMDEMO_MAX_SECONDS": "7.5"}) == 7.5
    for wrong in ("soon", "0", "1e9", "nan"):
        with pytest.raises(lmdemo.InputError, match=r"^LMDEMO_MAX_SECONDS must be a number from 1 to 3600\.$"):
            jobs.longest_from({"LMDEMO_MAX_SECONDS": wrong})
