"""Ways of doing one piece of work: those that give the same numbers, and of them the one that is fastest here.

The first way is PyTorch's own. Another takes part only if its output on numbers like the real ones is that of the
first, to rounding; only then does the clock decide. So what is chosen changes how long a result takes, and not the
result. It knows nothing of what is computed.
"""

import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from lmdemo.pausing import pause_here

ROWS = 100  # of a decoder's product done at a time when reading
TRIALS = 7  # of each way; the median counts
MOST = 21  # of each, where after so many it is not clear yet which is fastest
CLEAR = 0.75  # of the trials that the fastest wins against each other way
FEWEST, ENOUGH = 2, 0.25  # trials of each, where these took so many seconds: what takes long varies less
FAR = 2.0  # times as long as the fastest: what takes that loses however often it is tried
ROUNDING = 1e-5  # of the greatest number in an output; 8-bit integers that differ by one somewhere lie beyond it

Decode = Callable[[Tensor, Tensor], Tensor]  # rows (n, nhid) of a window (T, nhid), the window -> logits (n, ntoken)
Way = TypeVar("Way", bound=Callable)


@dataclass(frozen=True)
class Choice:
    """One piece of work, the way that was fastest here, and what each way took."""

    work: str
    chosen: str
    seconds: Mapping[str, float]  # median of one call, by way; "stock" is PyTorch's own


def choose(work: str, ways: Mapping[str, Way], *example: object, others: int = 0) -> tuple[Way, Choice]:
    """Of the ways whose output on the example is that of the first, to rounding, the one with the least median time.

    Between two timed calls `others` bytes are read, as the rest of a model's weights are between two words: what is
    left in the caches decides which way is fastest.
    """
    taken, first = _tried(ways, example)
    seconds = _median_seconds(taken, first, example, others)
    chosen = min(seconds, key=seconds.__getitem__)
    return ways[chosen], Choice(work, chosen, seconds)


def same(ways: Mapping[str, Way], *example: object) -> dict[str, Way]:
    """The first of the ways, and the others whose output on the example is its output to rounding."""
    return _tried(ways, example)[0]


class RowsDecoder:
    """Logits of the rows of a window, by the way that is fastest for as many rows.

    A way is chosen when rows of such a number are first decoded, or by `prepare`, and kept. A window of more than
    `ROWS` rows comes in pieces; since an 8-bit decoder then needs the whole window's extremes with each piece, pieces
    are another work than windows of as many rows.
    """

    def __init__(self, work: str, ways: Mapping[str, Decode], example: Tensor) -> None:
        """`example` (ROWS, nhid) is output of the model's LSTM."""
        self._work, self._example = work, example
        self._ways = same(ways, example, example)  # what never takes part is not kept either
        self._chosen: dict[tuple[int, bool], tuple[Decode, Choice]] = {}

    @property
    def chosen_ways(self) -> tuple[Choice, ...]:
        """What was chosen so far."""
        return tuple(choice for _, choice in self._chosen.values())

    def __call__(self, rows: Tensor, window: Tensor) -> Tensor:
        """From rows (n, nhid) of a window (T, nhid) to (n, ntoken)."""
        return self._way(len(rows), len(rows) < len(window))(rows, window)

    def prepare(self, lengths: Iterable[int]) -> None:
        """Choose for all pieces of windows of these lengths, so that no timing pays for it."""
        with torch.inference_mode():
            for length in lengths:
                for piece in pieces(length):
                    self._way(piece.stop - piece.start, length > ROWS)

    def _way(self, count: int, of_more: bool) -> Decode:
        key = min(count, ROWS), of_more
        if key not in self._chosen:
            rows = self._example[: key[0]]
            window = torch.cat([rows, self._example]) if of_more else rows
            work = f"{self._work}, {key[0]} words{' of a longer window' if of_more else ''}"
            self._chosen[key] = choose(work, self._ways, rows, window)
        return self._chosen[key][0]


def about(length: int) -> int:
    """The windows that one choice stands for: up to the next power of two, and all of `ROWS` and more."""
    return min(ROWS, 1 << (length - 1).bit_length())


def pieces(length: int) -> Iterator[slice]:
    """A window of so many rows cut into pieces of at most `ROWS`."""
    return (slice(start, min(start + ROWS, length)) for start in range(0, length, ROWS))


def _tried(ways: Mapping[str, Way], example: tuple[object, ...]) -> tuple[dict[str, Way], dict[str, float]]:
    """The ways that are the `same` on the example, and what this first call of each took."""
    taken: dict[str, Way] = {}
    seconds: dict[str, float] = {}
    expected: list[Tensor] = []
    for name, way in ways.items():
        pause_here()
        began = time.perf_counter()
        output = way(*example)
        took = time.perf_counter() - began
        expected = expected or list(_tensors(output))
        if not taken or all(_equal(one, other) for one, other in zip(expected, _tensors(output), strict=True)):
            taken[name], seconds[name] = way, took
    return taken, seconds


def _median_seconds(
    ways: Mapping[str, Callable], first: Mapping[str, float], example: tuple[object, ...], others: int
) -> dict[str, float]:
    """Of a call of each way, in turns, until the fastest wins clearly or as often, or as long, as is worth while.

    The `first` call of each is its warm-up; of what takes long it is a trial, since little of it is a cold start.

    On a machine that does something else meanwhile, a few trials are as good as a coin between ways that are close.
    """
    long = sum(first.values()) >= ENOUGH
    seconds = {name: [first[name]] if long else [] for name in ways}
    elsewhere = torch.zeros(max(1, others // 4))
    for trial in range(1 + long, MOST + 1):
        for name, way in ways.items():
            pause_here()
            elsewhere.max()
            began = time.perf_counter()
            way(*example)
            seconds[name].append(time.perf_counter() - began)
        spent = sum(map(sum, seconds.values()))
        if (trial % TRIALS == 0 and is_clear(seconds)) or (trial >= FEWEST and (spent >= ENOUGH or is_far(seconds))):
            break
    return _medians(seconds)


def is_clear(seconds: Mapping[str, Sequence[float]]) -> bool:
    """Whether the way with the least median beat each other in enough of their trials, made in turns."""
    medians = _medians(seconds)
    best = min(medians, key=medians.__getitem__)
    return all(
        sum(mine < theirs for mine, theirs in zip(seconds[best], times, strict=True)) >= CLEAR * len(times)
        for name, times in seconds.items()
        if name != best
    )


def is_far(seconds: Mapping[str, Sequence[float]]) -> bool:
    """Whether every trial of every other way took at least `FAR` times as long as any of the best one."""
    medians = _medians(seconds)
    best = min(medians, key=medians.__getitem__)
    return all(min(times) >= FAR * max(seconds[best]) for name, times in seconds.items() if name != best)


def _medians(seconds: Mapping[str, Sequence[float]]) -> dict[str, float]:
    # of two the less: one trial may have been disturbed
    return {name: statistics.median_low(times) for name, times in seconds.items()}


def _tensors(output: Tensor | tuple) -> Iterator[Tensor]:
    if isinstance(output, Tensor):
        yield output
    else:
        for part in output:
            yield from _tensors(part)


def _equal(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and bool((one - other).abs().max() <= ROUNDING * one.abs().max())
