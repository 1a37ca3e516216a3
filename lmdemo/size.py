"""How big a model is: the bytes that `torch.save` writes for its state dict, as the tutorial measures it.

Bytes are counted, not parameters: quantized modules keep packed weights that `parameters()` does not list.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn

MODULES = {"encoder": "embedding", "rnn": "LSTM", "decoder": "decoder"}  # name -> what it is


@dataclass(frozen=True)
class Size:
    """The serialized size of one variant, in bytes."""

    total: int  # the whole state dict in one file
    modules: Mapping[str, int]  # each module saved alone, so with a file's overhead of its own
    ratio: float  # total ÷ the baseline's total


def serialized_size(model: nn.Module) -> int:
    """Bytes of `torch.save(model.state_dict())`."""
    buffer = io.BytesIO()
    torch.save(model.state_dict(), buffer)
    return buffer.tell()


def sizes(models: Mapping[str, nn.Module]) -> dict[str, Size]:
    """The size of each model, compared with the first."""
    totals = {name: serialized_size(model) for name, model in models.items()}
    baseline = next(iter(totals.values()))
    return {
        name: Size(
            total=totals[name],
            modules={module: serialized_size(model.get_submodule(module)) for module in MODULES},
            ratio=totals[name] / baseline,
        )
        for name, model in models.items()
    }
