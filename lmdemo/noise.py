"""Gumbel noise that belongs to a position of a text and not to the model that writes it.

g = -ln e, e = -ln(1 - v), v uniform in steps of 2^-32, drawn as raw bits: half the time of numpy's own exponentials.
The noise that decides is large, so e is small, and there a float32 v is exact to a step: a word's chance is right to a
few parts in 10^10, and no draw is infinite.
"""

import math
from functools import cached_property

import numpy as np
from torch import Tensor

LARGE = 6.0  # noise above it is one in 404
LARGE_BITS = int(-math.expm1(-math.exp(-LARGE)) * 2**32)  # fewer have it
# By how much a word may seem to lose and still win: what rounding does, near 1 and in proportion.
DOUBT, DOUBT_SHARE = 1e-3, 1e-6


class Noise:
    """That of one position (size,) float32; the same arguments give the same numbers.

    The logarithms take longer than the bits, and few of them can decide. The fewer the bits, the larger the noise: the
    words whose noise is above `LARGE` are known from the bits alone, and any other word's is only worked out on demand.
    """

    def __init__(self, seed: int, position: int, size: int) -> None:
        bits = np.random.SFC64([seed, position]).random_raw((size + 1) // 2).view(np.uint32)
        self._bits, self.size = bits[:size], size
        self.large = np.flatnonzero(self._bits < LARGE_BITS)  # the words above `LARGE`, in order

    @cached_property
    def of_large(self) -> np.ndarray:
        """The noise of the words in `large`."""
        return self.at(self.large)

    def bits(self, words: np.ndarray) -> np.ndarray:
        """Those of words (n,) uint32."""
        return self._bits[words]

    def at(self, words: np.ndarray) -> np.ndarray:
        """The noise of words (n,)."""
        return _gumbel(self.bits(words))

    def values(self) -> np.ndarray:
        """The noise of every word (size,)."""
        return self.at(np.arange(self.size))

    def winner(self, logits: Tensor, scale: float, banned: tuple[int, ...]) -> int:
        """The first word where logits (size,) * scale + noise is greatest, `scale` above 0 and exact in float32.

        It is the best of the words with large noise, unless one of those that can still win is better. A banned word
        wins where all are; its logit is overwritten.
        """
        scores, scale = logits.numpy(), np.float32(scale)
        scores[list(banned)] = -np.inf
        best, word = self.best_of(self.large, self.of_large, scores, scale)
        doubt = LARGE + DOUBT + DOUBT_SHARE * abs(best) if math.isfinite(best) else math.inf
        near = np.flatnonzero(scores >= np.float32((best - doubt) / scale))
        other, candidate = self.best_of(near, self.at(near), scores, scale)
        return candidate if other > best or (other == best and candidate < word) else word

    @staticmethod
    def best_of(words: np.ndarray, noise: np.ndarray, scores: np.ndarray, scale: np.float32) -> tuple[float, int]:
        """The greatest of `scores * scale + noise` of these words in order, and its first; of none, -inf and 0."""
        if not len(words):
            return -math.inf, 0
        values = scores[words] * scale + noise
        first = values.argmax()
        return float(values[first]), int(words[first])


def _gumbel(bits: np.ndarray) -> np.ndarray:
    values = bits.astype(np.float32)
    values *= np.float32(-(2.0**-32))
    values -= np.float32(2.0**-33)  # never 0, of which e would be 0 and the noise infinite
    np.maximum(values, np.float32(2.0**-24 - 1), out=values)  # nor -1, of which e would be infinite
    np.negative(np.log1p(values, out=values), out=values)
    return np.negative(np.log(values, out=values), out=values)
