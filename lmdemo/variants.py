"""The table of variants: what each is, and how it is built from an fp32 model.

The only file that names `quantize_dynamic`. Building never changes the model it starts from. It knows
nothing of files, text or timing.

`torch.ao.quantization` works in the pinned torch and says that it will be removed; torchao, named as its
successor, has no LSTM. So its deprecation warnings are silenced here, and nowhere else
(https://github.com/pytorch/ao/issues/2259, https://github.com/pytorch/pytorch/issues/184982).

Reference: the tutorial "Dynamic Quantization on an LSTM Word Language Model" (pytorch/tutorials)
"""

import copy
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from inspect import getdoc
from types import MappingProxyType

import torch
from torch import nn
from torch.ao.nn.quantized.dynamic import LSTM as DynamicQuantizedLSTM
from torch.ao.nn.quantized.dynamic import Linear as DynamicQuantizedLinear

from lmdemo.errors import VariantError
from lmdemo.model import LSTMModel


@dataclass(frozen=True)
class Variant:
    """One row of the table."""

    name: str
    build: Callable[[LSTMModel], nn.Module]

    @property
    def description(self) -> str:
        """What it is, for the page: the docstring of the function that builds it."""
        return getdoc(self.build) or ""


def fp32(model: LSTMModel) -> nn.Module:
    """The model as trained: every weight a 32-bit float, every product in fp32."""
    return model


def int8(model: LSTMModel) -> nn.Module:
    """The tutorial's call: LSTM and Linear weights as 8-bit integers, activations quantized as they come.

    The embedding stays in fp32.
    """
    with _deprecations_silenced():
        # in place, on a copy that shares its weights with fp32: the call alone would copy the embedding too
        quantized = torch.ao.quantization.quantize_dynamic(
            _sharing_weights(model), {nn.LSTM, nn.Linear}, dtype=torch.qint8, inplace=True
        )
    _require(quantized, DynamicQuantizedLSTM, "LSTM")
    _require(quantized, DynamicQuantizedLinear, "Linear")
    return quantized


BASELINE = "fp32"
_TABLE = {build.__name__: Variant(build.__name__, build) for build in (fp32, int8)}
VARIANTS: Mapping[str, str] = MappingProxyType({name: row.description for name, row in _TABLE.items()})


def build_variants(model: LSTMModel, names: Iterable[str] = tuple(_TABLE)) -> dict[str, nn.Module]:
    """Build the named variants of an fp32 `model`, in the order named.

    Raises:
        VariantError: a name is not in `VARIANTS`, or there was nothing to quantize.
    """
    names = list(names)
    if not names or any(name not in _TABLE for name in names):
        raise VariantError(f"Variants: choose one or more of {', '.join(_TABLE)}.")
    return {name: _TABLE[name].build(model) for name in names}


@dataclass(frozen=True)
class QuantizedWeight:
    """How one weight tensor was quantized: value ≈ scale × (integer − zero point)."""

    name: str
    shape: tuple[int, ...]
    scale: float
    zero_point: int
    least: int  # smallest integer that occurs
    most: int  # largest


def quantized_weights(model: nn.Module) -> list[QuantizedWeight]:
    """The weights of a quantized model that have one scale a tensor, in the order they are used."""
    found: list[tuple[str, torch.Tensor]] = []
    for name, module in model.named_modules():
        if isinstance(module, DynamicQuantizedLSTM):
            found += [(f"{name}.{key}", weight) for key, weight in module.get_weight().items()]
        elif isinstance(module, DynamicQuantizedLinear):
            found.append((f"{name}.weight", module.weight()))
    return [
        QuantizedWeight(
            name, tuple(w.shape), w.q_scale(), w.q_zero_point(), int(w.int_repr().min()), int(w.int_repr().max())
        )
        for name, w in found
    ]


def _sharing_weights(model: LSTMModel) -> LSTMModel:
    """A copy whose modules can be replaced, with the weights of `model` themselves in it."""
    return copy.deepcopy(model, {id(weight): weight for weight in model.parameters()})


def _require(model: nn.Module, kind: type[nn.Module], name: str) -> None:
    if not any(isinstance(module, kind) for module in model.modules()):
        raise VariantError(f"quantize_dynamic found no {name} to replace in this model.")


@contextmanager
def _deprecations_silenced() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"torch\.ao\.quantization is deprecated", DeprecationWarning)
        warnings.filterwarnings("ignore", r"torch\.quantize_per_tensor, .* are deprecated", UserWarning)
        yield
