"""How fast: the tutorial's loops, ours, and ONNX Runtime on the same weights, in turns, one thread.

A contest lets every contestant do the same work once a round, in an order drawn anew each round, after a round that
does not count; a ratio is taken round by round. The tutorial's loops draw their words as the tutorial does; all
others, ONNX Runtime too, take theirs from our noise, so `fp32` and `int8` are the tutorial's loops on that noise. A
step alone needs none.
"""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from lmdemo.bench.peers import OnnxModel, onnx_models
from lmdemo.bench.tutorial import BPTT, tutorial_evaluate, tutorial_generate
from lmdemo.choosing import Choice
from lmdemo.evaluation import evaluate
from lmdemo.generation import generate
from lmdemo.inference import log_softmax_, runner
from lmdemo.lab import DEFAULT_WINDOW
from lmdemo.model import LSTMModel
from lmdemo.roofline import Limit, limits
from lmdemo.sampling import Sampler
from lmdemo.shared_noise import SharedNoise
from lmdemo.size import sizes
from lmdemo.text import Vocabulary
from lmdemo.timed import Interval, median_interval
from lmdemo.variants import TUTORIAL, build_variants

WORDS = 60  # written in a turn
TOKENS = 400  # read in a turn
SEED = 0  # of the order of turns, and of the text of random words that a made-up model reads
CORNERS = ("fp32", "int8", "fp32-packed", "int8-packed")
PACKED = ("fp32-packed", "int8-packed")

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
    step: Contest  # a word's logits from the word before it, without choosing one; not of the tutorial's loops
    generation: Contest
    evaluation: Contest  # in the tutorial's window
    long_windows: Contest  # the tutorial's loop in its own window, the others in our default window
    limits: Mapping[str, Limit]  # of the four corners, on this machine
    chosen_ways: Mapping[str, tuple[Choice, ...]]  # what the packed ones chose
    problem: str  # why int8-packed has no kernel of ours, if it has none

    @property
    def contests(self) -> dict[str, Contest]:
        """By the work that is done."""
        return {
            "step": self.step,
            "writing": self.generation,
            f"reading, window {BPTT}": self.evaluation,
            f"reading, window {DEFAULT_WINDOW}": self.long_windows,
        }


def measure_speed(title: str, model: LSTMModel, vocabulary: Vocabulary, ids: Tensor, rounds: int) -> Speed:
    """Let all contestants write, and read ids (N,), `rounds` times each."""
    variants, ids = build_variants(model), ids[: TOKENS + 1]
    peers = {} if held_back() else onnx_models(model)
    contests = (
        contest(_steps(variants, peers, ids[:WORDS]), min(WORDS, len(ids)), rounds),
        contest(_writing(variants, peers, vocabulary), WORDS, rounds),
        contest(_reading(variants, peers, ids, BPTT), len(ids) - 1, rounds),
        contest(_reading(variants, peers, ids, DEFAULT_WINDOW), len(ids) - 1, rounds),
    )
    return Speed(
        title,
        *contests,
        limits(model.config, sizes({name: variants[name] for name in CORNERS})),
        {name: variants[name].chosen_ways for name in PACKED},
        variants["int8-packed"].problem,
    )


def held_back() -> bool:
    """Whether torch was told to use less of this processor than it has, which ONNX Runtime does not hear."""
    return "ATEN_CPU_CAPABILITY" in os.environ


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


def _steps(variants: Mapping[str, nn.Module], peers: Mapping[str, OnnxModel], ids: Tensor) -> Ways:
    words = ids.tolist()

    def ours(model: nn.Module) -> float:
        running = runner(model)
        with torch.inference_mode():
            for word in words:
                running.step(word)
        return len(words)

    def peer(model: OnnxModel) -> float:
        state, word = model.start, np.zeros(1, np.int64)
        for word[0] in words:
            _, state = model(word, state)
        return len(words)

    return {name: lambda model=model: ours(model) for name, model in variants.items()} | {
        f"ONNX Runtime {name}": lambda model=model: peer(model) for name, model in peers.items()
    }


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
