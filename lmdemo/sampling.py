"""Choosing the next word from logits, with noise that belongs to the position and not to the model.

Sampling from softmax(logits / T) is the same as taking the argmax of logits / T + g, where each g is
independent Gumbel noise (the Gumbel-max trick; also known as an exponential race, since g = -ln e with e
exponential). Here g is a function of (seed, position) alone, so at a position every variant meets the same
random numbers, one for each word of the vocabulary. Two variants then choose differently only where their
logits differ enough to tip the choice. The softmax itself is never needed.

Reference: Maddison, Tarlow, Minka 2014, "A* Sampling", arXiv:1411.0030, section 2
"""

import time
from collections.abc import Iterable

import numpy as np
from torch import Tensor

KEPT_BYTES = 64 * 2**20  # of noise that one variant has met and another has not yet


def noise(seed: int, position: int, size: int) -> np.ndarray:
    """Gumbel noise (size,) float32 for one position; the same arguments give the same numbers.

    Drawn in float64, where a zero (an infinite g, a word that always wins) is out of reach, and as fast as
    float32; numpy's SFC64 draws exponentials several times faster than torch.
    """
    draw = np.random.Generator(np.random.SFC64([seed, position]))
    exponential = draw.standard_exponential(size).astype(np.float32)
    return np.negative(np.log(exponential, out=exponential), out=exponential)


class SharedNoise:
    """The noise of one seed, drawn once for all variants and forgotten when the last of them has met it."""

    def __init__(self, seed: int, size: int, variants: int) -> None:
        self.seed, self.size, self.variants = seed, size, variants
        self._kept: dict[int, tuple[np.ndarray, float, int]] = {}  # noise, seconds it took, variants still to come

    def take(self, position: int) -> tuple[np.ndarray, float]:
        """The noise (size,) at a position, and the seconds that drawing it took another variant: 0 if drawn now.

        A variant asks for each position once. A writer adds these seconds to its own clock, so that its speed is
        what it would be alone. How much is kept is bounded; beyond that a position is drawn again, the same.
        """
        if position in self._kept:
            drawn, seconds, waiting = self._kept.pop(position)
            if waiting > 1:
                self._kept[position] = drawn, seconds, waiting - 1
            return drawn, seconds
        began = time.perf_counter()
        drawn = noise(self.seed, position, self.size)
        seconds = time.perf_counter() - began
        if self.variants > 1 and (len(self._kept) + 1) * drawn.nbytes <= KEPT_BYTES:
            self._kept[position] = drawn, seconds, self.variants - 1
        return drawn, 0.0


class Sampler:
    """How a word is picked: temperature, top-k, and the ids that never appear."""

    def __init__(self, temperature: float, top_k: int, banned: Iterable[int] = ()) -> None:
        self.temperature = temperature  # 0: greedy, the likeliest word
        self.top_k = top_k  # 0: all words
        self.banned = tuple(banned)

    @property
    def needs_noise(self) -> bool:
        """Whether `pick` looks at the noise."""
        return self.temperature > 0

    def pick(self, logits: Tensor, shared: np.ndarray | None = None) -> int:
        """The id of a word from logits (ntoken,), which are overwritten, and the noise (ntoken,) of its position."""
        scores = logits.numpy()
        for word in self.banned:
            scores[word] = -np.inf
        if shared is None:
            return int(scores.argmax())
        if not 0 < self.top_k < len(scores):
            scores *= np.float32(1 / self.temperature)
            scores += shared
            return int(scores.argmax())
        likeliest, words = logits.topk(self.top_k)
        words = words.numpy()
        return int(words[(likeliest.numpy() / self.temperature + shared[words]).argmax()])
