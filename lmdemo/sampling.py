"""Choosing the next word from logits, with noise that belongs to the position and not to the model.

Sampling from softmax(logits / T) is the same as taking the argmax of logits / T + g, where each g is
independent Gumbel noise (the Gumbel-max trick; also known as an exponential race, since g = -ln e with e
exponential). Here g is a function of (seed, position) alone, so at a position every variant meets the same
random numbers, one for each word of the vocabulary. Two variants then choose differently only where their
logits differ enough to tip the choice. The softmax itself is never needed.

Reference: Maddison, Tarlow, Minka 2014, "A* Sampling", arXiv:1411.0030, section 2
"""

import math
import time
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

BATCH = 8  # positions drawn at a time
KEPT_BYTES = 64 * 2**20  # of noise that one variant has met and another has not yet
# Below it greedy is meant. Noise lies between -2.9 and 22.9, so at this temperature it moves logits against one
# another by less than 3e-8, which float32 cannot tell at a logit of 1; and 1 / T comes to infinity not far below.
COLDEST = 1e-9
LARGE = 4.0  # noise above it is one in 55
LARGE_BITS = np.uint32(-math.expm1(-math.exp(-LARGE)) * 2.0**32)  # fewer have it
# By how much a word without large noise may seem to lose and still win: what rounding does, near 1 and in proportion.
DOUBT, DOUBT_SHARE = 1e-3, 1e-6


