"""Variants writing side by side from one prompt, with the same noise at the same position.

The variants take turns in slices of equal computing time, so a faster one runs ahead exactly as far as it
is faster. Once texts have parted, their further differences only follow from the first; so each variant is also put
along the baseline's words, to see at which places it would have chosen another. It knows nothing of how a text is
shown.
"""

import itertools
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

from torch import nn

from lmdemo.inference import Pause, go_on
from lmdemo.inputs import flag, plain_text, real_number, some_models, whole_number
from lmdemo.sampling import Sampler
from lmdemo.shared_noise import SharedNoise
from lmdemo.text import EOS, UNK, Vocabulary
from lmdemo.writers import Follower, Writer

MAX_PROMPT = 2_000  # characters
MAX_WORDS = 1_000
MAX_TEMPERATURE = 5.0
MAX_TOP_K = 1_000
MAX_SEED = 2**32 - 1
SLICE = 0.01  # seconds of computing a variant's turn takes
FOLLOWING = 4  # turns of writing after which choices are looked at: it leaves the caches to whoever writes next


@dataclass(frozen=True)
class GenerationSettings:
    """What a visitor asks for; making one checks every field and raises `InputError`."""

    prompt: str = ""
    words: int = 100
    temperature: float = 1.0
    top_k: int = 0
    seed: int = 1
    allow_unk: bool = False

    def __post_init__(self) -> None:
        checked = {
            "prompt": plain_text("Prompt", self.prompt, MAX_PROMPT),
            "words": whole_number("Words", self.words, 1, MAX_WORDS),
            "temperature": real_number("Temperature", self.temperature, 0, MAX_TEMPERATURE, " (0 is greedy)"),
            "top_k": whole_number("Top-k", self.top_k, 0, MAX_TOP_K, " (0 is all words)"),
            "seed": whole_number("Seed", self.seed, 0, MAX_SEED),
            "allow_unk": flag("Allow <unk>", self.allow_unk),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)


@dataclass(frozen=True)
class Writing:
    """What one variant has written so far."""

    words: tuple[str, ...]
    times: tuple[float, ...]  # computing seconds up to each word: model, noise and choice, not the prompt
    done: bool

    @property
    def seconds(self) -> float:
        """Computing seconds so far."""
        return self.times[-1] if self.times else 0.0

    @property
    def words_per_second(self) -> float:
        """Words ÷ seconds; 0 before the first word."""
        return len(self.words) / self.seconds if self.seconds else 0.0


@dataclass(frozen=True)
class Along:
    """What one variant chooses along the baseline's words, with the same noise, as far as that is known."""

    others: Mapping[int, str]  # its word by position, from 0, where it is not the baseline's
    reached: int = 0  # positions at which its choice is known

    def to(self, count: int) -> "Along":
        """The same of the first `count` positions alone."""
        others = {position: word for position, word in self.others.items() if position < count}
        return Along(others, min(self.reached, count))


@dataclass(frozen=True)
class Generation:
    """A snapshot of all variants; the last one is `final`."""

    settings: GenerationSettings
    prompt: tuple[str, ...]  # the prompt in the model's words, `<unk>` for those it does not have
    unknown: tuple[str, ...]  # words of the prompt, as typed, that the model does not have
    writings: Mapping[str, Writing]
    final: bool  # everything is written, and every choice along the baseline's words is known
    along: Mapping[str, Along] = field(default_factory=dict)  # of every variant but the first, the baseline

    @property
    def computed(self) -> dict[str, int]:
        """How much was computed, by all variants together."""
        return {"words": sum(len(writing.words) for writing in self.writings.values())}

    @property
    def compared(self) -> int:
        """Positions that every variant has reached."""
        return min(len(writing.words) for writing in self.writings.values())

    @cached_property
    def differences(self) -> tuple[int, ...]:
        """The positions, from 0, that all have reached and where not all words are the same."""
        columns = zip(*(writing.words for writing in self.writings.values()), strict=False)
        return tuple(position for position, words in enumerate(columns) if len(set(words)) > 1)

    def parted(self, name: str) -> tuple[int, ...]:
        """The positions, from 0, where a variant's word is not the first variant's; of the first, where any's is not.

        Only positions count that both have reached.
        """
        baseline = next(iter(self.writings))
        if name == baseline:
            return tuple(sorted({place for other in self.writings if other != name for place in self.parted(other)}))
        pairs = zip(self.writings[baseline].words, self.writings[name].words, strict=False)
        return tuple(position for position, (one, other) in enumerate(pairs) if one != other)

    def choices(self, name: str) -> Mapping[int, str]:
        """The positions, from 0, at which a variant chooses another word along the baseline's words, and which word.

        Of the baseline there are none.
        """
        return self.along[name].others if name in self.along else {}

    @property
    def first_difference(self) -> int | None:
        """The first of `differences`, or None."""
        return self.differences[0] if self.differences else None

    def at(self, seconds: float) -> "Generation":
        """The snapshot as it stood when each variant had computed for `seconds`: a replay needs no computing."""
        writings = {}
        for name, writing in self.writings.items():
            count = bisect_right(writing.times, seconds)
            done = writing.done and count == len(writing.words)
            writings[name] = Writing(writing.words[:count], writing.times[:count], done)
        written = len(writings[next(iter(writings))].words)
        along = {name: found.to(min(written, len(writings[name].words))) for name, found in self.along.items()}
        final = self.final and all(writing.done for writing in writings.values())
        return replace(self, writings=writings, final=final, along=along)


