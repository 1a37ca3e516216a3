"""How sure a timing is: medians with their intervals, and whether what was timed in turns may be believed.

Reference: Efron, Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13 (percentile interval)
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from lmdemo.machine import Interference

FEWEST_TURNS = 6  # below this an interval says nothing
RESAMPLES = 2_000
WIDE = 0.15  # half an interval's width, as a share of the median, from which on a timing is in doubt


@dataclass(frozen=True)
class Interval:
    """A median with its 95 % bootstrap interval; `low` and `high` are NaN when the sample is too small."""

    median: float
    low: float
    high: float
    n: int

    @property
    def relative_width(self) -> float:
        """Half the interval's width ÷ the median; NaN when the sample is too small."""
        return (self.high - self.low) / 2 / self.median


class Timed(ABC):
    """Variants that were timed in turns, and what interfered meanwhile."""

    interference: Interference  # since the first turn

    @property
    @abstractmethod
    def names(self) -> Iterable[str]:
        """The variants."""

    @abstractmethod
    def speed(self, name: str) -> Interval:
        """What a variant did a second, over the turns."""

    @property
    def widest(self) -> tuple[str, float]:
        """The variant whose speed is known least, and half its interval's width ÷ its median; 0 if no interval is."""
        widths = {name: self.speed(name).relative_width for name in self.names}
        name = max(widths, key=lambda one: (not math.isnan(widths[one]), widths[one]))
        return name, 0.0 if math.isnan(widths[name]) else widths[name]

    @property
    def sound(self) -> bool:
        """Whether the timings may be believed: no wide interval, and nothing that took processor time away."""
        return self.widest[1] <= WIDE and not self.interference.disturbed


def median_interval(values: np.ndarray) -> Interval:
    """The median of values (n,) with a 95 % percentile bootstrap interval, reproducible."""
    return _interval(tuple(values.tolist()))


@lru_cache(maxsize=256)
def _interval(sample: tuple[float, ...]) -> Interval:
    """As `median_interval`; a page asks for each several times, and for those of the first results at every visit."""
    n = len(sample)
    if n == 0:
        return Interval(math.nan, math.nan, math.nan, 0)
    if n < FEWEST_TURNS:
        return Interval(float(np.median(sample)), math.nan, math.nan, n)
    resampled = np.random.default_rng(0).choice(sample, (RESAMPLES, n))
    low, high = np.quantile(np.median(resampled, axis=1), (0.025, 0.975))
    return Interval(float(np.median(sample)), float(low), float(high), n)
