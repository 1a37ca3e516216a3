"""The loss of a model over a slice of text, and a timed comparison of several.

The loss is the tutorial's: windows of `window` words at batch 1, the hidden state carried from one to the
next, the mean over words, summed in float64. int8 quantizes activations over a whole window, so its loss depends on the
window a little: compare at one window. A timing is a pair: the variants take turns, block by block, in one
run, in random order, and the ratio of the seconds of the same block is what is reported.
"""

import math
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from lmdemo.errors import InputError
from lmdemo.inference import Pause, go_on, runner
from lmdemo.inputs import some_models, whole_number
from lmdemo.machine import Interference, Watch
from lmdemo.timed import Interval, Timed, median_interval

MIN_TOKENS = 100
MAX_TOKENS = 20_000  # in one run
MAX_WINDOW = 1_000
NOT_LONG = 10_000  # words of a text that is read as a whole where nobody says how much
BEGINNING = 4_000  # words of a longer one
BLOCKS = 40  # turns each variant gets in a comparison, if there are as many windows


@dataclass(frozen=True)
class EvalResult:
    """The loss of one model over a slice, and how long that took."""

    loss: float  # mean negative log-likelihood, nats a token
    tokens: int  # predicted
    seconds: float

    @property
    def perplexity(self) -> float:
        """exp(loss)."""
        return exp(self.loss)

    @property
    def bits_per_word(self) -> float:
        """The loss in bits."""
        return self.loss / math.log(2)

    @property
    def tokens_per_second(self) -> float:
        """tokens ÷ seconds."""
        return self.tokens / self.seconds if self.seconds else 0.0


@dataclass(frozen=True)
class Comparison(Timed):
    """A snapshot of a comparison; the last one is `final`."""

    window: int
    tokens: int  # to be predicted in all
    results: Mapping[str, EvalResult]  # so far
    block_tokens: tuple[int, ...]  # tokens of each block done
    block_seconds: Mapping[str, tuple[float, ...]]  # seconds of each block done, the same blocks for all
    interference: Interference  # since the first block
    order_seed: int  # of the order in which the variants took turns
    final: bool

    @property
    def computed(self) -> dict[str, int]:
        """How much was read, by all variants together."""
        return {"tokens": sum(result.tokens for result in self.results.values())}

    @property
    def baseline(self) -> str:
        """The variant that the others are compared with: the first."""
        return next(iter(self.results))

    @property
    def names(self) -> Iterable[str]:
        """The variants, the baseline first."""
        return self.results

    def loss_change(self, name: str) -> float:
        """By what share of the baseline's loss a variant's differs, on what was read so far."""
        return self.results[name].loss / self.results[self.baseline].loss - 1

    def speed(self, name: str) -> Interval:
        """Tokens a second over the blocks."""
        return median_interval(np.divide(self.block_tokens, self.block_seconds[name]))

    def speedup(self, name: str, over: str | None = None) -> Interval:
        """How many times as fast as another variant, without one the baseline, block by block."""
        return median_interval(np.divide(self.block_seconds[over or self.baseline], self.block_seconds[name]))


def exp(value: float) -> float:
    """e to the power of `value`; infinite where a float ends."""
    return math.inf if value >= 700 else math.exp(value)


def shown_perplexity(value: float, digits: int) -> str:
    """A perplexity for a reader; of one that says nothing any more, that it is over 10^12."""
    return f"{value:,.{digits}f}" if value <= 1e12 else "over 10^12"


def token_range(available: int) -> tuple[int, int]:
    """The least and the most words that may be asked for, of a text with `available`; less of a short one."""
    most = min(MAX_TOKENS, available)
    return (MIN_TOKENS if most > MIN_TOKENS else 1), most


def default_tokens(available: int) -> int:
    """The words that are measured where nobody says how many: of a long text its beginning."""
    return available if available <= NOT_LONG else BEGINNING


def check_slice(tokens: object, window: object, available: int) -> tuple[int, int]:
    """The slice length and window as integers, or `InputError` with the range of the one that is wrong."""
    return (
        whole_number("Tokens", tokens, *token_range(available)),
        whole_number("Window", window, 1, MAX_WINDOW),
    )


def evaluate(model: nn.Module, ids: Tensor, window: int = 25) -> EvalResult:
    """The loss of `model` on ids (N,), N - 1 words predicted, in windows of `window` words.

    Raises:
        InputError: fewer than two ids, or a window outside 1 to 1,000.
    """
    check_ids(ids, window)
    reading = _Reading(model, ids, window)
    reading.read(len(ids) - 1)
    return reading.result()


