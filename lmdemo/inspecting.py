"""What each model thought at one place of a text that was written: what it held likely, and what tipped its choice.

Every model reads the same words before the place, in the way in which it reads as it writes, and meets the noise that
belongs to the place: so what it chooses here is what it chose there. It knows nothing of how that is drawn.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from lmdemo.errors import InputError
from lmdemo.generation import MAX_WORDS, GenerationSettings, primer_of, sampler_of
from lmdemo.inference import PREFILL, Pause, go_on, scales_windows
from lmdemo.inputs import some_models, whole_number
from lmdemo.noise import Noise
from lmdemo.text import Vocabulary
from lmdemo.writers import begin

LIKELIEST = 10  # words that are told of, beside those that were chosen


@dataclass(frozen=True)
class Candidate:
    """A word that could stand at the place, and how it fared with each model."""

    word: str
    noise: float | None  # that it met, with every model the same; None where the likeliest word is taken
    probabilities: Mapping[str, float]  # by model
    scores: Mapping[str, float]  # by model: logit / temperature + noise; minus infinity beyond the top k. The best wins


@dataclass(frozen=True)
class Inspection:
    """What every model thought at one place.

    Probabilities are those that words are drawn by: at the temperature, of the top k, of words that may be written.
    Where the likeliest word is always taken, they are at temperature 1 and of all words.
    """

    settings: GenerationSettings
    position: int  # from 0
    written: str  # the word that stands there
    chosen: Mapping[str, str]  # by model
    candidates: tuple[Candidate, ...]  # the baseline's likeliest in order, then what is chosen and is none of them
    kl: Mapping[str, float]  # KL(baseline ‖ model), nats, of every model but the baseline; see `divergence`

    @property
    def computed(self) -> dict[str, int]:
        """How much was read, by all models together."""
        return {"words": self.position * len(self.chosen)}

    @property
    def final(self) -> bool:
        """There is one answer, and no other after it."""
        return True

    def candidate(self, word: str) -> Candidate:
        """The one of that word."""
        return next(candidate for candidate in self.candidates if candidate.word == word)

    def lead(self, name: str, word: str, other: str) -> float:
        """By how much `word` is ahead of `other` with a model, noise included: what tips a choice is a small one."""
        return self.candidate(word).scores[name] - self.candidate(other).scores[name]


def inspect(
    models: Mapping[str, nn.Module],
    vocabulary: Vocabulary,
    settings: GenerationSettings,
    words: Sequence[str],
    position: int,
) -> Inspection:
    """What each model thinks at one place of a text: the likeliest words, its choice, the noise that tipped it.

    Args:
        models: variants by name, as `build_variants` gives them; the first is the baseline.
        vocabulary: the words of these models.
        settings: those of the run, `Generation.settings`.
        words: the text after the prompt, `Generation.writings["fp32"].words`.
        position: the place in it, from 0.

    Raises:
        InputError: no models, words that are not the vocabulary's or too many, or no such position.
    """
    some_models(models)
    return look(models, vocabulary, settings, check_place(vocabulary, words, position))


def check_place(vocabulary: Vocabulary, words: object, position: object) -> list[int]:
    """The ids of words up to the one at `position`, which is the last; or `InputError` with what is wrong."""
    if not isinstance(words, list | tuple) or not 1 <= len(words) <= MAX_WORDS:
        raise InputError(f"Words must be a list of 1 to {MAX_WORDS:,} words.")
    ids = [vocabulary.id(word) if isinstance(word, str) else None for word in words]
    if None in ids:
        raise InputError(f"The word at position {ids.index(None):,} is none that this model has.")
    return ids[: whole_number("Position", position, 0, len(words) - 1, " (the text's last word)") + 1]


def look(
    models: Mapping[str, nn.Module],
    vocabulary: Vocabulary,
    settings: GenerationSettings,
    ids: Sequence[int],
    pause: Pause = go_on,
) -> Inspection:
    """As `inspect`, at the last of `ids`, with pauses in which it may be ended."""
    *before, written = ids
    position, primer, sampler = len(before), primer_of(vocabulary, settings), sampler_of(vocabulary, settings)
    noise = Noise(settings.seed, position, len(vocabulary)) if sampler.needs_noise else None
    logits = {name: _logits(model, primer, before, pause) for name, model in models.items()}  # each (ntoken,)
    weighed = {name: sampler.weighed(found) for name, found in logits.items()}
    baseline, *others = models
    kl = {name: divergence(logits[baseline], logits[name]) for name in others}
    chosen = {name: sampler.pick(found, noise) for name, found in logits.items()}  # overwrites them
    told = dict.fromkeys([*_likeliest(weighed[baseline]), *chosen.values()])
    return Inspection(
        settings=settings,
        position=position,
        written=vocabulary.words[written],
        chosen={name: vocabulary.words[word] for name, word in chosen.items()},
        candidates=_candidates(list(told), weighed, noise, vocabulary),
        kl=kl,
    )


def divergence(base: Tensor, other: Tensor) -> float:
    """KL(base ‖ other) in nats, of the distributions that logits (ntoken,) stand for.

    Of all words and at temperature 1, whatever words are drawn by: what an evaluation has the mean of.
    """
    base, other = (torch.log_softmax(logits.double(), 0) for logits in (base, other))
    return max(0.0, float(torch.linalg.vecdot(base.exp(), base - other)))


def _logits(model: nn.Module, primer: Sequence[int], before: Sequence[int], pause: Pause) -> Tensor:
    """Logits (ntoken,) of the word after `primer` and `before`, as a model has them that wrote or followed `before`.

    Words are read one at a time where a window would have another scale, else many at once. Logits are made of the
    last alone.
    """
    pause()
    running, word = begin(model, primer, pause)
    *passed, last = [word, *before]
    with torch.inference_mode():
        if passed:
            running.prefill(torch.tensor(passed), pause, 1 if scales_windows(model) else PREFILL)
        return running.step(last)


def _likeliest(weighed: np.ndarray) -> list[int]:
    """Up to `LIKELIEST` words that may be drawn, the likeliest first, from weighed logits (ntoken,)."""
    order = np.argsort(-weighed, kind="stable")[:LIKELIEST]
    return [int(word) for word in order if weighed[word] > -math.inf]


def _candidates(
    told: Sequence[int], weighed: Mapping[str, np.ndarray], noise: Noise | None, vocabulary: Vocabulary
) -> tuple[Candidate, ...]:
    places = np.array(told)
    drawn = [None] * len(told) if noise is None else noise.at(places).tolist()
    probabilities = {name: torch.softmax(torch.from_numpy(each), 0).numpy()[places] for name, each in weighed.items()}
    return tuple(
        Candidate(
            word=vocabulary.words[word],
            noise=drawn[number],
            probabilities={name: float(each[number]) for name, each in probabilities.items()},
            scores={name: float(each[word]) + (drawn[number] or 0.0) for name, each in weighed.items()},
        )
        for number, word in enumerate(told)
    )