def generate(
    models: Mapping[str, nn.Module],
    vocabulary: Vocabulary,
    prompt: str,
    words: int = 100,
    temperature: float = 1.0,
    top_k: int = 0,
    seed: int = 1,
    *,
    allow_unk: bool = False,
) -> Iterator[Generation]:
    """Let every model write `words` words after `prompt`; an iterator of snapshots, the last one final.

    Args:
        models: variants by name, as `build_variants` gives them.
        vocabulary: the words of these models.
        prompt: text; empty starts a paragraph of its own.
        words: 1 to 1,000.
        temperature: 0 (greedy) to 5; logits are divided by it.
        top_k: 1 to 1,000 keeps that many likeliest words; 0 keeps all.
        seed: 0 to 2**32 - 1. Same seed, same machine: same texts.
        allow_unk: let `<unk>` be written; otherwise it is never chosen.

    Raises:
        InputError: at once, before the first snapshot, for a field out of its range, or no models.
    """
    some_models(models)
    return write(models, vocabulary, GenerationSettings(prompt, words, temperature, top_k, seed, allow_unk))


def primer_of(vocabulary: Vocabulary, settings: GenerationSettings) -> list[int]:
    """The ids that every model reads before it writes: one, and the prompt's.

    In a corpus a paragraph follows the end of another, and so does a prompt. Without <eos>: the first word.
    """
    return [vocabulary.id(EOS) or 0, *vocabulary.encode(settings.prompt)]


def sampler_of(vocabulary: Vocabulary, settings: GenerationSettings) -> Sampler:
    """What picks every word."""
    unk = vocabulary.id(UNK)
    banned = [] if settings.allow_unk or unk is None else [unk]
    return Sampler(settings.temperature, settings.top_k, banned)


def write(
    models: Mapping[str, nn.Module], vocabulary: Vocabulary, settings: GenerationSettings, pause: Pause = go_on
) -> Iterator[Generation]:
    """As `generate`, with its settings as one, and with pauses in which it may be ended."""
    primer, sampler = primer_of(vocabulary, settings), sampler_of(vocabulary, settings)
    prompt, unknown = tuple(vocabulary.words[word] for word in primer[1:]), tuple(vocabulary.unknown(settings.prompt))
    noise = SharedNoise(settings.seed, len(vocabulary), len(models), settings.words)
    writers = {
        name: Writer(model, primer, sampler, partial(noise.take, number), vocabulary.words, pause)
        for number, (name, model) in enumerate(models.items())
    }
    baseline, *others = writers
    followers = {name: Follower(models[name], primer, sampler, settings.seed, vocabulary, pause) for name in others}
    written = False
    for turn in itertools.count(1):
        for writer in writers.values():
            pause()
            writer.write(settings.words, SLICE)
        for name, follower in followers.items() if written or turn % FOLLOWING == 0 else ():
            pause()
            follower.follow(writers[baseline].words, writers[name].words, SLICE)
        writings = {
            name: Writing(tuple(writer.words), tuple(writer.times), len(writer.words) == settings.words)
            for name, writer in writers.items()
        }
        along = {name: Along(dict(follower.others), follower.reached) for name, follower in followers.items()}
        written = all(writing.done for writing in writings.values())
        final = written and all(found.reached == settings.words for found in along.values())
        yield Generation(settings, prompt, unknown, writings, final, along)
        if final:
            return
