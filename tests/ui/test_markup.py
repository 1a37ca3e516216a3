"""What is shown is text, marked where it should be."""

import re
from dataclasses import replace

import pytest

from lmdemo.evaluation import Comparison, EvalResult
from lmdemo.latency import Latencies
from lmdemo.machine import Interference, this_machine
from lmdemo.measured import Evaluation
from lmdemo.report import prose, tables
from lmdemo.roofline import Limit
from lmdemo.timed import Interval
from lmdemo.ui import markup
from reader import Reader


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Interval(3.0412, 2.91, 3.17, 40), "3.04 (2.91 to 3.17)"),
        (Interval(3.04121, 3.0402, 3.0422, 40), "3.041 (3.040 to 3.042)"),
        (Interval(1234.5, 1100, 1400, 40), "1,230 (1,100 to 1,400)"),
        (Interval(5000.0, 2000.0, 5000.0, 40), "5,000 (2,000 to 5,000)"),
        (Interval(2.345, float("nan"), float("nan"), 3), "about 2.3"),
    ],
)
def test_no_more_digits_than_the_interval_supports(value: Interval, text: str) -> None:
    assert prose.interval(value) == text


@pytest.mark.parametrize(
    ("value", "half", "text"),
    [
        (0.00429, 0.0001, "0.00429 (0.00419 to 0.00439)"),
        (-0.00041, 0.00019, "−0.00041 (−0.00060 to −0.00022)"),
        (1e-9, 1e-9, "0"),
        (0.001, 0.001, "0.0010 (0 to 0.0020)"),
        (1234.5, 100.0, "1,230 (1,130 to 1,330)"),
        (1.0, 0.0, "1"),
        (0.0276, 0.0, "0.0276"),
    ],
)
def test_an_estimate_carries_its_interval_in_the_same_notation(value: float, half: float, text: str) -> None:
    assert prose.ranged(value, value - half, value + half, most=5) == text


QUIET = Interference(2.0, 0.0, 0.0)


def _comparison(seconds: dict[str, list[float]], others: float | None = 0.0, stolen: float | None = 0.0) -> Comparison:
    blocks = len(seconds["fp32"])
    return Comparison(
        window=25,
        tokens=25 * blocks,
        results={name: EvalResult(4.0, 25 * blocks, sum(times)) for name, times in seconds.items()},
        block_tokens=(25,) * blocks,
        block_seconds={name: tuple(times) for name, times in seconds.items()},
        interference=Interference(sum(map(sum, seconds.values())), others, stolen),
        order_seed=0,
        final=True,
    )


def _evaluation(comparison: Comparison, writing: Latencies | None = None) -> Evaluation:
    return Evaluation("bundled", None, this_machine(), comparison, {}, writing)


STEADY = {"fp32": [0.20, 0.21] * 10, "fp32-packed": [0.10, 0.11] * 10, "int8": [0.05, 0.051] * 10}


EVEN = {"fp32": (0.02,) * 200, "int8": (0.01,) * 200}  # seconds of each word written
UNEVEN = EVEN | {"int8": ((0.01,) * 10 + (0.05,) * 10) * 10}


def test_a_steady_run_on_a_quiet_machine_raises_no_doubt() -> None:
    assert prose.doubts(_evaluation(_comparison(STEADY), Latencies(EVEN, QUIET, True))) == ""
    assert prose.doubts(_evaluation(_comparison(STEADY, None, None))) == ""  # where the system does not tell
    assert markup.warning("") == ""


@pytest.mark.parametrize(
    ("evaluation", "sentence"),
    [
        (
            _evaluation(_comparison(STEADY | {"int8": [0.02, 0.2] * 10})),
            r"^In reading the spread is wide, [\d,]+ \([\d,]+ to [\d,]+\) words/s for int8: measure more words, or",
        ),
        (
            _evaluation(_comparison(STEADY, others=0.4)),
            r"^During reading other work, with this app’s for others, took 40% of the processors\.$",
        ),
        (
            _evaluation(_comparison(STEADY, stolen=0.05)),
            r"^During reading the host of this virtual machine took 5% of its processor time away\.$",
        ),
        (
            _evaluation(_comparison(STEADY), Latencies(UNEVEN, QUIET, True)),
            r"^In writing the spread is wide, \d+ \(\d+ to \d+\) words/s for int8: measure again in a quieter",
        ),
        (
            _evaluation(_comparison(STEADY), Latencies(EVEN, Interference(0.7, 0.4, 0.0), True)),
            r"^During writing other work, with this app’s for others, took 40% of the processors\.$",
        ),
    ],
)
def test_what_makes_a_timing_doubtful_is_told(evaluation: Evaluation, sentence: str) -> None:
    assert re.search(sentence, prose.doubts(evaluation))
    assert not evaluation.sound


