"""The mean of values that depend on their neighbours, and how sure it is: the circular block bootstrap.

Blocks of neighbours are drawn, not single values, so that what hangs together stays together. How long they have to
be is read off the values' own autocorrelations. Of a mean, infinitely many draws come to a closed form, the variance of
the means of all blocks: that is computed, so nothing here is random. How sure a mean is says nothing of another text.

References
- Politis, Romano 1992, "A circular block-resampling procedure for stationary data"
- Politis, White 2004, "Automatic block-length selection for the dependent bootstrap"; corrected by Patton, Politis,
  White 2009
- Politis 2003, "Adaptive bandwidth choice" (from which lag on correlations count as none)
- Abramowitz, Stegun 1964, 26.7.5 (quantiles of Student's t)
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

NORMAL = 1.959964  # the quantile of a standard normal that 95 % lie within, on both sides


@dataclass(frozen=True)
class Estimate:
    """A mean over words with its standard error and 95 % interval; these are NaN for fewer than two words."""

    value: float
    error: float
    low: float
    high: float

    def through(self, function: Callable[[float], float], slope: float) -> "Estimate":
        """Of what `function`, which rises, makes of the mean; the error by its slope there, the delta method."""
        return Estimate(function(self.value), slope * self.error, function(self.low), function(self.high))

    def within(self, least: float = -math.inf, most: float = math.inf) -> "Estimate":
        """With no more of the interval than can be, except where rounding put the mean itself beyond it."""
        low, high = max(self.low, min(least, self.value)), min(self.high, max(most, self.value))
        return Estimate(self.value, self.error, low, high)


def estimated_mean(values: np.ndarray) -> Estimate:
    """The mean of values (n,) in their order."""
    n = len(values)
    mean = float(values.mean(dtype=np.float64))
    if n < 2:
        return Estimate(mean, math.nan, math.nan, math.nan)
    length = block_length(values)
    error = math.sqrt(_variance(values, length))
    half = _student(n / length - 1) * error
    return Estimate(mean, error, mean - half, mean + half)


def block_length(values: np.ndarray) -> int:
    """How many neighbours a block has to hold for the mean of values (n,), n > 1: Politis and White's, for circles."""
    n = len(values)
    centred = values.astype(np.float64) - values.mean(dtype=np.float64)
    in_a_row = max(5, math.ceil(math.sqrt(math.log10(n))))  # lags without correlation that end the search
    most = min(math.ceil(math.sqrt(n)) + in_a_row, n - 1)
    spectrum = np.fft.rfft(centred, 2 * n)
    covariances = np.fft.irfft(spectrum * spectrum.conj(), 2 * n)[: most + 1] / n  # (most + 1,), of lags from 0
    if covariances[0] <= 0:
        return 1  # all values are the same
    none = np.abs(covariances[1:] / covariances[0]) < 2 * math.sqrt(math.log10(n) / n)
    last = _last_correlated(none, in_a_row)
    lags = np.arange(1, min(2 * max(last, 1), most) + 1)
    window = np.minimum(1.0, 2 * (1 - lags / (2 * max(last, 1))))  # flat, then falling to 0
    weighted = 2 * window * covariances[1 : len(lags) + 1]
    variance = covariances[0] + weighted.sum()
    if variance <= 0:
        return 1
    length = (3 / 2 * ((lags * weighted).sum() / variance) ** 2 * n) ** (1 / 3)
    return max(1, math.ceil(min(length, 3 * math.sqrt(n), n / 3)))


def _last_correlated(none: np.ndarray, in_a_row: int) -> int:
    """The last lag before `in_a_row` without correlation, of none (lags,); the last of all if there never are."""
    run = 0
    for lag, nothing in enumerate(none.tolist(), 1):
        run = run + 1 if nothing else 0
        if run == in_a_row:
            return lag - in_a_row
    return len(none)


def _variance(values: np.ndarray, length: int) -> float:
    """Of the mean of values (n,), drawn in circular blocks of `length`; unbiased where they are independent."""
    n = len(values)
    sums = np.concatenate([[0.0], np.cumsum(np.concatenate([values, values[:length]]), dtype=np.float64)])
    means = (sums[length : length + n] - sums[:n]) / length  # (n,), a block from each value on
    return float(means.var()) * length / (n - length)


def _student(freedom: float) -> float:
    """The quantile of Student's t that 95 % lie within, on both sides; 3 % too small at 3 degrees of freedom."""
    z = NORMAL
    return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
