"""The limit: what memory and arithmetic alone would allow a variant, by the fastest rates seen on this machine.

For each word written, every weight of the LSTM and the decoder must be read once, so a word cannot take less than
their bytes ÷ read bandwidth. Many words read at once share that reading, and what remains is their multiplications
÷ the peak rate of matrix products. Neither counts activations, logits, noise or the softmax. The rates are the best
of several ways in many trials, taken in turns with the run that they are shown beside: no proof that nothing faster
exists, and what a busy moment spoiled is mended by the next trial.

Bandwidth is measured on a buffer as large as the variant's weights, since small ones stay in the processor's cache.

Reference: Williams, Waterman, Patterson 2009, "Roofline: an insightful visual performance model"
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache

import torch
from torch.nn import functional as F

from lmdemo import onednn
from lmdemo.compiled import compiled
from lmdemo.int8lm import Int8Product
from lmdemo.model import ModelConfig
from lmdemo.size import Size
from lmdemo.variants import is_quantized, square_linear

TRIALS = 5  # of each way of reading or multiplying, where the limit is measured alone
WIDTH, INT8_WIDTH = 512, 1_024  # of the square matrices multiplied; integers come to their peak later
STREAMS = 16  # read side by side by one of the ways
CLOSE = 0.5  # a share of the limit from which on memory or arithmetic is what a word waits for


class Bound(Enum):
    """What takes most of a word's time."""

    MEMORY = "reading the weights"
    ARITHMETIC = "multiplying"
    CALLS = "the calls themselves and what else a word needs"


@dataclass(frozen=True)
class Limit:
    """What one variant needs for a word, and the speeds that this machine allows it."""

    bytes_per_word: int  # read for each word written
    operations_per_word: int
    bandwidth: float  # bytes a second, the fastest that a buffer of that size was seen to be read
    peak: float  # operations a second, the fastest seen

    @property
    def writing(self) -> float:
        """Words a second, one at a time: each reads every weight."""
        return 1 / max(self.bytes_per_word / self.bandwidth, self.operations_per_word / self.peak)

    @property
    def reading(self) -> float:
        """Words a second, many at a time: the weights are shared, the products are not."""
        return self.peak / self.operations_per_word

    def writing_waits_for(self, words_per_second: float) -> Bound:
        """What a word that is written at this speed waits for most."""
        if words_per_second < CLOSE * self.writing:
            return Bound.CALLS
        memory = self.bytes_per_word / self.bandwidth > self.operations_per_word / self.peak
        return Bound.MEMORY if memory else Bound.ARITHMETIC

    def reading_waits_for(self, words_per_second: float) -> Bound:
        """What a word that is read at this speed, many at a time, waits for most."""
        return Bound.CALLS if words_per_second < CLOSE * self.reading else Bound.ARITHMETIC


@dataclass(frozen=True)
class Rates:
    """The fastest that this machine was seen to read and to multiply; two operations a multiplication and addition."""

    bandwidths: Mapping[int, float]  # bytes a second, by the size of the buffer
    fp32: float  # operations a second
    int8: float

    def faster(self, other: "Rates") -> "Rates":
        """The best of both, for buffers of the same sizes."""
        bandwidths = {size: max(rate, other.bandwidths[size]) for size, rate in self.bandwidths.items()}
        return Rates(bandwidths, max(self.fp32, other.fp32), max(self.int8, other.int8))


