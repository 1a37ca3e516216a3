"""The memory that a variant holds in this process: another figure than its file's size.

Quantized weights are kept as the engine packs them, which may pad them to twice their bytes, and a packed variant has
copies of its weights beside its modules, in the order in which they are read. Counted is what would be there if no
other variant were. What a run needs besides, its state and its logits, is not in it, nor what the libraries keep for
themselves.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import nn

from lmdemo.choosing import ROWS
from lmdemo.model import LSTMModel


@dataclass(frozen=True)
class Held:
    """Bytes of one variant."""

    tensors: int  # of its modules, each once; those that it shares with fp32 are counted here too
    packed: int  # what building it took from the heap: integers as the engine packs them, weights laid out anew
    kernel: int  # of what its ways hold besides, found when it is first run

    @property
    def total(self) -> int:
        """All of it."""
        return self.tensors + self.packed + self.kernel


@runtime_checkable
class Besides(Protocol):
    """A model that holds more than it was built with."""

    held_by_ways: int | None  # bytes; 0 before it is first run, None where they cannot be told


def warm_up(model: LSTMModel) -> None:
    """Let the libraries of matrix products make what they keep for themselves: no variant is to be charged with it."""
    with torch.inference_mode():
        outputs = torch.zeros(ROWS, model.config.nhid)
        for rows in (outputs, outputs[:1]):
            model.decoder(rows)
        model.rnn(torch.zeros(ROWS, 1, model.config.ninp), model.init_hidden(1))


def held(model: nn.Module, grown: int | None) -> Held | None:
    """What a variant holds, given by how much the heap grew as it was built; None where the system does not tell."""
    besides = model.held_by_ways if isinstance(model, Besides) else 0
    if grown is None or besides is None:
        return None
    return Held(sum(parameter.nbytes for parameter in model.parameters()), grown, besides)
