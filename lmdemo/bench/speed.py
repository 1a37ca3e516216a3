"""How fast: the tutorial's loops, ours, and ONNX Runtime on the same weights, in turns, one thread.

A contest lets every contestant do the same work once a round, in an order drawn anew each round, after a round that
does not count; a ratio is taken round by round. The tutorial's loops stand here as they stood there.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from lmdemo.bench.figures import figure
from lmdemo.bench.peers import OnnxModel, onnx_models
from lmdemo.evaluation import FEWEST_BLOCKS, Interval, evaluate, median_interval
from lmdemo.generation import generate
from lmdemo.inference import log_softmax_
from lmdemo.lab import DEFAULT_WINDOW
from lmdemo.model import LSTMModel
from lmdemo.sampling import Sampler, SharedNoise
from lmdemo.text import Vocabulary
from lmdemo.variants import TUTORIAL, build_variants

WORDS = 100  # written in a turn
TOKENS = 400  # read in a turn
TUTORIAL_WINDOW = 25  # the tutorial's bptt
SEED = 0  # of the order of turns, and of the text of random words that a made-up model reads

# what is compared in the end: a contestant, another, and in which contest
RATIOS = (
    ("writing: tutorial fp32 ÷ fp32-packed", "generation", "tutorial fp32", "fp32-packed"),
    ("writing: tutorial int8 ÷ int8", "generation", "tutorial int8", "int8"),
    ("writing: fp32-packed ÷ int8", "generation", "fp32-packed", "int8"),
    ("writing: fp32-packed ÷ ONNX Runtime fp32", "generation", "fp32-packed", "ONNX Runtime fp32"),
    ("writing: int8 ÷ ONNX Runtime int8", "generation", "int8", "ONNX Runtime int8"),
    ("reading, window {tutorial}: tutorial fp32 ÷ fp32-packed", "evaluation", "tutorial fp32", "fp32-packed"),
    ("reading, window {tutorial}: tutorial int8 ÷ int8", "evaluation", "tutorial int8", "int8"),
    ("reading, window {tutorial}: int8 ÷ ONNX Runtime int8", "evaluation", "int8", "ONNX Runtime int8"),
    ("reading, {tutorial} ÷ {ours}: tutorial fp32 ÷ fp32-packed", "long_windows", "tutorial fp32", "fp32-packed"),
    ("reading, {tutorial} ÷ {ours}: tutorial int8 ÷ int8", "long_windows", "tutorial int8", "int8"),
    ("reading, window {ours}: fp32-packed ÷ int8", "long_windows", "fp32-packed", "int8"),
    ("reading, window {ours}: int8 ÷ ONNX Runtime int8", "long_windows", "int8", "ONNX Runtime int8"),
)

Ways = dict[str, Callable[[], float]]


@dataclass(frozen=True)
class Contest:
    """Seconds of each round, by contestant, and what each reported of its work."""

    words: int  # a turn
    seconds: Mapping[str, tuple[float, ...]]
    answers: Mapping[str, float]  # of an evaluation: the loss

    def speed(self, name: str) -> Interval:
        """Words a second."""
        return median_interval(self.words / np.array(self.seconds[name]))

    def ratio(self, name: str, other: str) -> Interval:
        """The seconds of one contestant ÷ those of another, round by round."""
        return median_interval(np.divide(self.seconds[name], self.seconds[other]))


@dataclass(frozen=True)
class Speed:
    """One model, all contestants, by work; contestants are called "tutorial int8", "int8", "ONNX Runtime int8"."""

    title: str
    generation: Contest
    evaluation: Contest  # in the tutorial's window
    long_windows: Contest  # the tutorial's loop in its own window, the others in our default window


def measure_speed(title: str, model: LSTMModel, vocabulary: Vocabulary, ids: Tensor, rounds: int) -> Speed:
    """Let all contestants write, and read ids (N,), `rounds` times each."""
    variants, peers = build_variants(model), onnx_models(model)
    ids = ids[: TOKENS + 1]
    return Speed(
        title,
        contest(_writing(variants, peers, vocabulary), WORDS, rounds),
        contest(_reading(variants, peers, ids, TUTORIAL_WINDOW), len(ids) - 1, rounds),
        contest(_reading(variants, peers, ids, DEFAULT_WINDOW), len(ids) - 1, rounds),
    )


def speed_figures(speed: Speed) -> dict[str, object]:
    """Words a second by contest and contestant, the ratios of seconds and the losses."""
    contests = {
        "writing": speed.generation,
        f"reading, window {TUTORIAL_WINDOW}": speed.evaluation,
        f"reading, window {DEFAULT_WINDOW}": speed.long_windows,
    }
    return {
        "title": speed.title,
        "words_per_second": {
            work: {name: held.speed(name) for name in held.seconds} for work, held in contests.items()
        },
        "seconds_over_seconds": dict(_ratios(speed)),
        "loss": dict(speed.long_windows.answers),
    }


def speed_report(speed: Speed) -> str:
    """Words a second of every contestant, and the ratios of seconds, as Markdown."""
    head = (
        f"| words/s | writing | reading, window {TUTORIAL_WINDOW} | reading, window {DEFAULT_WINDOW} |\n"
        "|---|---:|---:|---:|"
    )
    rows = []
    for name in speed.generation.seconds:
        long = "" if name.startswith("tutorial") else _speed(speed.long_windows.speed(name))
        rows.append(
            f"| {name} | {_speed(speed.generation.speed(name))} | {_speed(speed.evaluation.speed(name))} | {long} |"
        )
    ratios = [
        "| seconds ÷ seconds | |\n|---|---:|",
        *(f"| {what} | {figure(ratio)} |" for what, ratio in _ratios(speed)),
    ]
    losses = {name: speed.long_windows.answers[name] for name in ("tutorial fp32", "fp32-packed", "int8")}
    losses_read = ", ".join(f"{name} {loss:.6f}" for name, loss in losses.items())
    rounds = len(speed.generation.seconds["fp32"])
    intervals = " with 95% intervals" if rounds >= FEWEST_BLOCKS else ""
    return "\n\n".join(
        [
            f"**{speed.title}**",
            "\n".join([head, *rows]),
            "\n".join(ratios),
            f"Medians of {rounds} rounds{intervals}; {WORDS} words written and {speed.evaluation.words:,} read"
            f" in a turn. Loss: {losses_read}.",
        ]
    )


def _ratios(speed: Speed) -> Iterator[tuple[str, Interval]]:
    for label, work, name, other in RATIOS:
        what = label.format(tutorial=TUTORIAL_WINDOW, ours=DEFAULT_WINDOW)
        yield what, getattr(speed, work).ratio(name, other)


def _speed(value: Interval) -> str:
    return figure(value, digits=0)


def contest(ways: Ways, words: int, rounds: int) -> Contest:
    """Time every way once a round, in random order, after one round that is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    answers: dict[str, float] = {}
    order = np.random.default_rng(SEED)
    for turn in range(rounds + 1):
        for name in order.permutation(list(ways)):
            began = time.perf_counter()
            answers[name] = ways[name]()
            if turn:
                seconds[name].append(time.perf_counter() - began)
    return Contest(words, {name: tuple(times) for name, times in seconds.items()}, answers)


