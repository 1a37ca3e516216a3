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
from dataclasses import dataclass, replace
from inspect import getdoc
from types import MappingProxyType

import torch
from torch import nn
from torch.ao.nn.quantized.dynamic import LSTM as DynamicQuantizedLSTM
from torch.ao.nn.quantized.dynamic import Linear as DynamicQuantizedLinear
from torch.ao.quantization import (
    default_dynamic_qconfig,
    float_qparams_weight_only_qconfig,
    float_qparams_weight_only_qconfig_4bit,
    per_channel_dynamic_qconfig,
)

from lmdemo.adoption import adopted
from lmdemo.engine import engine
from lmdemo.errors import VariantError
from lmdemo.model import LSTMModel
from lmdemo.packed_fp32 import PackedFp32Model
from lmdemo.packed_int8 import PackedInt8Model
from lmdemo.pausing import PausesBetweenCalls


@dataclass(frozen=True)
class Variant:
    """One row of the table."""

    name: str
    build: Callable[[LSTMModel], nn.Module]
    quantized: bool  # its LSTM and decoder multiply in int8

    @property
    def description(self) -> str:
        """What it is, for the page: the docstring of the function that builds it."""
        return getdoc(self.build) or ""


def variant(name: str, *, quantized: bool) -> Callable[[Callable[[LSTMModel], nn.Module]], Variant]:
    """Makes of the function that builds a variant the row of that name."""
    return lambda build: Variant(name, build, quantized)


@variant("fp32", quantized=False)
def fp32(model: LSTMModel) -> nn.Module:
    """The model as trained: every weight a 32-bit float, every product in fp32."""
    return model


@variant("fp32-packed", quantized=False)
def fp32_packed(model: LSTMModel) -> nn.Module:
    """The same fp32 weights, laid out for this CPU: the fair baseline.

    Same outputs; each product done in the way that a short measurement found fastest here.
    """
    return PackedFp32Model(model)


@variant("int8", quantized=True)
def int8(model: LSTMModel) -> nn.Module:
    """The tutorial's call: LSTM and Linear weights as 8-bit integers, activations quantized as they come.

    The embedding stays in fp32.
    """
    with _quantizing():
        # in place, on a copy that shares its weights with fp32: the call alone would copy the embedding too
        return torch.ao.quantization.quantize_dynamic(
            _sharing_weights(model), {nn.LSTM, nn.Linear}, dtype=torch.qint8, inplace=True
        )


@variant("int8-packed", quantized=True)
def int8_packed(model: LSTMModel) -> nn.Module:
    """The same integers as int8, multiplied in the way that a short measurement found fastest here.

    Same outputs: what stock int8 could be.
    """
    return PackedInt8Model(int8.build(model))


@variant("int8-per-channel", quantized=True)
def int8_per_channel(model: LSTMModel) -> nn.Module:
    """As int8, with a scale of its own for each row of a weight instead of one for the whole tensor.

    The embedding stays in fp32.
    """
    return _with_configs(model, {nn.LSTM: per_channel_dynamic_qconfig, nn.Linear: per_channel_dynamic_qconfig})


@variant("int8-embedding", quantized=True)
def int8_embedding(model: LSTMModel) -> nn.Module:
    """As int8, with the embedding in 8 bits too.

    Each word's row has a scale and a zero point of its own, and is turned back into fp32 when it is looked up.
    """
    return _with_configs(model, _INT8 | {nn.Embedding: float_qparams_weight_only_qconfig})


@variant("int4-embedding", quantized=True)
def int4_embedding(model: LSTMModel) -> nn.Module:
    """As int8, with the embedding in 4 bits: two weights a byte.

    Each word's row has a scale and a zero point of its own, and is turned back into fp32 when it is looked up.
    """
    quantized = _with_configs(model, _INT8 | {nn.Embedding: float_qparams_weight_only_qconfig_4bit})
    # quantize_dynamic leaves these two at 8 bits, and a lookup then returns rows of the wrong width
    quantized.encoder.dtype = quantized.encoder._packed_params.dtype = torch.quint4x2
    return quantized


_INT8 = {nn.LSTM: default_dynamic_qconfig, nn.Linear: default_dynamic_qconfig}
_ROWS = (fp32, fp32_packed, int8, int8_packed, int8_per_channel, int8_embedding, int4_embedding)
BASELINE = fp32.name
FAIR = fp32_packed.name  # the baseline that owes nothing to a slow path
TUTORIAL = (fp32.name, int8.name)  # the two that the tutorial compares
_TABLE = {row.name: row for row in _ROWS}
VARIANTS: Mapping[str, str] = MappingProxyType({name: row.description for name, row in _TABLE.items()})


