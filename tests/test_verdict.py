"""The answers of the card, from figures whose answer is known."""

import math
from dataclasses import replace

import numpy as np
import pytest

from lmdemo.bootstrap import Estimate
from lmdemo.evaluation import Comparison, EvalResult
from lmdemo.fidelity import FidelityRun, summarize
from lmdemo.held import Held
from lmdemo.latency import Latencies
from lmdemo.machine import Interference, this_machine
from lmdemo.measured import Evaluation
from lmdemo.report import ship
from lmdemo.timed import Interval
from lmdemo.ui import results
from lmdemo.verdict import Mark, above, more_words, together, verdict

NAMES = ("fp32", "fp32-packed", "int8", "int8-packed")
WORDS = 4_000


def change(value: float, half: float) -> Estimate:
    return Estimate(value, half / 2, value - half, value + half)


@pytest.mark.parametrize(
    ("estimate", "more"),
    [
        (change(0.0, 0.02), 12_000),  # half of 2 % has to become 1 %: four times the words
        (change(0.005, 0.01), 12_000),
        (change(-0.02, 0.02), 12_000),  # to tell that it is more than 1 %, down
        (change(0.01, 0.02), None),  # it lies on the bar
        (change(0.0, math.nan), None),
        (change(0.0, math.inf), None),
        (change(0.0, 0.005), 0),
    ],
)
def test_how_many_more_words_would_decide_it(estimate: Estimate, more: int | None) -> None:
    assert more_words(estimate, WORDS) == more


@pytest.mark.parametrize(
    ("answers", "mark"),
    [
        ([True, True], Mark.YES),
        ([False], Mark.NO),
        ([True, False, None], Mark.PARTLY),
        ([True, None], Mark.OPEN),
        ([], Mark.OPEN),
    ],
)
def test_answers_are_joined(answers: list[bool | None], mark: Mark) -> None:
    assert together(answers) is mark


def test_a_ratio_is_above_a_bar_when_its_interval_is() -> None:
    assert above(Interval(2.0, 1.5, 3.0, 20), 1.0) is True
    assert above(Interval(0.5, 0.4, 0.9, 20), 1.0) is False
    assert above(Interval(1.1, 0.9, 1.3, 20), 1.0) is None
    assert above(Interval(2.0, math.nan, math.nan, 2), 1.0) is None


def measured(seconds: dict[str, float], off: float = 0.0, spread: float = 0.01) -> Evaluation:
    """Every variant takes the same time for each block and each word; int8's loss is `off` above fp32's."""
    loss, noise = np.random.default_rng(1).normal(4.0, 1.0, size=(2, WORDS))
    other = loss + off + spread * (noise - noise.mean())
    zeros, ones = np.zeros(WORDS), np.ones(WORDS)
    found = {name: summarize(loss, other if "int8" in name else loss, zeros, ones) for name in seconds}
    comparison = Comparison(
        window=25,
        tokens=WORDS,
        results={name: EvalResult(4.0, WORDS, 1.0) for name in seconds},
        block_tokens=(100,) * 40,
        block_seconds={name: (each,) * 40 for name, each in seconds.items()},
        interference=Interference(2.0, 0.0, 0.0),
        order_seed=0,
        final=True,
    )
    return Evaluation(
        checkpoint="bundled",
        revision=None,
        machine=this_machine(),
        comparison=comparison,
        limits={},
        writing=Latencies(
            {name: (each,) * 200 for name, each in seconds.items()}, Interference(2.0, 0.0, 0.0), final=True
        ),
        fidelity=FidelityRun(25, WORDS, WORDS, "fp32", found, True),
        held={name: Held(12_500_000 if "int8" in name else 19_090_000, 0, 0) for name in seconds},
        files={name: 8_660_000 if "int8" in name else 19_090_000 for name in seconds},
        available=8_715,
    )


FOUR = dict(zip(NAMES, (0.08, 0.04, 0.02, 0.01), strict=True))


def test_as_called_is_over_fp32_and_fair_is_both_done_well() -> None:
    found = verdict(measured(FOUR), "int8")
    assert (found.fairly, found.reading.called.median, found.reading.fair.median) == (
        ("int8-packed", "fp32-packed"),
        4.0,
        4.0,
    )
    three = verdict(measured({name: FOUR[name] for name in NAMES[:3]}), "int8")
    assert (three.fairly, three.writing.fair.median) == (("int8", "fp32-packed"), 2.0)
    two = verdict(measured({name: FOUR[name] for name in ("fp32", "int8")}), "int8")
    assert (two.fairly, two.writing.fair, two.faster) == (None, None, Mark.YES)
    slower = verdict(measured(FOUR | {"int8": 0.06, "int8-packed": 0.06}), "int8")
    assert slower.faster is Mark.PARTLY  # faster than the call on fp32, slower than fp32 done well


def test_what_is_not_measured_yet_has_no_answer() -> None:
    done = measured(FOUR)
    early = replace(
        done, comparison=replace(done.comparison, final=False), writing=None, fidelity=None, held={}, files={}
    )
    found = verdict(early, "int8")
    assert (found.quality, found.reading, found.writing, found.file, found.memory) == (None,) * 5
    assert str(results.card(early)).count("being measured") == 3


@pytest.mark.parametrize(
    ("off", "spread", "said"),
    [
        (0.003, 0.05, "<b>yes</b>"),
        (-0.0117, 0.05, "<b>no</b>"),  # a perplexity that falls is not near
        (0.0, 0.4, r"<b>not decided: measure about 3,000 more words</b>"),
        (0.0, 2.0, r"<b>not decided: it would take about 200,000 more words, and this text has not as many</b>"),
    ],
)
def test_the_card_says_whether_quality_is_close_or_what_would_decide_it(off: float, spread: float, said: str) -> None:
    assert said in results.card(measured(FOUR, off, spread))


def test_the_card_as_markdown_has_each_answer_its_figures_and_its_bar() -> None:
    lines = ship.markdown(measured(FOUR, 0.003)).splitlines()
    assert lines[0] == "**Should I ship int8?**"
    quality, speed, size = lines[4:7]
    assert quality.startswith("| Quality: close? | yes | perplexity +0.3")
    assert quality.endswith("| perplexity within 1% of fp32’s, up or down |")
    assert speed == (
        "| Speed: faster? | yes | writing, a word at a time: 4× as called, 4× fair; reading, 25 at a time: 4× as"
        " called, 4× fair | faster than fp32 as called; fair is int8-packed ÷ fp32-packed |"
    )
    assert size == (
        "| Size and memory: smaller? | yes | file: 45%, 19.1 MB → 8.7 MB; memory: 65%, 19 MB → 12 MB"
        " | less than fp32’s |"
    )


def test_where_the_system_does_not_tell_memory_the_card_says_so_and_of_fp32_alone_there_is_none() -> None:
    assert "memory: this system does not tell" in results.card(replace(measured(FOUR), held={}))
    alone = measured({"fp32": 0.08})
    assert results.card(alone) == ship.markdown(alone) == results.card(None) == ""
