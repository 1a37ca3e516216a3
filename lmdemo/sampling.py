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


def noise(seed: int, position: int, size: int) -> Tensor:
    """Gumbel noise (size,) float32 for one position; the same arguments give the same numbers.

    Drawn in float64, where a zero (an infinite g, a word that always wins) is out of reach, and as fast as
    float32; numpy's SFC64 draws exponentials several times faster than torch.
    """
    draw = np.random.Generator(np.random.SFC64([seed, position]))
    exponential = draw.standard_exponential(size).astype(np.float32)
    return torch.from_numpy(np.negative(np.log(exponential, out=exponential), out=exponential))


class Sampler:
    """How a word is picked at each position: temperature, top-k, seed, and the ids that never appear."""

    def __init__(self, ntoken: int, temperature: float, top_k: int, seed: int, banned: Iterable[int] = ()) -> None:
        self.ntoken = ntoken
        self.temperature = temperature  # 0: greedy, the likeliest word
        self.top_k = top_k if 0 < top_k < ntoken else 0  # 0: all words
        self.seed = seed
        self.banned = tuple(banned)

    def pick(self, logits: Tensor, position: int) -> int:
        """The id of the word at `position`, from logits (ntoken,), which are overwritten."""
        for word in self.banned:
            logits[word] = -torch.inf
        if self.temperature == 0:
            return int(logits.argmax())
        shared = noise(self.seed, position, self.ntoken)
        if not self.top_k:
            return int(torch.add(shared, logits, alpha=1 / self.temperature).argmax())
        likeliest, words = logits.topk(self.top_k)
        return int(words[torch.add(shared[words], likeliest, alpha=1 / self.temperature).argmax()])
