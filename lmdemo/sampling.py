"""Choosing the next word from logits, with noise that belongs to the position and not to the model.

Sampling from softmax(logits / T) is the same as taking the argmax of logits / T + g, where each g is
independent Gumbel noise (the Gumbel-max trick; also known as an exponential race, since g = -ln e with e
exponential). Here g is a function of (seed, position) alone, so at a position every variant meets the same
random numbers, one for each word of the vocabulary. Two variants then choose differently only where their
logits differ enough to tip the choice. The softmax itself is never needed.

Reference: Maddison, Tarlow, Minka 2014, "A* Sampling", arXiv:1411.0030, section 2
"""

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from lmdemo.noise import Noise

# Below it greedy is meant. Noise lies between -2.9 and 22.9, so at this temperature it moves logits against one
# another by less than 3e-8, which float32 cannot tell at a logit of 1; and 1 / T comes to infinity not far below.
COLDEST = 1e-9


class Sampler:
    """How a word is picked: temperature, top-k, and the ids that never appear."""

    def __init__(self, temperature: float, top_k: int, banned: Iterable[int] = ()) -> None:
        self.temperature = temperature if temperature >= COLDEST else 0.0  # 0: greedy, the likeliest word
        self.top_k = top_k  # 0: all words
        self.banned = tuple(banned)
        self._scale = float(np.float32(1 / self.temperature)) if self.temperature else 0.0

    @property
    def needs_noise(self) -> bool:
        """Whether `pick` looks at the noise."""
        return self.temperature > 0

    def pick(self, logits: Tensor, noise: Noise | None = None) -> int:
        """The id of a word from logits (ntoken,), which are overwritten, and the noise (ntoken,) of its position.

        It is the first word where logits / temperature + noise is greatest. A greedy sampler needs no noise, and
        ignores it.
        """
        random = noise is not None and self.needs_noise
        of_some = 0 < self.top_k < len(logits)
        if random and not of_some:
            return noise.winner(logits, self._scale, self.banned)
        scores = logits.numpy()
        scores[list(self.banned)] = -np.inf
        if not random:
            return int(scores.argmax())
        likeliest, words = logits.topk(self.top_k)
        words = words.numpy()
        return int(words[(likeliest.numpy() / self.temperature + noise.at(words)).argmax()])

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
