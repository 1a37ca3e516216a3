"""Sampling follows the softmax, and its noise belongs to the position."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lmdemo.sampling import Sampler, noise

LOGITS = torch.tensor([2.0, 1.0, 0.5, 0.0, -1.0])


def _counts(sampler: Sampler, draws: int) -> np.ndarray:
    picks = [sampler.pick(LOGITS.clone(), position) for position in range(draws)]
    return np.bincount(picks, minlength=len(LOGITS))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_draws_follow_the_softmax(temperature: float) -> None:
    draws = 20_000
    expected = torch.softmax(LOGITS / temperature, 0).numpy() * draws
    counts = _counts(Sampler(5, temperature, 0, seed=3), draws)
    chi_squared = ((counts - expected) ** 2 / expected).sum()
    assert chi_squared < 23.5  # the 99.99th percentile at 4 degrees of freedom


def test_top_k_follows_the_softmax_of_the_k_likeliest() -> None:
    draws = 20_000
    counts = _counts(Sampler(5, 1.0, 2, seed=3), draws)
    assert counts[2:].sum() == 0
    expected = torch.softmax(LOGITS[:2], 0).numpy() * draws
    assert ((counts[:2] - expected) ** 2 / expected).sum() < 15.2  # the same at 1 degree


def test_temperature_zero_takes_the_likeliest_word() -> None:
    assert _counts(Sampler(5, 0.0, 0, seed=3), 50)[0] == 50


@pytest.mark.parametrize(("temperature", "top_k"), [(0.0, 0), (1.0, 0), (1.0, 1), (1.0, 2)])
def test_banned_words_never_appear_however_likely(temperature: float, top_k: int) -> None:
    sampler = Sampler(5, temperature, top_k, seed=1, banned=[0])
    picks = {sampler.pick(LOGITS.clone(), position) for position in range(300)}
    assert 0 not in picks
    if top_k == 1:
        assert picks == {1}


@given(st.integers(0, 2**32 - 1), st.integers(0, 1000))
def test_noise_is_a_function_of_seed_and_position(seed: int, position: int) -> None:
    once = noise(seed, position, 100)
    assert torch.equal(once, noise(seed, position, 100))
    assert not torch.equal(once, noise(seed, position + 1, 100))
    assert not torch.equal(once, noise(seed ^ 1, position, 100))
    assert torch.isfinite(once).all()


def test_noise_is_gumbel() -> None:
    drawn = noise(1, 1, 200_000).double()
    assert drawn.mean() == pytest.approx(0.5772, abs=0.01)  # Euler's constant
    assert drawn.var() == pytest.approx(np.pi**2 / 6, abs=0.03)
