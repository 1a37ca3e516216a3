"""All that is measured of variants on one slice of text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lmdemo.evaluation import Comparison
from lmdemo.fidelity import FidelityRun
from lmdemo.machine import Machine
from lmdemo.passages import stretches
from lmdemo.roofline import Limit
from lmdemo.text import Vocabulary, shown, spaced


@dataclass(frozen=True)
class Evaluation:
    """A snapshot of variants timed, then held against fp32, on one slice; the last one is `final`."""

    checkpoint: str  # its name
    revision: str | None
    machine: Machine
    comparison: Comparison
    limits: Mapping[str, Limit]  # empty until this machine has been measured
    fidelity: FidelityRun | None = None  # begins when the timing has ended
    unknown_share: float = 0.0  # of the test text's words, that the vocabulary does not have
    texts: tuple[str, ...] = ()  # to read, of each stretch that `fidelity` has a point of its course for

    @property
    def computed(self) -> dict[str, int]:
        """How much was read, by all variants together."""
        again = self.fidelity.read * len(self.comparison.results) if self.fidelity else 0
        return {"tokens": self.comparison.computed["tokens"] + again}

    @property
    def final(self) -> bool:
        """Whether all of it is measured."""
        return self.fidelity is not None and self.fidelity.final


def readable(vocabulary: Vocabulary, ids: Sequence[int]) -> tuple[str, ...]:
    """Each stretch of a text, to read; its paragraphs run on, with a mark between them."""
    pieces = spaced([shown(vocabulary.words[number]) for number in ids])
    parts = ("".join(pieces[place.start : place.stop]) for place in stretches(len(pieces)))
    return tuple(part.strip().replace("\n\n", " ¶ ") for part in parts)
