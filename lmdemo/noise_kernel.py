"""The same noise from a kernel of its own, noise.c: the bits of eight positions at once, and the word that wins.

Of a small model's word, numpy's drawing and picking takes longer than the model. Where the kernel finds more than one
word that can win, numpy decides between them, so that every pick is the same without a kernel.

The model's weights push everything else out of the caches between two words: what torch and numpy do in a microsecond
then takes thirty. So the way to a pick has no array in it, only addresses.
"""

import ctypes
from ctypes import POINTER, byref, c_float, c_int32, c_uint32, c_void_p
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from lmdemo.noise import DOUBT, DOUBT_SHARE, LARGE, LARGE_BITS, Noise

POSITIONS, SEGMENT = 8, 64  # drawn at once, steps from one kept state to the next; as in noise.c
BEYOND = -(2**31)  # what the kernel answers where scores are too great for it


class _Words(ctypes.Structure):
    _fields_ = [
        *((name, c_int32) for name in ("size", "room")),
        ("bound", c_uint32),
        *((name, c_float) for name in ("most", "doubt", "share")),
        ("forbidden", c_int32),
        *((name, c_void_p) for name in ("banned", "words", "values")),
    ]


class NoiseKernel:
    """The kernel's noise for vocabularies of one size; its buffers are this object's, so one thread at a time."""

    def __init__(self, library: ctypes.CDLL, size: int) -> None:
        self._library, self.size = _declared(library), size
        # one word in 404 has large noise; that one in 64 has it and 64 more, no seed will see
        self._room = size // 64 + 64
        self._words, self._values = torch.empty(2 * size, dtype=torch.int32), torch.empty(3 * size)
        room = None, self._words.data_ptr(), self._values.data_ptr()
        self._structure = _Words(size, self._room, LARGE_BITS, LARGE, DOUBT, DOUBT_SHARE, 0, *room)
        self._reference = byref(self._structure)
        self._banned: tuple[int, ...] = ()

    def draw(self, seed: int, first: int) -> list[Noise]:
        """The noise of `POSITIONS` positions from `first` on."""
        states = torch.empty((self.size - 1) // (2 * SEGMENT) + 1, 3, POSITIONS, dtype=torch.int64)
        large = torch.empty(POSITIONS, self._room, 2, dtype=torch.int32)
        count = torch.empty(POSITIONS, dtype=torch.int32)
        addresses = states.data_ptr(), large.data_ptr(), count.data_ptr()
        self._library.noise_draw(self._reference, seed, first, *addresses)
        arrays, apart = (states, large, count), (8, 8 * self._room, 4)  # bytes from a position to the next
        return [
            _KernelNoise(self, lane, arrays, tuple(at + lane * by for at, by in zip(addresses, apart, strict=True)))
            for lane in range(POSITIONS)
        ]

    def bits(self, words: np.ndarray, states: int) -> np.ndarray:
        """Those of words (n,), with the address of a position's states."""
        words = np.ascontiguousarray(words, np.int32)
        if len(words) and not (words.min() >= 0 and words.max() < self.size):
            raise ValueError("A word is not in the vocabulary.")
        bits = np.empty(len(words), np.uint32)
        self._library.noise_bits(states, len(words), words.ctypes.data, bits.ctypes.data)
        return bits

    def winner(self, logits: Tensor, scale: float, banned: tuple[int, ...], noise: tuple[int, int, int]) -> int:
        """What the kernel finds, `noise` being the addresses of a position's."""
        if banned is not self._banned:
            self._ban(banned)
        return self._library.noise_winner(self._reference, logits.data_ptr(), scale, *noise)

    def contenders(self, number: int) -> np.ndarray:
        """The words that it found last, in order."""
        return np.sort(self._words[:number].numpy())

    def _ban(self, banned: tuple[int, ...]) -> None:
        if not all(0 <= word < self.size for word in banned):
            raise ValueError("A banned word is not in the vocabulary.")
        self._banned, self._array = banned, (c_int32 * len(banned))(*banned)
        self._structure.banned, self._structure.forbidden = ctypes.addressof(self._array), len(banned)


class _KernelNoise(Noise):
    """That of one position, drawn with those beside it."""

    def __init__(
        self, kernel: NoiseKernel, lane: int, arrays: tuple[Tensor, ...], addresses: tuple[int, int, int]
    ) -> None:
        self._kernel, self._lane, self._arrays, self._addresses = kernel, lane, arrays, addresses
        self.size = kernel.size

    @cached_property
    def large(self) -> np.ndarray:
        _, large, count = self._arrays
        return large[self._lane, : count[self._lane], 0].numpy()

    def bits(self, words: np.ndarray) -> np.ndarray:
        return self._kernel.bits(words, self._addresses[0])

    def winner(self, logits: Tensor, scale: float, banned: tuple[int, ...]) -> int:
        if logits.shape != (self.size,) or logits.dtype != torch.float32 or not logits.is_contiguous():
            raise ValueError("Logits are one float32 number a word.")
        word = self._kernel.winner(logits, scale, banned, self._addresses)
        if word >= 0:
            return word
        if word == BEYOND:
            return super().winner(logits, scale, banned)
        words = self._kernel.contenders(-word)
        return self.best_of(words, self.at(words), logits.numpy(), np.float32(scale))[1]


def _declared(library: ctypes.CDLL) -> ctypes.CDLL:
    """`library`, whose functions know what they take."""
    library.noise_draw.argtypes = [POINTER(_Words), c_uint32, c_uint32, *[c_void_p] * 3]
    library.noise_bits.argtypes = [c_void_p, c_int32, c_void_p, c_void_p]
    library.noise_draw.restype = library.noise_bits.restype = None
    library.noise_winner.argtypes = [POINTER(_Words), c_void_p, c_float, *[c_void_p] * 3]
    library.noise_winner.restype = c_int32
    return library
