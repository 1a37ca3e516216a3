"""Sampling follows the softmax, and its noise belongs to the position."""

import numpy as np
import pytest
import torch

from lmdemo.noise import Noise
from lmdemo.sampling import Sampler

LOGITS = torch.tensor([2.0, 1.0, 0.5, 0.0, -1.0])


def _counts(sampler: Sampler, draws: int) -> np.ndarray:
    picks = [sampler.pick(LOGITS.clone(), Noise(3, position, 5)) for position in range(draws)]
    return np.bincount(picks, minlength=len(LOGITS))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_draws_follow_the_softmax(temperature: float) -> None:
    draws = 20_000
    expected = torch.softmax(LOGITS / temperature, 0).numpy() * draws
    counts = _counts(Sampler(temperature, 0), draws)
    chi_squared = ((counts - expected) ** 2 / expected).sum()
    assert chi_squared < 23.5  # the 99.99th percentile at 4 degrees of freedom


def test_top_k_follows_the_softmax_of_the_k_likeliest() -> None:
    draws = 20_000
    counts = _counts(Sampler(1.0, 2), draws)
    assert counts[2:].sum() == 0
    expected = torch.softmax(LOGITS[:2], 0).numpy() * draws
    assert ((counts[:2] - expected) ** 2 / expected).sum() < 15.2  # the same at 1 degree


def test_temperature_zero_takes_the_likeliest_word() -> None:
    sampler = Sampler(0.0, 0)
    assert not sampler.needs_noise
    assert sampler.pick(LOGITS.clone()) == 0


@pytest.mark.parametrize("top_k", [0, 2])
@pytest.mark.parametrize("temperature", [1e-320, 1e-40, 1e-30, 1e-9, 1e-8])
def test_a_temperature_near_zero_takes_the_likeliest_word_too(temperature: float, top_k: int) -> None:
    sampler = Sampler(temperature, top_k)
    logits = torch.tensor([-3.0, 1.0, 12.0, 9.0, 11.9])
    picks = {sampler.pick(logits.clone(), Noise(3, position, 5)) for position in range(50)}
    assert picks == {2}


@pytest.mark.parametrize(("temperature", "top_k"), [(0.0, 0), (1.0, 0), (1.0, 1), (1.0, 2)])
def test_banned_words_never_appear_however_likely(temperature: float, top_k: int) -> None:
    sampler = Sampler(temperature, top_k, banned=[0])
    drawn = [Noise(1, position, 5) if sampler.needs_noise else None for position in range(300)]
    picks = {sampler.pick(LOGITS.clone(), shared) for shared in drawn}
    assert 0 not in picks
    if top_k == 1:
        assert picks == {1}


def plain(sampler: Sampler, logits: torch.Tensor, noise: np.ndarray) -> int:
    """What `Sampler.pick` says it does, with all of the noise."""
    scores = logits.numpy().copy()
    scores[list(sampler.banned)] = -np.inf
    if not 0 < sampler.top_k < len(scores):
        return int((scores * np.float32(1 / sampler.temperature) + noise).argmax())
    likeliest, words = torch.from_numpy(scores).topk(sampler.top_k)
    return int(words[(likeliest.numpy() / sampler.temperature + noise[words.numpy()]).argmax()])


@pytest.mark.parametrize("spread", [0.0, 0.3, 3.0, 30.0], ids="spread of logits {}".format)
@pytest.mark.parametrize("temperature", [1e-9, 1e-3, 0.3, 1.0, 2.0])
@pytest.mark.parametrize("size", [1, 2, 7, 500, 33_278])
def test_every_pick_is_the_one_that_all_of_the_noise_gives(size: int, temperature: float, spread: float) -> None:
    shape = np.random.default_rng(size)
    for seed in range(8):
        logits = torch.from_numpy(np.float32(spread) * shape.standard_normal(size, np.float32))
        if seed % 2:
            logits = logits.round()  # ties, and many of them
        noise = Noise(seed, 3, size)
        for top_k in (0, 1, 40):
            for banned in ((), (0,), tuple(noise.large), range(min(size, 7))):
                sampler = Sampler(temperature, top_k, banned)
                assert sampler.pick(logits.clone(), noise) == plain(sampler, logits, noise.values())


def test_equal_scores_go_to_the_first_word() -> None:
    noise = Noise(1, 1, 33_278)
    first, *_, last = noise.large
    for low, high in ((first, last), (first - 1, first), (first, first + 1)):
        logits = torch.full((33_278,), -100.0)
        logits[[low, high]] = torch.from_numpy(np.float32(1) - noise.at(np.array([low, high])))
        assert Sampler(1.0, 0).pick(logits.clone(), noise) == plain(Sampler(1.0, 0), logits, noise.values())
