"""The noise of one seed, drawn once for all variants that write with it."""

import time
from typing import NamedTuple

from lmdemo.compiled import compiled
from lmdemo.noise import Noise
from lmdemo.noise_kernel import POSITIONS, NoiseKernel

KEPT_BYTES = 64 * 2**20  # of noise that one variant has met and another has not yet


class Drawn(NamedTuple):
    """The noise of a position, and what it cost; one is made for every word."""

    noise: Noise
    seconds: float  # to draw it
    spent: float  # seconds of the call that gave it: all of a batch, or nothing


class SharedNoise:
    """The noise of one seed, forgotten when the last of the variants has met it.

    Positions are drawn a batch at a time: between two words the model's weights push everything out of the caches,
    and drawing a position alone would pay for that each time. It is the kernel that draws, once there is one; nothing
    waits for that, since the noise is the same.
    """

    def __init__(self, seed: int, size: int, variants: int, words: int) -> None:
        self.seed, self.size, self.words = seed, size, words
        self._at = [0] * variants  # the position that each variant has come to
        self._kept: dict[int, tuple[Noise, float]] = {}  # noise and the seconds it took, by position
        self._most = KEPT_BYTES // (4 * size)  # positions
        found = compiled.made
        self._kernel = NoiseKernel(found.library, size) if found and found.library else None

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
        ahead = min(POSITIONS, room, self.words - position)
        began = time.perf_counter()
        if self._kernel is None or ahead < POSITIONS // 2:  # alone, a position takes the kernel as long as eight
            drawn = [Noise(self.seed, position + n, self.size) for n in range(max(1, ahead))]
        else:
            drawn = self._kernel.draw(self.seed, position)[:ahead]
        seconds = (time.perf_counter() - began) / len(drawn)
        if ahead > 0:
            self._kept |= {position + n: (noise, seconds) for n, noise in enumerate(drawn)}
        return drawn[0], seconds