class Meter:
    """The limit of each variant of a checkpoint, nearer the truth with every trial."""

    def __init__(self, config: ModelConfig, sizes: Mapping[str, Size]) -> None:
        """For variants of `config` with these serialized sizes; nothing is measured yet."""
        self._operations = operations_per_word(config)
        self._bytes = {name: size.modules["rnn"] + size.modules["decoder"] for name, size in sizes.items()}
        self._rates: Rates | None = None

    def take(self) -> None:
        """One trial of every way of reading and of multiplying, some 50 ms; to be called while nothing else runs."""
        rates = measure({_rounded(needed) for needed in self._bytes.values()})
        self._rates = rates if self._rates is None else self._rates.faster(rates)

    def limits(self) -> dict[str, Limit]:
        """The limit of each variant by the rates so far; empty before the first trial."""
        rates = self._rates
        if rates is None:
            return {}
        return {
            name: Limit(
                bytes_per_word=needed,
                operations_per_word=self._operations,
                bandwidth=rates.bandwidths[_rounded(needed)],
                peak=rates.int8 if is_quantized(name) else rates.fp32,
            )
            for name, needed in self._bytes.items()
        }


def limits(config: ModelConfig, sizes: Mapping[str, Size]) -> dict[str, Limit]:
    """Measure this machine and give the limit of each variant, from its serialized LSTM and decoder."""
    meter = Meter(config, sizes)
    for _ in range(TRIALS):
        meter.take()
    return meter.limits()


def measure(sizes: Iterable[int]) -> Rates:
    """One trial: the fastest way to read buffers of these sizes, and of large products in fp32 and dynamic int8."""
    one, other = torch.rand(WIDTH, WIDTH), torch.rand(WIDTH, WIDTH)
    fp32: list[Callable[[], object]] = [lambda: torch.mm(one, other), lambda: F.linear(one, other)]
    if onednn.available():
        packed = onednn.packed_linear(other, None, WIDTH)
        fp32.append(lambda: packed(one))
    with torch.inference_mode():
        return Rates(
            bandwidths={size: size / _least(reading_ways(size)) for size in sizes},
            fp32=2 * WIDTH**3 / _least(fp32),
            int8=2 * INT8_WIDTH**3 / _least(_int8_ways()),
        )


@cache
def _int8_ways() -> tuple[Callable[[], object], ...]:
    """Dynamically quantized products by the engine and by oneDNN, from fp32 numbers to fp32 numbers as in a model; and
    those of our own kernel, where there is one, without what stands around them.
    """
    rows, quantized = torch.rand(INT8_WIDTH, INT8_WIDTH), square_linear(INT8_WIDTH)
    ways: list[Callable[[], object]] = [lambda: quantized(rows)]
    if onednn.available():
        packed = onednn.Int8Linear(quantized, INT8_WIDTH)
        ways.append(lambda: packed(rows, rows))
    library = compiled().library
    if library is not None:
        ways.append(Int8Product(INT8_WIDTH, library))
    return tuple(ways)


def operations_per_word(config: ModelConfig) -> int:
    """Multiplications and additions of the matrix products for one word: two a weight of LSTM and decoder."""
    widths = [config.ninp] + [config.nhid] * (config.nlayers - 1)  # what each layer reads
    lstm = sum(4 * config.nhid * (width + config.nhid) for width in widths)
    return 2 * (lstm + config.nhid * config.ntoken)


def reading_ways(size: int) -> list[Callable[[], object]]:
    """Calls that read each byte of one buffer of `size` bytes once, in one stream, in two and in many."""
    held = bytearray(b"\x3f" * (size // (4 * STREAMS) * 4 * STREAMS))
    numbers = torch.frombuffer(held, dtype=torch.float32)
    half, rows = len(numbers) // 2, numbers.view(STREAMS, -1)
    ones = torch.ones(rows.shape[1])
    return [
        numbers.sum,
        lambda: torch.dot(numbers[:half], numbers[half:]),
        lambda: torch.mv(rows, ones),
        lambda: held.find(0),  # the C library's memchr: loads and comparisons alone, to the end
    ]


def _rounded(size: int) -> int:
    """To two figures: variants of about one size share one measurement."""
    return int(float(f"{size:.2g}"))


def _least(ways: Iterable[Callable[[], object]]) -> float:
    """The least time of a call of any of the ways, in seconds, each after a warm-up."""
    seconds = []
    for way in ways:
        way()
        began = time.perf_counter()
        way()
        seconds.append(time.perf_counter() - began)
    return min(seconds)