class Noise:
    """Gumbel noise (size,) float32 for one position; the same arguments give the same numbers.

    g = -ln e, e = -ln(1 - v), v uniform in steps of 2^-32, drawn as raw bits: half the time of numpy's own
    exponentials. The noise that decides is large, so e is small, and there a float32 v is exact to a step: a word's
    chance is right to a few parts in 10^10, and no draw is infinite.

    The logarithms take longer than the bits, and few of them can decide. The fewer the bits, the larger the noise: the
    words whose noise is above `LARGE` are known from the bits alone, and any other word's is only worked out on demand.
    """

    def __init__(self, seed: int, position: int, size: int) -> None:
        self._bits = np.random.SFC64([seed, position]).random_raw((size + 1) // 2).view(np.uint32)[:size]
        self.large = np.flatnonzero(self._bits < LARGE_BITS)  # the words above `LARGE`, in order
        self.of_large = self.at(self.large)

    def at(self, words: np.ndarray) -> np.ndarray:
        """That of words (n,)."""
        return _gumbel(self._bits[words])

    def values(self) -> np.ndarray:
        """That of every word (size,)."""
        return _gumbel(self._bits)


def _gumbel(bits: np.ndarray) -> np.ndarray:
    values = bits.astype(np.float32)
    values *= np.float32(-(2.0**-32))
    values -= np.float32(2.0**-33)  # never 0, of which e would be 0 and the noise infinite
    np.maximum(values, np.float32(2.0**-24 - 1), out=values)  # nor -1, of which e would be infinite
    np.negative(np.log1p(values, out=values), out=values)
    return np.negative(np.log(values, out=values), out=values)


class Drawn(NamedTuple):
    """The noise of a position, and what it cost; one is made for every word."""

    noise: Noise
    seconds: float  # to draw it
    spent: float  # seconds of the call that gave it: all of a batch, or nothing


class SharedNoise:
    """The noise of one seed, drawn once for all variants, and forgotten when the last of them has met it.

    Positions are drawn a batch at a time: between two words the model's weights push everything out of the caches,
    and drawing a position alone would pay for that each time.
    """

    def __init__(self, seed: int, size: int, variants: int, words: int) -> None:
        self.seed, self.size, self.words = seed, size, words
        self._at = [0] * variants  # the position that each variant has come to
        self._kept: dict[int, tuple[Noise, float]] = {}  # noise and the seconds it took, by position
        self._most = KEPT_BYTES // (4 * size)  # positions

    def take(self, variant: int, position: int) -> Drawn:
        """The noise at a position for the variant of that number, which asks for each position once, in order.

        A writer leaves `spent` out of its clock and counts `seconds`, so that its speed is what it would be alone,
        whoever drew. How much is kept is bounded: far ahead of the slowest, noise is drawn and not kept.
        """
        began = time.perf_counter()
        self._at[variant] = position
        if position in self._kept:
            drawn, seconds = self._kept[position]
        else:
            drawn, seconds = self._draw(position)
        return Drawn(drawn, seconds, time.perf_counter() - began)

    def _draw(self, position: int) -> tuple[Noise, float]:
        slowest = min(self._at)
        self._kept = {place: kept for place, kept in self._kept.items() if place >= slowest}
        room = max(0, self._most - len(self._kept))
        first = self._timed(position)
        for ahead in range(position, min(position + BATCH, position + room, self.words)):
            self._kept[ahead] = first if ahead == position else self._timed(ahead)
        return first

    def _timed(self, position: int) -> tuple[Noise, float]:
        began = time.perf_counter()
        drawn = Noise(self.seed, position, self.size)
        return drawn, time.perf_counter() - began


class Sampler:
    """How a word is picked: temperature, top-k, and the ids that never appear."""

    def __init__(self, temperature: float, top_k: int, banned: Iterable[int] = ()) -> None:
        self.temperature = temperature if temperature >= COLDEST else 0.0  # 0: greedy, the likeliest word
        self.top_k = top_k  # 0: all words
        self.banned = tuple(banned)

    @property
    def needs_noise(self) -> bool:
        """Whether `pick` looks at the noise."""
        return self.temperature > 0

    def pick(self, logits: Tensor, noise: Noise | None = None) -> int:
        """The id of a word from logits (ntoken,), which are overwritten, and the noise (ntoken,) of its position.

        It is the first word where logits / temperature + noise is greatest. A greedy sampler needs no noise, and
        ignores it.
        """
        scores = logits.numpy()
        for word in self.banned:
            scores[word] = -np.inf
        if noise is None or not self.needs_noise:
            return int(scores.argmax())
        if 0 < self.top_k < len(scores):
            likeliest, words = logits.topk(self.top_k)
            words = words.numpy()
            return int(words[(likeliest.numpy() / self.temperature + noise.at(words)).argmax()])
        return self._of_all(scores, noise)

    def weighed(self, logits: Tensor) -> np.ndarray:
        """What the noise of each word is added to: logits / temperature (ntoken,), float64, from logits (ntoken,).

        Minus infinity for words that are not picked, whatever their noise. A greedy sampler has no temperature and
        leaves all in: logits as they are.
        """
        scores = logits.numpy().astype(np.float64)
        scores[list(self.banned)] = -np.inf
        if not self.needs_noise:
            return scores
        if 0 < self.top_k < len(scores):
            kept = np.full_like(scores, -np.inf)
            likeliest = torch.from_numpy(scores).topk(self.top_k).indices.numpy()
            kept[likeliest] = scores[likeliest]
            scores = kept
        return scores / self.temperature

    def _of_all(self, scores: np.ndarray, noise: Noise) -> int:
        """The best of the words with large noise, unless one of those that can still win is better."""
        scale = np.float32(1 / self.temperature)
        best, word = _best(scores[noise.large] * scale + noise.of_large, noise.large)
        doubt = LARGE + DOUBT + DOUBT_SHARE * abs(best) if math.isfinite(best) else math.inf
        near = np.flatnonzero(scores >= np.float32((best - doubt) * self.temperature))
        if not len(near):
            return word
        other, candidate = _best(scores[near] * scale + noise.at(near), near)
        return candidate if other > best or (other == best and candidate < word) else word


def _best(scores: np.ndarray, words: np.ndarray) -> tuple[float, int]:
    """The greatest score and its first word; of no words, minus infinity and 0."""
    if not len(scores):
        return -math.inf, 0
    first = scores.argmax()
    return float(scores[first]), int(words[first])
