"""What our kernels for fp32 and int8 share: the structure of lstm.h, a text's state, memory that is read fast."""

import ctypes
from ctypes import c_int32, c_void_p

import numpy as np
import torch

from lmdemo.mkl import tanh_address
from lmdemo.model import Hidden, ModelConfig

GROUP = 128  # logits kept at a time, as in lstm.h
PAGE = 2 * 2**20  # bytes
LANES = {"AVX512": 16, "AVX2": 8}  # of float32 that torch computes at once, by capability; else 4


class Units(ctypes.Structure):
    """Of a layer of an LSTM, as lstm.h describes it."""

    _fields_ = [("nhid", c_int32), ("simd", c_int32), ("tanh", c_void_p)]


def units(nhid: int) -> Units:
    """Those of a width, whose functions are to be rounded where torch rounds them on this processor."""
    # torch takes two of its vectors at a time, and the units that are left one by one
    simd = nhid - nhid % (2 * LANES.get(torch.backends.cpu.get_cpu_capability(), 4))
    return Units(nhid, simd, tanh_address())


class State:
    """The hidden state of a text that a kernel reads, in buffers of its own that the kernel overwrites."""

    def __init__(self, config: ModelConfig) -> None:
        """At the beginning of a text."""
        self._h, self._c = torch.zeros(2, config.nlayers, 1, config.nhid)

    @property
    def hidden(self) -> Hidden:
        """The state after what was read, which the next words overwrite."""
        return self._h, self._c

    @hidden.setter
    def hidden(self, state: Hidden) -> None:
        for mine, given in zip(self.hidden, state, strict=True):
            mine.copy_(given)


def filled(count: int, multiple: int) -> int:
    """`count`, or the next greater that is a multiple."""
    return count + -count % multiple


def huge(size: int) -> np.ndarray:
    """So many bytes, on pages of 2 MB where the system has them: numpy asks for these, from 4 MB on.

    A processor fetches ahead within a page, and the weights are read from end to end for each word.
    """
    memory = np.empty(filled(size, PAGE) + PAGE, np.int8)  # what is never touched takes no memory
    return memory[-memory.ctypes.data % PAGE :][:size]
