"""Weights rounded to few bits, in simulation: what 8 bits and fewer cost, without a kernel for each.

A weight matrix becomes integers times a scale, and is turned back into fp32 at once. The model that comes out computes
in fp32 as before: its outputs tell what rounding the weights does, and its speed tells nothing. Activations, biases and
the state stay as they are, so 8 bits here are int8's weights without int8's activations.

Rounding is symmetric, around 0: integer = weight / scale to the nearest, a tie to the even one, held within the range.

| bits | scale | integers |
|---|---|---|
| 8 | greatest magnitude / 127.5 | -128 … 127 |
| b < 8 | greatest magnitude / (2**(b - 1) - 1) | ±(2**(b - 1) - 1) |

At 8 bits that is what torch's dynamic quantization does, to the last bit, with one scale a tensor as with one a row.
Its rule has one integer more below 0 than above, and the greatest weight half a step beyond the last one. With fewer
bits that half step would be a large part of the range, so there the grid is the same on both sides and the greatest
weight on it: two bits are -1, 0 and 1.

References
- torch/ao/quantization/observer.py, `MinMaxObserver` and `PerChannelMinMaxObserver` as `default_dynamic_qconfig` and
  `per_channel_dynamic_qconfig` have them for weights (the scale at 8 bits, and that it is never below `EPS`)
- fbgemm/QuantUtils.h, `Quantize`: times 1 / scale in float32, where division would round otherwise now and then
- Jacob et al. 2018, arXiv:1712.05877, appendix A (a range of weights that is the same on both sides)
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from lmdemo.adoption import adopted
from lmdemo.errors import InputError
from lmdemo.inputs import flag, some_of, whole_number
from lmdemo.model import LSTMModel
from lmdemo.size import MODULES
from lmdemo.weights import DECODER, ENCODER, without_weights

LEAST_BITS, MOST_BITS = 2, 8
MATRICES = tuple(MODULES.values())  # embedding, LSTM, decoder: what may be rounded, each with all its matrices
EPS = torch.finfo(torch.float32).eps  # the least scale, of a matrix or a row that is all 0
FLOAT_BYTES = 4  # of a weight in fp32, and of a scale


@dataclass(frozen=True)
class Rounding:
    """How weights are rounded; making one checks every field and raises `InputError`."""

    bits: int = MOST_BITS
    per_row: bool = False  # a scale of its own for each row of a matrix, else one for the whole matrix
    matrices: tuple[str, ...] = MATRICES  # of `MATRICES`, one or more

    def __post_init__(self) -> None:
        checked = {
            "bits": whole_number("Bits", self.bits, LEAST_BITS, MOST_BITS),
            "per_row": flag("Per_row", self.per_row),
            "matrices": some_of("Matrices", self.matrices, MATRICES),
        }
        if not checked["matrices"]:
            raise InputError(f"Matrices must be one or more of {', '.join(MATRICES)}.")
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    @property
    def range(self) -> tuple[int, int]:
        """The least and the greatest integer that there may be."""
        half = 2 ** (self.bits - 1)
        return (-half if self.bits == MOST_BITS else 1 - half), half - 1


@dataclass(frozen=True, eq=False)
class RoundedMatrix:
    """A matrix as integers and scales: weight ≈ integer × scale."""

    integers: Tensor  # (rows, columns) int8
    scales: Tensor  # (rows, 1) float32, or (1, 1) where the matrix has one

    @property
    def weights(self) -> Tensor:
        """What the integers stand for, (rows, columns) float32."""
        return self.integers * self.scales


def round_weights(
    model: torch.nn.Module, bits: int, per_row: bool = False, matrices: Sequence[str] = MATRICES
) -> LSTMModel:
    """An fp32 model with the weights of `model` rounded to `bits`; what is not rounded is `model`'s own.

    Args:
        model: an `LSTMModel`, or one of the tutorial's own class; it stays as it is.
        bits: 2 to 8.
        per_row: one scale a row of a matrix, else one a matrix.
        matrices: a list of one or more of embedding, LSTM, decoder.

    Raises:
        InputError: a field is out of its range.
        VariantError: the model is of another kind or not in fp32.
    """
    rounding, model = Rounding(bits, per_row, matrices), adopted(model)
    return with_weights(model, rounded_weights(model, rounding))


def rounded_weights(model: LSTMModel, rounding: Rounding) -> dict[str, Tensor]:
    """The weights that `rounding` changes, by name, in fp32."""
    return {
        name: round_matrix(weight, rounding).weights
        for name, weight in matrices_of(model).items()
        if kind_of(name) in rounding.matrices
    }


def with_weights(model: LSTMModel, weights: Mapping[str, Tensor]) -> LSTMModel:
    """`model` with other `weights`, in eval mode; the rest is shared. A tie holds only if both are the same still."""
    tied = model.tied and (ENCODER in weights) == (DECODER in weights)
    other = without_weights(replace(model.config, tied=tied))
    other.load_state_dict({**model.state_dict(), **weights}, assign=True)
    if tied:
        other.tie()  # each name was given a parameter of its own
    return other.eval()


def matrices_of(model: LSTMModel) -> dict[str, Tensor]:
    """The matrices that may be rounded, (rows, columns) each, by name, in the order in which they are used."""
    return {name: weight for name, weight in model.state_dict().items() if weight.dim() == 2}


def kind_of(name: str) -> str:
    """Which of `MATRICES` the matrix of that name is of."""
    return MODULES[name.partition(".")[0]]


def round_matrix(weight: Tensor, rounding: Rounding) -> RoundedMatrix:
    """A matrix (rows, columns) float32 rounded; see the module's docstring."""
    greatest = weight.abs().amax(1, keepdim=True) if rounding.per_row else weight.abs().amax().view(1, 1)
    least, most = rounding.range
    steps = (most - least) / 2  # 127.5 at 8 bits
    scales = (greatest / steps).clamp_(min=EPS)
    integers = (weight * scales.reciprocal()).round_().clamp_(least, most)
    return RoundedMatrix(integers.to(torch.int8), scales)


