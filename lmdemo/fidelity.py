"""How far a variant's predictions are from fp32's: not only the loss, but the whole distribution, word by word.

Loss hides what quantization changed, since a word made likelier pays for one made less likely: a perplexity may stay,
or fall, while the distribution goes far away. The definitions are those of llama.cpp's perplexity tool, so that figures
can be held against it: the Kullback-Leibler divergence of the variant's distribution from fp32's, how often both find
the same word likeliest, and how the probability of the right word changed. Two things are ours. All words are scored,
where llama.cpp leaves out the first half of each of its windows; and intervals are those of a circular block
bootstrap, where it takes words as independent. Differences are paired: both models read the same words. No interval
speaks of another text; what passages of this one did stands beside it.

All models read the slice together, window by window, in one pass. Of each word a few numbers are kept for each
variant, never its logits, so memory does not grow with the vocabulary times the slice; and they go with the run, unless
somebody asks for them.

References
- https://github.com/ggml-org/llama.cpp/tree/master/tools/perplexity (README: the quantities and their names)
- Cover, Thomas 2006, "Elements of Information Theory", lemma 11.6.1 (Pinsker: KL is at least 2 δ², δ the total
  variation; for a fair coin moved by δ it is that, but for δ⁴)
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from lmdemo.bootstrap import Estimate, estimated_mean
from lmdemo.evaluation import check_ids, exp
from lmdemo.inference import Pause, Runner, go_on, log_softmax_, runner
from lmdemo.inputs import some_models
from lmdemo.passages import Passage, means, passages, stretches

KL_PERCENTILES = (0.0, 0.1, 1.0, 5.0, 10.0, 50.0, 90.0, 95.0, 99.0, 99.9, 100.0)
CHANGE_PERCENTILES = (0.0, 0.1, 1.0, 5.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 100.0)
CLOSE = 0.01  # a change of perplexity, up or down, within which a variant is called close


@dataclass(frozen=True)
class Fidelity:
    """One variant held against the baseline on the same words."""

    tokens: int
    loss: Estimate  # nats a word
    perplexity: Estimate
    log_ratio: Estimate  # ln(perplexity ÷ the baseline's), paired
    perplexity_change: Estimate  # the same as a share of the baseline's: 0.01 is 1 % more
    kl: Estimate  # KL(baseline ‖ variant), nats a word
    kl_percentiles: Mapping[float, float]
    top_1: Estimate  # share of words where both find the same word likeliest
    change: Estimate  # of the probability of the right word
    change_rms: Estimate
    change_percentiles: Mapping[float, float]
    passages: tuple[Passage, ...]
    course: tuple[float, ...]  # KL along the text, of each of its `stretches`

    def close(self, within: float = CLOSE) -> bool | None:
        """Whether perplexity changed by less than a share, up or down; None where the interval cannot tell."""
        low, high = self.perplexity_change.low, self.perplexity_change.high
        if -within < low and high < within:
            return True
        return False if high <= -within or low >= within else None


@dataclass(frozen=True)
class WordByWord:
    """Of each word that was predicted, in order."""

    losses: tuple[float, ...]  # nats
    kl: tuple[float, ...]  # KL(baseline ‖ variant) of the distributions that it was predicted from, nats


@dataclass(frozen=True)
class FidelityRun:
    """A snapshot; `results` are there in the last one, which is `final`."""

    window: int
    tokens: int  # in all
    read: int
    baseline: str
    results: Mapping[str, Fidelity]
    final: bool
    words: Mapping[str, WordByWord] = field(default_factory=dict)  # by variant, if they were asked for


def fidelity(
    models: Mapping[str, nn.Module], ids: Tensor, window: int = 25, pause: Pause = go_on, by_word: bool = False
) -> Iterator[FidelityRun]:
    """Hold all models against the first on ids (N,), in windows of `window` words; an iterator of snapshots.

    `pause` is called between the pieces of a window; `by_word` asks for the run's `words`.

    Raises:
        InputError: at once, for no models, fewer than two ids, or a window outside 1 to 1,000.
    """
    check_ids(ids, window)
    some_models(models)
    return _snapshots(models, ids, window, pause, by_word)


def coin(kl: float) -> float:
    """KL in nats as what everybody knows: that of a coin with heads at ½ + this from a fair one. About √(KL ÷ 2)."""
    return math.sqrt(-math.expm1(-2 * max(kl, 0.0))) / 2


def summarize(base_loss: np.ndarray, loss: np.ndarray, kl: np.ndarray, same: np.ndarray) -> Fidelity:
    """The figures of a variant from four numbers a word, each array (n,).

    Args:
        base_loss, loss: -ln of the probability of the right word, by the baseline and by the variant.
        kl: KL(baseline ‖ variant) of the distributions.
        same: whether both find the same word likeliest.
    """
    log_ratios = loss.astype(np.float64) - base_loss
    ratio = estimated_mean(log_ratios)
    change = np.exp(-loss.astype(np.float64)) - np.exp(-base_loss.astype(np.float64))
    mean, squares = estimated_mean(loss), estimated_mean(change**2)
    rms = math.sqrt(squares.value)
    return Fidelity(
        tokens=len(loss),
        loss=mean,
        perplexity=mean.through(exp, exp(mean.value)),
        log_ratio=ratio,
        perplexity_change=ratio.through(_change, exp(ratio.value)),
        kl=estimated_mean(kl).within(least=0.0),
        kl_percentiles=_percentiles(kl, KL_PERCENTILES),
        top_1=estimated_mean(same).within(0.0, 1.0),
        change=estimated_mean(change),
        change_rms=squares.within(least=0.0).through(math.sqrt, 1 / (2 * rms) if rms else 0.0),
        change_percentiles=_percentiles(change, CHANGE_PERCENTILES),
        passages=_passages(kl, log_ratios),
        course=tuple(means(kl, stretches(len(kl))).tolist()),
    )


def _passages(kl: np.ndarray, log_ratios: np.ndarray) -> tuple[Passage, ...]:
    places = passages(len(kl))
    both = zip(places, means(kl, places).tolist(), means(log_ratios, places).tolist(), strict=True)
    return tuple(Passage(place.start, len(place), mean, _change(ratio)) for place, mean, ratio in both)


def _change(log_ratio: float) -> float:
    """A difference of losses as the share by which it changes perplexity."""
    return exp(log_ratio) - 1 if log_ratio > 1 else math.expm1(log_ratio)


def _percentiles(values: np.ndarray, levels: tuple[float, ...]) -> dict[float, float]:
    return dict(zip(levels, np.percentile(values, levels).tolist(), strict=True))


def _snapshots(
    models: Mapping[str, nn.Module], ids: Tensor, window: int, pause: Pause, by_word: bool
) -> Iterator[FidelityRun]:
    tokens = len(ids) - 1
    runners = {name: runner(model) for name, model in models.items()}
    baseline = next(iter(models))
    figures = {name: np.empty((3, tokens), np.float32) for name in models}  # loss, KL, same
    for start in range(0, tokens, window):
        end = min(start + window, tokens)
        with torch.inference_mode():  # entered at each step: its state belongs to a thread
            _read_window(
                list(runners.values()), ids[start : end + 1], [rows[:, start:end] for rows in figures.values()], pause
            )
        if end < tokens:
            yield FidelityRun(window, tokens, end, baseline, {}, False)
    base_loss = figures[baseline][0]
    results = {name: summarize(base_loss, loss, kl, same) for name, (loss, kl, same) in figures.items()}
    words = {name: _by_word(rows) for name, rows in figures.items()} if by_word else {}
    yield FidelityRun(window, tokens, tokens, baseline, results, True, words)


def _by_word(figures: np.ndarray) -> WordByWord:
    losses, kl, _ = figures
    return WordByWord(tuple(losses.tolist()), tuple(np.maximum(kl, 0.0).tolist()))  # less than none is rounding


def _read_window(runners: list[Runner], ids: Tensor, figures: list[np.ndarray], pause: Pause) -> None:
    """Read ids (T + 1,) by all models in step and fill figures, each (3, T); the first model is the baseline."""
    base_pieces, *other_pieces = (one.read(ids[:-1]) for one in runners)
    start = 0
    for base_logits in base_pieces:
        pause()
        rows = slice(start, start + len(base_logits))
        targets = ids[1:][rows].unsqueeze(1)
        base = log_softmax_(base_logits)  # (rows, ntoken)
        probability = base.exp()
        likeliest = base.numpy().argmax(1)
        figures[0][0, rows] = -base.gather(1, targets)[:, 0].numpy()
        figures[0][1, rows], figures[0][2, rows] = 0.0, 1.0  # of itself
        for pieces, filled in zip(other_pieces, figures[1:], strict=True):  # pieces of the same rows
            pause()
            other = log_softmax_(next(pieces))
            filled[0, rows] = -other.gather(1, targets)[:, 0].numpy()
            filled[2, rows] = other.numpy().argmax(1) == likeliest
            filled[1, rows] = torch.linalg.vecdot(probability, torch.sub(base, other, out=other)).numpy()
        start = rows.stop
