"""How sure a mean of dependent values is: right where the truth is known."""

import math
from dataclasses import astuple

import numpy as np
import pytest

from lmdemo.bootstrap import Estimate, block_length, estimated_mean

SERIES, LENGTH = 200, 4_000
BEFORE = 500  # values that a series forgets its beginning over


def autoregressive(carry: float) -> np.ndarray:
    """Series (SERIES, LENGTH) of mean 0, each value `carry` times the one before and a draw."""
    series = np.empty((BEFORE + LENGTH, SERIES))
    value = np.zeros(SERIES)
    for place, shock in enumerate(np.random.default_rng(0).normal(size=series.shape)):
        series[place] = value = carry * value + shock
    return series[BEFORE:].T


@pytest.mark.parametrize("carry", [0.0, 0.5, 0.8, 0.95])
def test_the_interval_holds_the_mean_however_values_depend_on_their_neighbours(carry: float) -> None:
    found = [estimated_mean(values) for values in autoregressive(carry)]
    assert np.mean([one.low <= 0 <= one.high for one in found]) >= 0.90
    true = 1 / (1 - carry) / math.sqrt(LENGTH)
    assert np.mean([one.error for one in found]) == pytest.approx(true, rel=0.1)


def test_blocks_are_as_long_as_the_dependence() -> None:
    """By the formula, of the true autocovariances: (6 carry² n)^⅓ ÷ (1 - carry²)^⅔."""
    for carry in (0.5, 0.8):
        found = np.median([block_length(values) for values in autoregressive(carry)[:50]])
        assert found == pytest.approx((6 * carry**2 * LENGTH) ** (1 / 3) / (1 - carry**2) ** (2 / 3), rel=0.15)


def test_the_error_of_independent_values_is_the_textbooks() -> None:
    values = np.random.default_rng(6).normal(size=3_000)
    found = estimated_mean(values)
    assert found.error == pytest.approx(values.std(ddof=1) / math.sqrt(3_000), rel=0.05)
    assert (found.high - found.low) / 2 / found.error == pytest.approx(1.96, abs=0.01)


def test_few_values_are_less_sure_than_a_normal() -> None:
    """Of six blocks Student's t has five degrees of freedom, of three two; a single value has no error."""
    six = estimated_mean(np.array([1.0, -2.0, 3.0, -1.0, 2.0, -3.0]))
    assert (six.high - six.low) / 2 > 2 * six.error
    assert estimated_mean(np.ones(1)).value == 1
    assert all(math.isnan(one) for one in astuple(estimated_mean(np.ones(1)))[1:])
    assert estimated_mean(np.ones(50)) == Estimate(1.0, 0.0, 1.0, 1.0)


def test_an_interval_ends_where_its_quantity_does() -> None:
    assert Estimate(0.99, 0.01, 0.97, 1.01).within(0.0, 1.0) == Estimate(0.99, 0.01, 0.97, 1.0)
    assert Estimate(-1e-9, 0.0, -2e-9, 0.0).within(least=0.0).low == -1e-9
    assert Estimate(4.0, 0.4, 1.0, 9.0).through(math.sqrt, 1 / 4) == Estimate(2.0, 0.1, 1.0, 3.0)