def tutorial_generate(model: nn.Module, vocabulary: Vocabulary, words: int, temperature: float = 1.0) -> float:
    """The tutorial's loop; the number of words it wrote."""
    hidden = model.init_hidden(1)
    input_ = torch.randint(len(vocabulary), (1, 1), dtype=torch.long)
    written = []
    with torch.no_grad():
        for _ in range(words):
            output, hidden = model(input_, hidden)
            word_weights = output.squeeze().div(temperature).exp().cpu()
            word_idx = torch.multinomial(word_weights, 1)[0]
            input_.fill_(word_idx)
            written.append(vocabulary.words[word_idx])
    return len(written)


def tutorial_evaluate(model: nn.Module, data_source: Tensor, bptt: int = TUTORIAL_WINDOW) -> float:
    """The tutorial's loop over data_source (N, 1); the loss."""
    criterion = nn.CrossEntropyLoss()
    total_loss = 0.0
    hidden = model.init_hidden(1)
    with torch.no_grad():
        for i in range(0, data_source.size(0) - 1, bptt):
            seq_len = min(bptt, len(data_source) - 1 - i)
            data = data_source[i : i + seq_len]
            targets = data_source[i + 1 : i + 1 + seq_len].reshape(-1)
            output, hidden = model(data, hidden)
            hidden = tuple(state.detach() for state in hidden)
            output_flat = output.view(-1, output.shape[-1])
            total_loss += len(data) * criterion(output_flat, targets).item()
    return total_loss / (len(data_source) - 1)


def _writing(variants: Mapping[str, nn.Module], peers: Mapping[str, OnnxModel], vocabulary: Vocabulary) -> Ways:
    def ours(name: str) -> float:
        *_, last = generate({name: variants[name]}, vocabulary, "", words=WORDS)
        return len(last.writings[name].words)

    def peer(model: OnnxModel) -> float:
        sampler, noise = Sampler(1.0, 0), SharedNoise(1, len(vocabulary), 1, WORDS)
        state, ids = model.start, np.zeros(1, np.int64)
        for position in range(WORDS):
            logits, state = model(ids, state)
            ids[0] = sampler.pick(torch.from_numpy(logits[0]), noise.take(0, position).noise)
        return WORDS

    return (
        {
            f"tutorial {name}": lambda name=name: tutorial_generate(variants[name], vocabulary, WORDS)
            for name in TUTORIAL
        }
        | {name: lambda name=name: ours(name) for name in variants}
        | {f"ONNX Runtime {name}": lambda model=model: peer(model) for name, model in peers.items()}
    )


def _reading(variants: Mapping[str, nn.Module], peers: Mapping[str, OnnxModel], ids: Tensor, window: int) -> Ways:
    def peer(model: OnnxModel) -> float:
        state, total, numbers = model.start, 0.0, ids.numpy()
        for start in range(0, len(ids) - 1, window):
            targets = ids[start + 1 : start + 1 + window]
            logits, state = model(numbers[start : start + len(targets)], state)
            total -= log_softmax_(torch.from_numpy(logits)).gather(1, targets.unsqueeze(1)).sum().item()
        return total / (len(ids) - 1)

    return (
        {f"tutorial {name}": lambda name=name: tutorial_evaluate(variants[name], ids.unsqueeze(1)) for name in TUTORIAL}
        | {name: lambda name=name: evaluate(variants[name], ids, window).loss for name in variants}
        | {f"ONNX Runtime {name}": lambda model=model: peer(model) for name, model in peers.items()}
    )