def test_of_what_is_not_timed_yet_nothing_is_doubted() -> None:
    assert prose.doubts(_evaluation(_comparison(STEADY), Latencies(UNEVEN, QUIET, False))) == ""


def test_the_verdict_names_both_baselines() -> None:
    assert prose.speed_verdict(_comparison(STEADY)) == (
        "int8 reads at 4.06× (4.00 to 4.12) the speed of fp32, 2.08× (2.00 to 2.16) that of fp32-packed."
    )


def test_a_difference_within_the_noise_is_not_claimed() -> None:
    same = {"fp32": [0.1, 0.2] * 10, "int8": [0.2, 0.1] * 10}
    assert prose.speed_verdict(_comparison(same)).startswith("The noise on this machine hides any difference in speed")


def test_why_a_variant_is_not_to_be_had_is_told_as_text() -> None:
    html = markup.variants_list({"fp32": "As trained.", "int9": "Odd."}, "", {"int9": "int9 cannot run here: <b>."})
    assert Reader(html).tags.count("b") == 0
    assert "Odd. int9 cannot run here: <b>." in Reader(html).text
    assert prose.unavailable({}) == ""
    assert prose.unavailable({"int9": "int9 cannot run here."}) == "Not available here: int9 cannot run here."


def test_what_words_wait_for_is_said_from_the_share_of_the_limit() -> None:
    """At 250 words a block: fp32 reads about 122 words/s, int8 495."""
    comparison = _comparison({"fp32": [0.20, 0.21] * 10, "int8": [0.05, 0.051] * 10})
    limits = {"fp32": Limit(1, 1, bandwidth=1e9, peak=200.0), "int8": Limit(1, 1, bandwidth=1e9, peak=5_000.0)}
    assert prose.why(comparison, limits) == (
        "Read 25 at a time, most of a word’s time goes into multiplying with fp32 (61% of its limit); the calls"
        " themselves and what else a word needs with int8 (10% of its limit)."
    )
    assert prose.why(comparison, {}) == ""


def test_what_written_words_wait_for_is_bytes_operations_or_the_calls_themselves() -> None:
    """Each variant writes 100 words/s."""
    measured = Latencies(dict.fromkeys(("fp32", "fp32-packed", "int8"), (0.01,) * 200), QUIET, True)
    limits = {
        "fp32": Limit(10, 1, bandwidth=1_250.0, peak=1e9),
        "fp32-packed": Limit(1, 10, bandwidth=1e9, peak=2_000.0),
        "int8": Limit(10, 1, bandwidth=1e4, peak=1e9),
    }
    assert tables.why_writing(measured, limits) == (
        "Written one at a time, most of a word’s time goes into reading the weights with fp32 (80% of its limit);"
        " multiplying with fp32-packed (50% of its limit); the calls themselves and what else a word needs with int8"
        " (10% of its limit)."
    )
    assert tables.why_writing(measured, {}) == tables.why_writing(None, limits) == ""
    assert tables.why_writing(replace(measured, final=False), limits) == ""


def test_headings_say_what_they_mean_and_what_is_the_same_comes_last() -> None:
    rows = {"int8": {"a": "1", "b": "<2>", "c": "3"}, "int4": {"a": "1", "b": "4", "c": "5"}}
    html = markup.table(rows, "Title", explained={"b": 'Of "b" & <c>.'})
    assert re.findall(r'<th scope="col"[^>]*>(?:<button[^>]*>)?(\w+)', html) == ["variant", "b", "c", "a"]
    assert 'data-meaning="Of &#34;b&#34; &amp; &lt;c&gt;."' in html
    assert html.count('class="same"') == 3  # a heading and two cells
    assert "The same in every row: a 1." in html
    alone = markup.table({"int8": rows["int8"]}, "Title", explained={"b": "B."})
    assert "same" not in alone  # with one row there is nothing to compare
    assert "same" not in markup.table(rows, "Title")


def test_every_heading_of_evaluate_says_what_it_means() -> None:
    for meanings in (tables.READING, tables.CLOSENESS, tables.WRITING):
        assert all(meaning.endswith(".") for meaning in meanings.values())
    measured = Latencies({"fp32": (0.02, 0.021) * 100, "fp32-packed": (0.01,) * 200}, QUIET, True)
    assert list(tables.writing_rows(measured)["fp32"]) == list(tables.WRITING)


def test_writing_is_a_table_of_its_own() -> None:
    measured = Latencies(
        {"fp32": (0.02, 0.021) * 100, "fp32-packed": (0.01,) * 200, "int8": (0.005,) * 200}, QUIET, True
    )
    assert tables.writing_rows(measured)["int8"] == {
        "× fp32": "4.1",
        "× fp32-packed": "2",
        "words/s": "200",
        "ms a word, median": "5",
        "95% take at most": "5 ms",
    }
    assert tables.why_writing(replace(measured, final=False), {}) == tables.why_writing(None, {}) == ""
