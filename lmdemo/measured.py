"""All that is measured of variants on one slice of text."""

from collections.abc import Mapping
from dataclasses import dataclass

from lmdemo.evaluation import Comparison
from lmdemo.fidelity import FidelityRun
from lmdemo.machine import Machine
from lmdemo.roofline import Limit


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

    @property
    def computed(self) -> dict[str, int]:
        """How much was read, by all variants together."""
        again = self.fidelity.read * len(self.comparison.results) if self.fidelity else 0
        return {"tokens": self.comparison.computed["tokens"] + again}

    @property
    def final(self) -> bool:
        """Whether all of it is measured."""
        return self.fidelity is not None and self.fidelity.final
