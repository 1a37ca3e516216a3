"""Fidelity: exactly zero against itself, right in a case computed by hand, honest errors."""

import math

import numpy as np
import pytest
import torch
from torch import nn

import lmdemo
from lmdemo.bootstrap import Estimate
from lmdemo.fidelity import Fidelity, FidelityRun, coin, fidelity, summarize
from lmdemo.passages import stretches


def last(models: dict[str, nn.Module], ids: torch.Tensor, window: int = 25) -> FidelityRun:
    *_, final = fidelity(models, ids, window)
    assert final.final
    return final


def test_a_model_against_itself_is_exactly_zero_and_one(bundled: lmdemo.Checkpoint) -> None:
    int8 = lmdemo.build_variants(bundled.model, ["int8"])["int8"]
    for model in (bundled.model, int8):
        found = last({"one": model, "two": model}, bundled.test_ids[:501], 130).results["two"]
        assert found.log_ratio == found.kl == found.change == found.change_rms == Estimate(0.0, 0.0, 0.0, 0.0)
        assert set(found.kl_percentiles.values()) == set(found.change_percentiles.values()) == {0.0}
        assert found.top_1 == Estimate(1.0, 0.0, 1.0, 1.0)
        assert found.perplexity_change == Estimate(0.0, 0.0, 0.0, 0.0)
        assert found.close(1e-9)
        assert {(passage.kl, passage.perplexity_change) for passage in found.passages} == {(0.0, 0.0)}
        assert set(found.course) == {0.0}


class Fixed(lmdemo.LSTMModel):
    """A model of three words whose logits are its decoder's bias, whatever it reads."""

    def __init__(self, probabilities: list[float]) -> None:
        super().__init__(3, 2, 2, 1)
        nn.init.zeros_(self.decoder.weight)
        self.decoder.bias = nn.Parameter(torch.tensor(probabilities).log())


def test_a_case_computed_by_hand() -> None:
    """p = (1/2, 1/4, 1/4) against q = (1/4, 1/2, 1/4); the words to predict are 0, 1, 0, 2."""
    ids = torch.tensor([2, 0, 1, 0, 2])
    run = last({"p": Fixed([0.5, 0.25, 0.25]), "q": Fixed([0.25, 0.5, 0.25])}, ids, window=3)
    base, found = run.results["p"], run.results["q"]
    assert base.loss.value == pytest.approx((2 * math.log(2) + 2 * math.log(4)) / 4)
    assert found.loss.value == pytest.approx((math.log(2) + 3 * math.log(4)) / 4)
    assert found.perplexity.value == pytest.approx(math.exp(found.loss.value))
    assert found.log_ratio.value == pytest.approx(math.log(2) / 4)  # twice half, once double, once the same
    assert found.kl.value == pytest.approx(0.5 * math.log(2) - 0.25 * math.log(2))
    assert all(value == pytest.approx(0.25 * math.log(2)) for value in found.kl_percentiles.values())
    assert found.top_1.value == 0  # p finds word 0 likeliest, q word 1
    assert found.change.value == pytest.approx((-0.25 + 0.25 - 0.25 + 0) / 4)
    assert found.change_rms.value == pytest.approx(math.sqrt(3 * 0.25**2 / 4))
    assert found.change_percentiles[0.0] == pytest.approx(-0.25)
    assert found.change_percentiles[100.0] == pytest.approx(0.25)
    assert run.baseline == "p"
    assert found.tokens == 4


def test_it_is_measured_on_the_same_words_as_the_loss(bundled: lmdemo.Checkpoint) -> None:
    models, ids = lmdemo.build_variants(bundled.model), bundled.test_ids[:1201]
    run = last(models, ids, 130)
    for name, model in models.items():
        found = run.results[name]
        assert found.loss.value == pytest.approx(lmdemo.evaluate(model, ids, 130).loss, abs=1e-5)  # a float32 softmax
        assert found.log_ratio.value == pytest.approx(found.loss.value - run.results["fp32"].loss.value, abs=1e-6)
    kl = {name: found.kl.value for name, found in run.results.items()}
    assert abs(kl["fp32-packed"]) < 1e-6
    assert 0 < kl["int8-per-channel"] < 0.5 * kl["int8"] < kl["int4-embedding"]


def test_kl_is_that_of_the_definition(bundled: lmdemo.Checkpoint) -> None:
    models, ids = lmdemo.build_variants(bundled.model, ["fp32", "int8"]), bundled.test_ids[:31]
    with torch.no_grad():
        p, q = (
            torch.log_softmax(model(ids[:-1].unsqueeze(1), model.init_hidden(1))[0][:, 0].double(), -1)
            for model in models.values()
        )
    expected = (p.exp() * (p - q)).sum(-1).mean()
    assert last(models, ids, 30).results["int8"].kl.value == pytest.approx(float(expected), rel=1e-3)