def compare(
    models: Mapping[str, nn.Module],
    ids: Tensor,
    window: int = 25,
    pause: Pause = go_on,
    order_seed: int | None = None,
    beside: Pause = go_on,
) -> Iterator[Comparison]:
    """Evaluate all models on ids (N,) in turn, block by block; an iterator of snapshots, the last one final.

    The first block is read once by each beforehand, and not counted, so that none pays for a cold start. The order of
    the turns is drawn anew for each block, from `order_seed` or one that no other run has. `pause` is called between
    windows, `beside` after each block, outside all times: for what is to be measured in turns with the models.

    Raises:
        InputError: at once, for no models, fewer than two ids, or a window outside 1 to 1,000.
    """
    check_ids(ids, window)
    some_models(models)
    seed = secrets.randbits(32) if order_seed is None else order_seed
    return _snapshots(models, ids, window, pause, seed, beside)


def check_ids(ids: Tensor, window: object) -> None:
    """`InputError` for a text or a window that cannot be evaluated."""
    if not isinstance(ids, Tensor) or ids.dim() != 1 or ids.dtype != torch.int64:
        raise InputError("The test words must be their ids in a tensor of one dimension, int64.")
    whole_number("The number of test words", len(ids), 2, 10**9)
    whole_number("Window", window, 1, MAX_WINDOW)


def blocks(words: int, window: int) -> list[range]:
    """The words of each turn, whole windows: about `BLOCKS` turns as long as each other.

    What is left at the end joins the last turn. A turn of a few words would be as much as any other in a median.
    """
    windows = math.ceil(words / window)
    length = max(1, windows // BLOCKS) * window
    starts = range(0, max(1, words // length) * length, length)
    return [range(start, min(start + length, words)) for start in starts[:-1]] + [range(starts[-1], words)]


def _snapshots(
    models: Mapping[str, nn.Module], ids: Tensor, window: int, pause: Pause, order_seed: int, beside: Pause
) -> Iterator[Comparison]:
    readings = {name: _Reading(model, ids, window) for name, model in models.items()}
    turns = blocks(len(ids) - 1, window)
    for model in models.values():
        _Reading(model, ids, window).read(turns[0].stop, pause)
    block_seconds: dict[str, list[float]] = {name: [] for name in models}
    order = np.random.default_rng(order_seed)
    watch = Watch()
    for number, turn in enumerate(turns, 1):
        with watch.computing():
            for name in order.permutation(list(models)):
                block_seconds[name].append(readings[name].read(turn.stop, pause))
            beside()
        yield Comparison(
            window=window,
            tokens=len(ids) - 1,
            results={name: reading.result() for name, reading in readings.items()},
            block_tokens=tuple(map(len, turns[:number])),
            block_seconds={name: tuple(seconds) for name, seconds in block_seconds.items()},
            interference=watch.read(),
            order_seed=order_seed,
            final=number == len(turns),
        )


class _Reading:
    """One model on its way through the slice."""

    def __init__(self, model: nn.Module, ids: Tensor, window: int) -> None:
        self.runner, self.ids, self.window = runner(model), ids, window
        words = len(ids) - 1
        self.runner.prepare_reading({min(window, words), words % window or window})
        self.position = 0
        self.total = 0.0  # negative log-likelihood, nats
        self.seconds = 0.0

    def read(self, end: int, pause: Pause = go_on) -> float:
        """Read on, up to the word `end`, window by window; returns the seconds it took.

        Inference mode is entered here because its state belongs to a thread, and the steps of a generator
        may run on several.
        """
        began = time.perf_counter()
        with torch.inference_mode():
            total = torch.zeros((), dtype=torch.float64)  # a number once a block, not once a window
            while self.position < end:
                pause()
                data = self.ids[self.position : min(self.position + self.window, end)]  # (T,)
                targets = self.ids[self.position + 1 : self.position + 1 + len(data)]
                total += self.runner.losses(data, targets).sum(dtype=torch.float64)
                self.position += len(data)
            self.total += total.item()
        seconds = time.perf_counter() - began
        self.seconds += seconds
        return seconds

    def result(self) -> EvalResult:
        """The loss over what was read so far."""
        return EvalResult(self.total / max(self.position, 1), self.position, self.seconds)
