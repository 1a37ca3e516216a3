"""Noise: the distribution, the same for everyone, drawn once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmdemo import noise as of_a_position
from lmdemo import shared_noise
from lmdemo.compiled import Compiled
from lmdemo.noise import Noise
from lmdemo.noise_kernel import POSITIONS
from lmdemo.once import Once
from lmdemo.shared_noise import SharedNoise


@pytest.fixture
def numpys(monkeypatch: pytest.MonkeyPatch) -> None:
    """No kernel, whatever was built before; with one, see tests/system/test_noise_kernel.py."""
    monkeypatch.setattr(shared_noise, "compiled", Once(lambda: Compiled(None)))


@given(st.integers(0, 2**32 - 1), st.integers(0, 1000))
def test_noise_is_a_function_of_seed_and_position(seed: int, position: int) -> None:
    once = Noise(seed, position, 100).values()
    assert np.array_equal(once, Noise(seed, position, 100).values())
    assert not np.array_equal(once, Noise(seed, position + 1, 100).values())
    assert not np.array_equal(once, Noise(seed ^ 1, position, 100).values())
    assert np.isfinite(once).all()


def test_noise_is_gumbel() -> None:
    drawn = np.concatenate([Noise(1, position, 33_333).values() for position in range(6)]).astype(np.float64)
    assert drawn.mean() == pytest.approx(0.5772, abs=0.01)  # Euler's constant
    assert drawn.var() == pytest.approx(np.pi**2 / 6, abs=0.03)


@pytest.mark.usefixtures("numpys")
def test_noise_is_drawn_once_for_all_variants_and_then_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    positions = []

    class Counted(Noise):
        def __init__(self, seed: int, position: int, size: int) -> None:
            positions.append(position)
            super().__init__(seed, position, size)

    monkeypatch.setattr(shared_noise, "Noise", Counted)
    shared = SharedNoise(seed=2, size=50, variants=3, words=100)
    for position in range(100):
        first, *others = (shared.take(variant, position) for variant in range(3))
        assert np.array_equal(first.noise.values(), Noise(2, position, 50).values())
        assert all(other.noise is first.noise for other in others)
        assert all(other.seconds == first.seconds > 0 for other in others)
        assert len(shared._kept) <= POSITIONS + 1
    assert positions == list(range(100))


@pytest.mark.usefixtures("numpys")
def test_noise_beyond_what_is_kept_is_drawn_again_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_noise, "KEPT_BYTES", 10 * 200)
    shared = SharedNoise(seed=2, size=50, variants=2, words=40)
    for variant in range(2):  # one far ahead of the other
        for position in range(40):
            assert np.array_equal(shared.take(variant, position).noise.values(), Noise(2, position, 50).values())
            assert len(shared._kept) <= 10


def test_the_tail_of_the_noise_is_gumbels() -> None:
    """The largest of n draws is Gumbel too, moved up by ln n: it is what decides."""
    largest = np.array([Noise(4, position, 10_000).values().max() for position in range(1_500)]) - np.log(10_000)
    for quantile in (0.1, 0.5, 0.9, 0.99):
        below = (largest < -np.log(-np.log(quantile))).mean()
        assert below == pytest.approx(quantile, abs=4 * np.sqrt(quantile * (1 - quantile) / 1_500))


def test_large_noise_is_known_from_the_bits() -> None:
    noise = Noise(1, 1, 33_278)
    values = noise.values()
    assert np.array_equal(values[noise.large], noise.of_large)
    assert noise.of_large.min() > of_a_position.LARGE - of_a_position.DOUBT / 2
    assert np.delete(values, noise.large).max() < of_a_position.LARGE + of_a_position.DOUBT / 2
