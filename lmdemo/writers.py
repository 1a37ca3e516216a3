"""One variant at work on one text: writing a text of its own, or put along another's.

Both go a word at a time, in turns with others.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import nn

from lmdemo.inference import Pause, Runner, runner
from lmdemo.noise import Noise
from lmdemo.sampling import Sampler
from lmdemo.shared_noise import Drawn
from lmdemo.text import Vocabulary


def begin(model: nn.Module, primer: Sequence[int], pause: Pause) -> tuple[Runner, int]:
    """A model that has read all of the primer but its last word, and that word, which is the first step's."""
    *before, word = primer
    running = runner(model)
    if before:
        with torch.inference_mode():
            running.prefill(torch.tensor(before), pause)
    return running, word


class Writer:
    """One variant at work: its hidden state, the words it chose, the computing seconds up to each."""

    def __init__(
        self,
        model: nn.Module,
        primer: list[int],
        sampler: Sampler,
        noise: Callable[[int], Drawn],
        vocabulary: Sequence[str],
        pause: Pause,
    ) -> None:
        self.sampler, self.noise, self.vocabulary = sampler, noise, vocabulary
        self.words: list[str] = []
        self.times: list[float] = []
        # the last word is left for the first step, so that every word written is timed alike
        self.runner, self.word = begin(model, primer, pause)

    def write(self, words: int, seconds: float) -> None:
        """Write on until `words` words stand or `seconds` have passed; at least one word.

        Inference mode is entered here, not around the generator: its state belongs to a thread, and the
        steps of a generator may run on several.
        """
        step, pick, noise, random = self.runner.step, self.sampler.pick, self.noise, self.sampler.needs_noise
        before = self.times[-1] if self.times else 0.0
        with torch.inference_mode():
            began = time.perf_counter()
            while len(self.words) < words:
                logits = step(self.word)  # (ntoken,)
                if random:
                    drawn = noise(len(self.words))
                    began += drawn.spent - drawn.seconds  # what drawing costs each, whoever drew
                    self.word = pick(logits, drawn.noise)
                else:
                    self.word = pick(logits)
                self.words.append(self.vocabulary[self.word])
                passed = time.perf_counter() - began
                self.times.append(before + passed)
                if passed >= seconds:
                    break


class Follower:
    """One variant along the baseline's words, outside every clock.

    Up to its first other word its own text tells what it chooses. From there on it is stepped once more, from the
    prompt, a word at a time as in writing: a window would quantize activations with another scale. That begins anew,
    and not from a state kept at every word: keeping one would be on the writer's clock.
    """

    def __init__(
        self,
        model: nn.Module,
        primer: Sequence[int],
        sampler: Sampler,
        seed: int,
        vocabulary: Vocabulary,
        pause: Pause,
    ) -> None:
        self.others: dict[int, str] = {}
        self.reached = 0  # positions at which its choice is known
        self._begin = partial(begin, model, primer, pause)
        self._sampler, self._seed, self._vocabulary = sampler, seed, vocabulary
        self._runner: Runner | None = None  # none before the first other word
        self._word = self._stepped = 0  # read by the next step; steps so far

    def follow(self, baseline: Sequence[str], own: Sequence[str], seconds: float) -> None:
        """Go on along the baseline's words, as far as they stand, until `seconds` have passed; at least one step."""
        if not self.others:
            self._compare(baseline, own)
        if self.others:
            self._step(baseline, seconds)

    def _compare(self, baseline: Sequence[str], own: Sequence[str]) -> None:
        for one, other in zip(baseline[self.reached :], own[self.reached :], strict=False):
            self.reached += 1
            if one != other:
                self.others[self.reached - 1] = other
                return

    def _step(self, baseline: Sequence[str], seconds: float) -> None:
        if self._runner is None:
            self._runner, self._word = self._begin()
        began = time.perf_counter()
        with torch.inference_mode():
            while self.reached < len(baseline):
                logits = self._runner.step(self._word)
                position = self._stepped
                if position == self.reached:
                    word = self._vocabulary.words[self._pick(logits, position)]
                    self.reached += 1
                    if word != baseline[position]:
                        self.others[position] = word
                self._word = self._vocabulary.id(baseline[position])
                self._stepped += 1
                if time.perf_counter() - began >= seconds:
                    break

    def _pick(self, logits: torch.Tensor, position: int) -> int:
        noise = Noise(self._seed, position, len(self._vocabulary)) if self._sampler.needs_noise else None
        return self._sampler.pick(logits, noise)