def build_variants(model: nn.Module, names: Iterable[str] = tuple(_TABLE)) -> dict[str, nn.Module]:
    """Build the named variants of an fp32 `model`, in the order named.

    Args:
        model: an `LSTMModel`, or one of the tutorial's own class, around whose modules one is put.

    Raises:
        VariantError: a name is not in `VARIANTS`, the model is of another kind or not in fp32, or this platform's
            quantized engine cannot build or run it.
    """
    names, model = check_names(names), adopted(model)
    return {name: _build(name, model) for name in names}


def available(model: LSTMModel) -> tuple[tuple[str, ...], dict[str, str]]:
    """The variants of `model` that this platform can build and run, and for each of the others the reason.

    Tried on two words and a layer of its widths, for milliseconds: what an engine lacks shows on these too.

    Raises:
        VariantError: one of the tutorial's two is not among them.
    """
    with torch.random.fork_rng(devices=()):  # its weights do not matter; the caller's random numbers do
        sliver = LSTMModel.from_config(replace(model.config, ntoken=2, nlayers=1)).eval()
    unavailable: dict[str, str] = {}
    for name in _TABLE:
        try:
            _build(name, sliver)
        except VariantError as error:
            if name in TUTORIAL:
                raise
            unavailable[name] = str(error)
    return tuple(name for name in _TABLE if name not in unavailable), unavailable


def check_names(names: Iterable[str]) -> list[str]:
    """`names` as a list, or `VariantError` if one is not in the table."""
    names = list(names)
    if not names or any(name not in _TABLE for name in names):
        raise VariantError(f"Variants: choose one or more of {', '.join(_TABLE)}.")
    return names


def packed_form(name: str) -> str | None:
    """The variant that is `name` done as well as we can; None if there is none."""
    packed = f"{name}-packed"
    return packed if packed in _TABLE else None


def is_quantized(name: str) -> bool:
    """Whether the LSTM and decoder of a variant of the table multiply in int8."""
    return _TABLE[name].quantized


def _build(name: str, model: LSTMModel) -> nn.Module:
    """Build one variant and let it read two words: some engines build what they cannot run."""
    try:
        variant = _TABLE[name].build(model)
        _require_replaced(name, variant)
        with torch.inference_mode():
            variant(torch.zeros(2, 1, dtype=torch.int64), variant.init_hidden(1))
    except (RuntimeError, ValueError) as error:
        raise VariantError(f"{name} cannot run here: the quantized engine {engine()} does not support it.") from error
    return variant


def _require_replaced(name: str, variant: nn.Module) -> None:
    """A quantized variant in which nothing was swapped would be fp32 under another name."""
    if not is_quantized(name):
        return
    for kind, module in ((DynamicQuantizedLSTM, "LSTM"), (DynamicQuantizedLinear, "Linear")):
        if not any(isinstance(part, kind) for part in variant.modules()):
            raise VariantError(f"quantize_dynamic found no {module} to replace in this model.")


def square_linear(width: int) -> nn.Module:
    """An int8 linear layer of `width` × `width`, to measure how fast this machine multiplies such matrices."""
    layer = nn.Sequential(nn.Linear(width, width, bias=False))
    with _quantizing():
        return torch.ao.quantization.quantize_dynamic(layer, {nn.Linear}, dtype=torch.qint8)[0]


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


def _with_configs(model: LSTMModel, configs: Mapping[type[nn.Module], object]) -> nn.Module:
    with _quantizing():
        return torch.ao.quantization.quantize_dynamic(_sharing_weights(model), dict(configs), inplace=True)


def _sharing_weights(model: LSTMModel) -> LSTMModel:
    """A copy whose modules can be replaced, with the weights of `model` themselves in it."""
    return copy.deepcopy(model, {id(weight): weight for weight in model.parameters()})


@contextmanager
def _quantizing() -> Iterator[None]:
    """The engine is chosen, and the deprecations are silent; between torch's calls it can be ended."""
    with warnings.catch_warnings(), PausesBetweenCalls():
        warnings.filterwarnings("ignore", r"torch\.ao\.quantization is deprecated", DeprecationWarning)
        warnings.filterwarnings("ignore", r"torch\.quantize_per_tensor, .* are deprecated", UserWarning)
        engine()
        yield