def from_losses(base: np.ndarray, other: np.ndarray, kl: float = 0.0) -> Fidelity:
    return summarize(base, other, np.full(len(base), kl), np.ones(len(base)))


@pytest.mark.parametrize(
    ("off", "spread", "verdict"),
    [
        (0.0, 0.001, True),
        (0.005, 0.001, True),
        (-0.005, 0.001, True),
        (0.0, 1.0, None),
        (0.01, 0.001, None),
        (-0.01, 0.001, None),
        (0.02, 0.001, False),
        (-0.02, 0.001, False),
    ],
)
def test_perplexity_is_close_if_the_whole_interval_is_on_either_side(
    off: float, spread: float, verdict: bool | None
) -> None:
    base, noise = np.random.default_rng(1).normal(size=(2, 1_000))
    found = from_losses(base, base + math.log1p(off) + spread * (noise - noise.mean()))
    assert found.perplexity_change.value == pytest.approx(off, abs=1e-9)
    assert found.close() is verdict


def test_a_lower_perplexity_is_not_closeness() -> None:
    """Better by two in a hundred and far in KL: the change is told, and how far the distribution is from fp32's."""
    base, noise = np.random.default_rng(2).normal(size=(2, 1_000))
    found = from_losses(base, base - 0.02 + 0.001 * noise, kl=0.0276)
    assert found.perplexity_change.high < 0
    assert found.close() is False
    assert coin(found.kl.value) == pytest.approx(0.116, abs=0.001)


@pytest.mark.parametrize("off", [0.0, 0.001, 0.02, 0.3, 0.5])
def test_a_coin_is_as_far_off_as_its_divergence_from_a_fair_one(off: float) -> None:
    kl = -math.log(1 - 4 * off**2) / 2 if off < 0.5 else math.inf
    assert coin(kl) == pytest.approx(off)
    assert off > 0.02 or coin(kl) == pytest.approx(math.sqrt(kl / 2), rel=0.01)


def test_passages_and_the_course_show_a_stretch_that_a_mean_hides() -> None:
    loss, kl = np.zeros(4_000), np.full(4_000, 0.004)
    kl[2_000:2_250], rise = 0.084, np.zeros(4_000)
    rise[2_000:2_250] = 0.12
    found = summarize(loss, loss + rise, kl, np.ones(4_000))
    assert [passage.words for passage in found.passages] == [250] * 16
    assert [passage.kl for passage in found.passages] == pytest.approx([0.004] * 8 + [0.084] + [0.004] * 7)
    assert [passage.start for passage in found.passages if passage.perplexity_change > 0.1] == [2_000]
    assert found.passages[8].perplexity_change == pytest.approx(math.expm1(0.12))
    highest = stretches(4_000)[int(np.argmax(found.course))]
    assert highest.start in range(2_000, 2_151)
    assert max(found.course) == pytest.approx(0.084)


def test_snapshots_tell_how_far_it_is(bundled: lmdemo.Checkpoint) -> None:
    runs = list(fidelity({"fp32": bundled.model}, bundled.test_ids[:101], 25))
    assert [run.read for run in runs] == [25, 50, 75, 100]
    assert [run.final for run in runs] == [False, False, False, True]
    assert all(run.results == {} for run in runs[:-1])


def test_a_single_word_has_no_error(bundled: lmdemo.Checkpoint) -> None:
    found = last({"fp32": bundled.model, "again": bundled.model}, bundled.test_ids[:2]).results["again"]
    assert math.isnan(found.loss.error)
    assert found.close() is None
    assert len(found.passages) == len(found.course) == 1


def test_a_bad_window_gets_a_sentence_at_once(bundled: lmdemo.Checkpoint) -> None:
    with pytest.raises(lmdemo.InputError, match="Window must be"):
        fidelity({"fp32": bundled.model}, bundled.test_ids, 0)


def test_logits_are_not_kept(bundled: lmdemo.Checkpoint) -> None:
    """A slice four times as long needs no more memory at its peak than its ids and a few numbers a word."""
    models = lmdemo.build_variants(bundled.model, ["fp32", "int8"])
    peaks = []
    for tokens in (500, 500, 2_000):  # the first one warms up
        with torch.profiler.profile(profile_memory=True) as profile:
            last(models, bundled.test_ids[: tokens + 1], 100)
        sizes = np.cumsum(
            [event.nbytes() for event in profile.profiler.kineto_results.events() if "memory" in event.name()]
        )
        peaks.append(sizes.max())
    assert peaks[2] < 1.1 * peaks[1]
    assert peaks[1] > 100 * 10_000 * 4  # the logits of a piece are seen
