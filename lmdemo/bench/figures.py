"""A median with its interval, as the benchmark's reports print it."""

import math

from lmdemo.timed import Interval


def figure(value: Interval, digits: int = 2, level: str = "") -> str:
    """The median with `digits` decimals and, unless the runs were too few for one, the interval after its `level`."""
    median, low, high = (f"{number:,.{digits}f}" for number in (value.median, value.low, value.high))
    return median if math.isnan(value.low) else f"{median} ({level}{low} to {high})"
