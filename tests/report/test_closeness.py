"""What is said of how far a variant is from fp32: with its interval, of this text, and never that quality is kept."""

import re

import numpy as np
import pytest
import torch

import lmdemo
from lmdemo.fidelity import FidelityRun, fidelity, summarize
from lmdemo.report import closeness, tables
from lmdemo.ui import results


def run_of(off: float, spread: float, kl: float) -> FidelityRun:
    """int8 whose loss is `off` above fp32's, give or take `spread`."""
    loss, noise = np.random.default_rng(1).normal(4.0, 1.0, size=(2, 4_000))
    other = loss + off + spread * (noise - noise.mean())
    zeros, ones = np.zeros(len(loss)), np.ones(len(loss))
    results = {
        "fp32": summarize(loss, loss, zeros, ones),
        "int8": summarize(loss, other, np.full(len(loss), kl), ones),
    }
    return FidelityRun(200, len(loss), len(loss), "fp32", results, True)


@pytest.mark.parametrize(
    ("off", "spread", "change", "answer"),
    [
        (0.003, 0.05, r"\+0\.30% \(\+0\.1\d to \+0\.4\d\)", "yes"),
        (0.0, 1.0, r"0% \(−3 to \+3\)", "not decided"),
        (-0.0117, 0.05, r"−1\.16% \(−1\.3\d to −1\.0\d\)", "no"),  # a perplexity that falls is not one that is kept
    ],
)
def test_a_change_of_perplexity_has_its_interval_and_is_held_against_a_bar(
    off: float, spread: float, change: str, answer: str
) -> None:
    run = run_of(off, spread, 0.0276)
    found = run.results["int8"]
    assert re.fullmatch(change, closeness.change(found))
    assert closeness.close(found) == answer
    said = closeness.distance(run)
    assert said == "KL of int8 is 0.0276, as if a coin that says 50% said 50 ± 11.6%."
    assert not re.search("kept|keeps|quality", said + results.fidelity_table(run))


def test_the_range_of_the_passages_is_told() -> None:
    said = closeness.passages(run_of(0.0, 0.05, 0.004))
    assert re.search(
        r"^In 16 passages of this text, 250 words each, KL of int8 ran from 0\.0040 to 0\.0040, and its perplexity ",
        said,
    )
    assert re.search(r"changed by −0\.\d% to \+0\.\d%\.$", said)


def test_fp32_alone_is_compared_with_nothing(tiny: lmdemo.LSTMModel) -> None:
    *_, run = fidelity({"fp32": tiny}, torch.arange(20))
    assert closeness.distance(run) == closeness.passages(run) == ""
    assert results.fidelity_table(run) == results.passage_table(run) == results.percentile_tables(run) == ""


def test_a_test_text_of_one_predicted_word_is_shown_without_what_it_cannot_tell(tiny: lmdemo.LSTMModel) -> None:
    *_, run = fidelity(lmdemo.build_variants(tiny, ["fp32", "int8"]), torch.tensor([2, 3]))
    assert closeness.passages(run) == ""  # one passage has no range
    row = tables.fidelity_rows(run)["int8"]
    assert row["within 1%"] == "not decided"
    assert row["same top word"] in ("0.0%", "100.0%")
    shown = results.fidelity_table(run) + results.percentile_tables(run) + results.passage_table(run)
    assert "nan" not in closeness.distance(run) + shown


def test_what_no_number_says_any_more_is_said_in_words() -> None:
    run = run_of(800.0, 0.05, 12.0)
    found = run.results["int8"]
    assert closeness.perplexity(found.perplexity) == "over 10^12"
    assert closeness.change(found) == "over 10^12%"
    shown = closeness.distance(run) + closeness.passages(run) + results.fidelity_table(run) + results.passage_table(run)
    assert "inf" not in shown


def test_percentiles_are_those_of_llama_cpp() -> None:
    html = results.percentile_tables(run_of(0.0, 0.05, 0.004))
    divergence, change = re.findall(r"<thead>(.*?)</thead>", html)
    heads = ["variant", "least", "0.1 %", "1 %", "5 %", "10 %", "median", "90 %", "95 %", "99 %", "99.9 %", "most"]
    assert re.findall(r"<th[^>]*>(.*?)</th>", divergence) == heads
    assert {"10 %", "90 %"} <= set(re.findall(r"<th[^>]*>(.*?)</th>", change))
    assert re.search(r"<td>[+−]0\.\d\d%</td>", html)
