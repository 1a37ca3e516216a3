"""The kernel's noise is numpy's to the last bit, and so is every pick."""

import numpy as np
import pytest
import torch

from lmdemo.compiled import compiled
from lmdemo.noise import Noise
from lmdemo.noise_kernel import POSITIONS, SEGMENT, NoiseKernel
from lmdemo.sampling import Sampler
from lmdemo.shared_noise import SharedNoise

SIZES = [1, 2, 7, 2 * SEGMENT, 2 * SEGMENT + 1, 501, 33_278]
LAST = 2**32 - 1  # the greatest seed


def kernel(size: int) -> NoiseKernel:
    found = compiled()
    assert found.library is not None, found.problem
    return NoiseKernel(found.library, size)


@pytest.mark.parametrize("size", SIZES)
def test_its_bits_are_numpys(size: int) -> None:
    drawing, words = kernel(size), np.random.default_rng(size).permutation(size)
    for seed, first in ((0, 0), (1, 3), (LAST, 10_000)):
        drawn = drawing.draw(seed, first)
        assert len(drawn) == POSITIONS
        for position, noise in enumerate(drawn, first):
            plain = Noise(seed, position, size)
            assert np.array_equal(noise.large, plain.large)
            assert np.array_equal(noise.of_large, plain.of_large)
            assert np.array_equal(noise.values(), plain.values())
            assert np.array_equal(noise.at(words), plain.at(words))


@pytest.mark.parametrize("spread", [0.0, 0.3, 3.0, 30.0], ids="spread of logits {}".format)
@pytest.mark.parametrize("size", SIZES)
def test_every_pick_is_numpys(size: int, spread: float) -> None:
    shape, drawing = np.random.default_rng(size), kernel(size)
    for seed in range(2):
        logits = torch.from_numpy(np.float32(spread) * shape.standard_normal(size, np.float32))
        if seed:
            logits = logits.round()  # ties, and many of them
        for position, noise in enumerate(drawing.draw(seed, 0)):
            plain = Noise(seed, position, size)
            for temperature in (1e-9, 1e-3, 0.3, 1.0, 2.0):
                for banned in ((), (0,), tuple(plain.large.tolist()), tuple(range(min(size, 7)))):
                    sampler = Sampler(temperature, 0, banned)
                    assert sampler.pick(logits.clone(), noise) == sampler.pick(logits.clone(), plain)
                assert Sampler(temperature, 5).pick(logits.clone(), noise) == Sampler(temperature, 5).pick(
                    logits, plain
                )


def test_the_first_of_equal_words_wins() -> None:
    size = 33_278
    noise = kernel(size).draw(1, 1)[0]
    first, *_, last = noise.large
    for low, high in ((first, last), (first - 1, first), (first, first + 1)):
        logits = torch.full((size,), -100.0)
        logits[[low, high]] = torch.from_numpy(np.float32(1) - noise.at(np.array([low, high])))
        assert Sampler(1.0, 0).pick(logits.clone(), noise) == Sampler(1.0, 0).pick(logits, Noise(1, 1, size))


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, 3e38, -3e38])
def test_scores_beyond_reason_stay_in_bounds(value: float) -> None:
    noise = kernel(501).draw(1, 1)[0]
    for logits in (torch.full((501,), value), torch.zeros(501).index_fill(0, torch.tensor([400]), value)):
        assert 0 <= Sampler(1.0, 0, (1,)).pick(logits, noise) < 501


@pytest.mark.parametrize("logits", [torch.zeros(500), torch.zeros(501, 2)[:, 0], torch.zeros(501).double()])
def test_what_the_kernel_cannot_check_is_refused(logits: torch.Tensor) -> None:
    noise = kernel(501).draw(1, 1)[0]
    with pytest.raises(ValueError, match="one float32 number a word"):
        noise.winner(logits, 1.0, ())
    for word in (-1, 501):
        with pytest.raises(ValueError, match="not in the vocabulary"):
            noise.winner(torch.zeros(501), 1.0, (word,))
        with pytest.raises(ValueError, match="not in the vocabulary"):
            noise.at(np.array([0, word]))


def test_variants_that_share_it_meet_numpys_noise() -> None:
    kernel(50)  # from here on it is there
    shared = SharedNoise(seed=2, size=50, variants=2, words=30)
    for position in range(30):
        one, other = (shared.take(variant, position) for variant in range(2))
        assert one.noise is other.noise
        assert position or type(one.noise) is not Noise  # it is the kernel's
        assert one.seconds == other.seconds > 0
        assert np.array_equal(one.noise.values(), Noise(2, position, 50).values())
