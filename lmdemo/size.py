"""How big a model is: the bytes that `torch.save` writes for its state dict, as the tutorial measures it.

Bytes are counted, not parameters: quantized modules keep packed weights that `parameters()` does not list.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lmdemo.pausing import pause_here

MODULES = {"encoder": "embedding", "rnn": "LSTM", "decoder": "decoder"}  # name -> what it is


@dataclass(frozen=True)
class Size:
    """The serialized size of one variant, in bytes."""

    total: int  # the whole state dict in one file
    modules: Mapping[str, int]  # each module saved alone, so with a file's overhead of its own
    ratio: float  # total ÷ the baseline's total
    shared: int = 0  # of the matrix that tied embedding and decoder share: in both of `modules`, once in `total`

    @property
    def parts(self) -> Mapping[str, int]:
        """`modules` with a shared matrix counted once, with the embedding: what the whole file is made of."""
        return {**self.modules, "decoder": self.modules["decoder"] - self.shared}


def serialized_size(model: nn.Module) -> int:
    """Bytes of `torch.save(model.state_dict())`."""
    return _saved(model.state_dict())


def sizes(models: Mapping[str, nn.Module]) -> dict[str, Size]:
    """The size of each model, compared with the first."""
    totals = {name: serialized_size(model) for name, model in models.items()}
    baseline = next(iter(totals.values()))
    return {
        name: Size(
            total=totals[name],
            modules={module: serialized_size(model.get_submodule(module)) for module in MODULES},
            ratio=totals[name] / baseline,
            shared=_shared(model),
        )
        for name, model in models.items()
    }


def exact_sizes(models: Mapping[str, nn.Module]) -> dict[str, Size]:
    """As `sizes`, but of each module what it adds to the file of those before it: these come to the total exactly.

    A matrix that the decoder shares with the embedding is the embedding's.
    """
    found: dict[str, Size] = {}
    for name, model in models.items():
        state = model.state_dict()
        encoder = _saved({key: value for key, value in state.items() if key.startswith("encoder.")})
        without = _saved({key: value for key, value in state.items() if not key.startswith("decoder.")})
        total = _saved(state)
        added = {"encoder": encoder, "rnn": without - encoder, "decoder": total - without}
        found[name] = Size(total, added, ratio=total / next(iter(found.values())).total if found else 1.0)
    return found


def alike(measured: Mapping[str, Size]) -> dict[tuple[str, ...], Size]:
    """The sizes, variants with the same bytes together: a packed one's file is that of its modules."""
    names: dict[tuple[object, ...], tuple[str, ...]] = {}
    for name, size in measured.items():
        same = size.total, *size.modules.values(), size.shared
        names[same] = (*names.get(same, ()), name)
    return {together: measured[together[0]] for together in names.values()}


class _Counter(io.RawIOBase):
    """A file that nothing is kept of but its length."""

    def __init__(self) -> None:
        self.bytes = 0

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, data: bytes) -> int:
        """Count them."""
        self.bytes += len(data)
        return len(data)


def _saved(state: Mapping[str, object]) -> int:
    """Bytes that `torch.save` writes of a state dict."""
    pause_here()
    counter = _Counter()
    torch.save(state, counter)
    return counter.bytes


def _shared(model: nn.Module) -> int:
    """Bytes of the matrix of embedding and decoder, if it is one; quantizing makes a matrix of its own of each."""
    one, other = model.encoder.weight, model.decoder.weight  # of a quantized module it is a method
    tied = isinstance(one, Tensor) and isinstance(other, Tensor) and one.is_set_to(other)
    return one.nbytes if tied else 0
