"""The limit: what the hardware allows a variant at best, from this machine's own measured bandwidth and peak.

For each word written, every weight of the LSTM and the decoder must be read once, so a word cannot take less than
their bytes ÷ read bandwidth. Many words read at once share that reading, and what remains is their multiplications
÷ the peak rate of matrix products. Neither counts activations, logits, noise or the softmax, so no code can reach
it; how near it comes is what the mark on the page shows.

Bandwidth is measured on a buffer as large as the variant's weights, since small ones stay in the processor's cache.

Reference: Williams, Waterman, Patterson 2009, "Roofline: an insightful visual performance model"
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch.nn import functional as F

from lmdemo import onednn
from lmdemo.model import ModelConfig
from lmdemo.size import Size
from lmdemo.variants import is_quantized, square_linear

TRIALS = 5  # of each way of reading or multiplying; the best counts, for a limit is what can be reached
WIDTH = 1_024  # of the square matrices multiplied


@dataclass(frozen=True)
class Peaks:
    """Rates of matrix products measured here, operations a second; a multiplication and an addition are two."""

    fp32: float
    int8: float


@dataclass(frozen=True)
class Limit:
    """What one variant needs for a word, and the speeds that this machine allows it."""

    bytes_per_word: int  # read for each word written
    operations_per_word: int
    bandwidth: float  # bytes a second, read from a buffer of that size
    peak: float  # operations a second

    @property
    def writing(self) -> float:
        """Words a second, one at a time: each reads every weight."""
        return 1 / max(self.bytes_per_word / self.bandwidth, self.operations_per_word / self.peak)

    @property
    def reading(self) -> float:
        """Words a second, many at a time: the weights are shared, the products are not."""
        return self.peak / self.operations_per_word


def limits(config: ModelConfig, sizes: Mapping[str, Size]) -> dict[str, Limit]:
    """Measure this machine and give the limit of each variant, from its serialized LSTM and decoder."""
    peaks = measure_peaks()
    operations = operations_per_word(config)
    found: dict[str, Limit] = {}
    bandwidths: dict[int, float] = {}  # by size to two figures: variants of one size share one measurement
    for name, size in sizes.items():
        needed = size.modules["rnn"] + size.modules["decoder"]
        rounded = int(float(f"{needed:.2g}"))
        if rounded not in bandwidths:
            bandwidths[rounded] = measure_bandwidth(rounded)
        peak = peaks.int8 if is_quantized(name) else peaks.fp32
        found[name] = Limit(needed, operations, bandwidths[rounded], peak)
    return found


def operations_per_word(config: ModelConfig) -> int:
    """Multiplications and additions of the matrix products for one word: two a weight of LSTM and decoder."""
    widths = [config.ninp] + [config.nhid] * (config.nlayers - 1)  # what each layer reads
    lstm = sum(4 * config.nhid * (width + config.nhid) for width in widths)
    return 2 * (lstm + config.nhid * config.ntoken)


def measure_bandwidth(size: int) -> float:
    """Bytes a second at which one thread reads a buffer of `size` bytes again and again; the best way counts."""
    buffer = torch.ones(max(size // 4, 1_024))
    return buffer.nbytes / min(_best(way) for way in (buffer.sum, buffer.max, lambda: torch.dot(buffer, buffer)))


def measure_peaks() -> Peaks:
    """The rate of large square products in fp32 and in dynamically quantized int8; the best way counts."""
    one, other = torch.rand(WIDTH, WIDTH), torch.rand(WIDTH, WIDTH)
    ways: list[Callable[[], object]] = [lambda: torch.mm(one, other), lambda: F.linear(one, other)]
    if onednn.available():
        packed = onednn.packed_linear(other, None, WIDTH)
        ways.append(lambda: packed(one))
    quantized = square_linear(WIDTH)
    operations = 2 * WIDTH**3
    with torch.inference_mode():
        return Peaks(operations / min(map(_best, ways)), operations / _best(lambda: quantized(one)))


def _best(way: Callable[[], object]) -> float:
    """The least of several times of a call, in seconds, after a warm-up."""
    way()
    seconds = []
    for _ in range(TRIALS):
        began = time.perf_counter()
        way()
        seconds.append(time.perf_counter() - began)
    return min(seconds)
