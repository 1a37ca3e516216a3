"""A text in passages: a mean over all of it hides that texts differ from passage to passage, and have stretches.

Two cuts. Passages of equal length, side by side, are what the spread of a figure is told from; stretches that overlap
are what its course along the text is drawn from.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

FEWEST = 16  # passages
LONGEST = 500  # words in one
STRETCH = 100  # words that a point of the course is the mean over
STEP = 25  # words from one stretch to the next
MOST_STRETCHES = 200  # of a longer text they lie farther apart


@dataclass(frozen=True)
class Passage:
    """What a variant did over some words of the text."""

    start: int  # the first word's place, from 0
    words: int
    kl: float  # nats a word, mean
    perplexity_change: float  # of the baseline's, as a share of it


def passages(words: int) -> tuple[range, ...]:
    """The places of `words` words in passages of one length, or one more: as few as may be, as long as may be."""
    count = min(words, max(FEWEST, -(-words // LONGEST)))
    ends = [words * number // count for number in range(count + 1)]
    return tuple(map(range, ends, ends[1:]))


def stretches(words: int) -> tuple[range, ...]:
    """The places of stretches of STRETCH words, evenly apart from the first word to the last."""
    length = min(STRETCH, words)
    free = words - length
    steps = min(-(-free // STEP), MOST_STRETCHES - 1)
    starts = [free * number // steps for number in range(steps + 1)] if steps else [0]
    return tuple(range(start, start + length) for start in starts)


def means(values: np.ndarray, places: Sequence[range]) -> np.ndarray:
    """The means (places,) of values (n,) over each."""
    sums = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    starts, ends = (np.array(side) for side in zip(*((place.start, place.stop) for place in places), strict=True))
    return (sums[ends] - sums[starts]) / (ends - starts)