def packed_bytes(weight: Tensor, rounding: Rounding) -> int:
    """Bytes of a matrix (rows, columns) as integers without gaps between them, and its scales in fp32."""
    scales = len(weight) if rounding.per_row else 1
    return -(-weight.numel() * rounding.bits // 8) + FLOAT_BYTES * scales


def bytes_saved(model: LSTMModel, rounding: Rounding) -> int:
    """Bytes by which fp32's matrices shrink if those of `rounding` are packed; below 0 where they grow.

    A matrix that embedding and decoder share is stored once, until one of the two is rounded and the other not.
    """
    after = 0
    for name, weight in matrices_of(model).items():
        chosen = kind_of(name) in rounding.matrices
        shared = model.tied and name == DECODER
        if not shared or chosen != ("embedding" in rounding.matrices):
            after += packed_bytes(weight, rounding) if chosen else weight.nbytes
    return stored_bytes(model) - after


def stored_bytes(model: LSTMModel) -> int:
    """Bytes of the matrices in fp32, each stored once."""
    return sum(weight.nbytes for name, weight in matrices_of(model).items() if not (model.tied and name == DECODER))


@dataclass(frozen=True)
class RoundedRow:
    """One row of a matrix before and after, and what became of the whole matrix."""

    name: str  # of the matrix
    rounding: Rounding
    shape: tuple[int, int]
    row: int  # from 0
    weights: tuple[float, ...]  # of the row, in fp32
    integers: tuple[int, ...]  # that they become
    scale: float  # of the row
    counts: Mapping[int, int]  # weights of the whole matrix by the integer that they become; those that occur
    snr: (
        float  # signal to noise of the whole matrix in dB, 10 log10(sum w**2 / sum (w - rounded)**2); inf without noise
    )

    @property
    def errors(self) -> tuple[float, ...]:
        """What each weight of the row is off by: what its integer stands for, less the weight."""
        both = zip(self.integers, self.weights, strict=True)
        return tuple(integer * self.scale - weight for integer, weight in both)

    @property
    def zero(self) -> float:
        """The share of the matrix that became 0, 0 to 1."""
        return self.counts.get(0, 0) / sum(self.counts.values())

    @property
    def within(self) -> int:
        """The least distance from 0 within which 99 of 100 integers of the matrix lie."""
        reached, wanted = 0, 0.99 * sum(self.counts.values())
        for distance in range(self.rounding.range[1] + 2):
            reached += sum(self.counts.get(integer, 0) for integer in {distance, -distance})
            if reached >= wanted:
                break
        return distance


def round_row(model: LSTMModel, name: object, row: object, rounding: Rounding) -> RoundedRow:
    """What `rounding` does to a row of one matrix of `model`, whichever matrices it names.

    Args:
        model: as it is in fp32.
        name: one of `matrices_of`.
        row: from 0.
        rounding: its bits and its scales.

    Raises:
        InputError: no such matrix, or no such row.
    """
    matrices = matrices_of(model)
    if not isinstance(name, str) or name not in matrices:
        raise InputError(f"Matrix must be one of {', '.join(matrices)}.")
    weight = matrices[name]
    row = whole_number("Row", row, 0, len(weight) - 1)
    found = round_matrix(weight, rounding)
    counts = torch.bincount(found.integers.flatten().view(torch.uint8), minlength=256).tolist()  # sorting takes longer
    noise = (found.weights - weight).square().sum(dtype=torch.float64).item()
    signal = weight.square().sum(dtype=torch.float64).item()
    return RoundedRow(
        name=name,
        rounding=rounding,
        shape=tuple(weight.shape),
        row=row,
        weights=tuple(weight[row].tolist()),
        integers=tuple(found.integers[row].tolist()),
        scale=found.scales.expand(len(weight), 1)[row].item(),
        counts={integer: counts[integer] for integer in range(-128, 128) if counts[integer]},  # below 0 from the end
        snr=10 * math.log10(signal / noise) if noise and signal else math.inf,
    )
