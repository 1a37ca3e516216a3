"""How long each variant takes for a word that it writes: what whoever waits for a text waits for.

The variants write from the same beginning with the same noise, a few words each in turn and in random order, in one
run. A word is the model's step, its noise and the choice, as when texts are shown. Reading many words at a time is
another question (evaluation.py): there the weights are read once for all of them.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from torch import nn

from lmdemo.inference import Pause, go_on
from lmdemo.inputs import some_models
from lmdemo.machine import Interference, Watch
from lmdemo.sampling import Sampler
from lmdemo.shared_noise import SharedNoise
from lmdemo.text import EOS, Vocabulary
from lmdemo.timed import Interval, Timed, median_interval
from lmdemo.writers import Writer

TURN = 10  # words of each variant
TURNS = 20
SEED = 1  # of the noise


@dataclass(frozen=True)
class Latencies(Timed):
    """Seconds of each word that was written so far, by variant; the last snapshot is `final`."""

    seconds: Mapping[str, tuple[float, ...]]
    interference: Interference  # since the first turn that counts
    final: bool

    @property
    def names(self) -> Iterable[str]:
        """The variants, the baseline first."""
        return self.seconds

    @property
    def baseline(self) -> str:
        """The variant that the others are compared with: the first."""
        return next(iter(self.seconds))

    @property
    def words(self) -> int:
        """Written so far, by each."""
        return len(self.seconds[self.baseline])

    def percentile(self, name: str, level: float) -> float:
        """Seconds that this share of a variant's words took at most, `level` in percent."""
        return float(np.percentile(self.seconds[name], level))

    def speed(self, name: str) -> Interval:
        """Words a second over the turns."""
        return median_interval(TURN / self._turns(name))

    def speedup(self, name: str, over: str | None = None) -> Interval:
        """How many times as fast as another variant, without one the baseline, turn by turn."""
        return median_interval(self._turns(over or self.baseline) / self._turns(name))

    def _turns(self, name: str) -> np.ndarray:
        """Seconds (turns,) of each turn."""
        return np.reshape(self.seconds[name], (-1, TURN)).sum(axis=1)


def write_in_turns(
    models: Mapping[str, nn.Module], vocabulary: Vocabulary, order_seed: int, pause: Pause = go_on
) -> Iterator[Latencies]:
    """Let all models write `TURN` × `TURNS` words; an iterator of snapshots, the last one final.

    A first turn of each is not counted, so that none pays for a cold start. `pause` is called between turns.

    Raises:
        InputError: at once, for no models.
    """
    some_models(models)
    return _snapshots(models, vocabulary, order_seed, pause)


def _snapshots(
    models: Mapping[str, nn.Module], vocabulary: Vocabulary, order_seed: int, pause: Pause
) -> Iterator[Latencies]:
    noise = SharedNoise(SEED, len(vocabulary), len(models), TURN * (TURNS + 1))
    primer, sampler = [vocabulary.id(EOS) or 0], Sampler(temperature=1.0, top_k=0)
    writers = {
        name: Writer(model, primer, sampler, partial(noise.take, number), vocabulary.words, pause)
        for number, (name, model) in enumerate(models.items())
    }
    order = np.random.default_rng(order_seed)
    for writer in writers.values():
        pause()
        writer.write(TURN, math.inf)  # not counted
    watch = Watch()
    for turn in range(1, TURNS + 1):
        with watch.computing():
            for name in order.permutation(list(models)):
                pause()
                writers[name].write((turn + 1) * TURN, math.inf)
        seconds = {name: tuple(np.diff(writer.times)[TURN - 1 :].tolist()) for name, writer in writers.items()}
        yield Latencies(seconds, watch.read(), final=turn == TURNS)
