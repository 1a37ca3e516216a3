"""All that is measured of variants on one slice of text."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from torch import nn

from lmdemo.checkpoint import Checkpoint
from lmdemo.evaluation import Comparison, compare
from lmdemo.fidelity import FidelityRun, fidelity
from lmdemo.held import Held
from lmdemo.inference import Pause
from lmdemo.latency import Latencies, write_in_turns
from lmdemo.machine import Machine
from lmdemo.passages import stretches
from lmdemo.roofline import Limit
from lmdemo.size import serialized_size
from lmdemo.text import Vocabulary, shown, spaced


@dataclass(frozen=True)
class Evaluation:
    """A snapshot of variants timed in reading and in writing, then held against fp32; the last one is `final`."""

    checkpoint: str  # its name
    revision: str | None
    machine: Machine
    comparison: Comparison
    limits: Mapping[str, Limit]  # empty until this machine has been measured
    writing: Latencies | None = None  # begins when reading has been timed
    fidelity: FidelityRun | None = None  # begins when writing has been
    unknown_share: float = 0.0  # of the test text's words, that the vocabulary does not have
    held: Mapping[str, Held] = field(default_factory=dict)  # memory; known at the end, where the system tells
    files: Mapping[str, int] = field(default_factory=dict)  # bytes that torch.save writes; known at the end
    available: int = 0  # words that the test text has to predict
    texts: tuple[str, ...] = ()  # to read, of each stretch that `fidelity` has a point of its course for

    @property
    def computed(self) -> dict[str, int]:
        """How much was read, and written, by all variants together."""
        variants = len(self.comparison.results)
        again = self.fidelity.read * variants if self.fidelity else 0
        written = self.writing.words * variants if self.writing else 0
        return {"tokens": self.comparison.computed["tokens"] + again, "words": written}

    @property
    def sound(self) -> bool:
        """Whether what was timed so far, in reading and in writing, may be believed."""
        return self.comparison.sound and (self.writing is None or self.writing.sound)

    @property
    def final(self) -> bool:
        """Whether all of it is measured."""
        return self.fidelity is not None and self.fidelity.final


@dataclass(frozen=True)
class Measuring:
    """What is to be measured: variants of a checkpoint, the first `tokens` words of its test text, in windows."""

    checkpoint: Checkpoint
    models: Mapping[str, nn.Module]
    machine: Machine
    tokens: int
    window: int
    by_word: bool = False  # whether fidelity's figures of every word are kept

    def steps(
        self,
        pause: Pause,
        beside: Pause,
        limits: Callable[[], Mapping[str, Limit]],
        held: Callable[[], Mapping[str, Held]],
    ) -> Iterator[Evaluation]:
        """Time reading, then writing, then hold each variant against the first; snapshots, the last one final.

        Args:
            pause: called between pieces of some milliseconds; what it raises ends the run there.
            beside: called after each block that was read, outside its time.
            limits: what this machine allows each variant, as far as it is known.
            held: the memory that each holds, asked when all have been run.
        """
        checkpoint, ids = self.checkpoint, self.checkpoint.test_ids[: self.tokens + 1]
        for comparison in compare(self.models, ids, self.window, pause, beside=beside):
            evaluation = Evaluation(
                checkpoint.name,
                checkpoint.revision,
                self.machine,
                comparison,
                limits(),
                unknown_share=checkpoint.unknown_share,
                available=len(checkpoint.test_ids) - 1,
            )
            yield evaluation
        for writing in write_in_turns(self.models, checkpoint.vocabulary, comparison.order_seed, pause):
            evaluation = replace(evaluation, writing=writing)
            yield evaluation
        for run in fidelity(self.models, ids, self.window, pause, self.by_word):
            evaluation = replace(evaluation, fidelity=run)
            if run.final:
                memory = {name: one for name, one in held().items() if name in self.models}
                texts = readable(checkpoint.vocabulary, ids[1:].tolist())
                files = {name: serialized_size(model) for name, model in self.models.items()}
                evaluation = replace(evaluation, held=memory, files=files, texts=texts)
            yield evaluation


def readable(vocabulary: Vocabulary, ids: Sequence[int]) -> tuple[str, ...]:
    """Each stretch of a text, to read; its paragraphs run on, with a mark between them."""
    pieces = spaced([shown(vocabulary.words[number]) for number in ids])
    parts = ("".join(pieces[place.start : place.stop]) for place in stretches(len(pieces)))
    return tuple(part.strip().replace("\n\n", " ¶ ") for part in parts)
