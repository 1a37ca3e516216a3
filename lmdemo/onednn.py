"""Linear layers and LSTMs with weights that oneDNN has packed beforehand: linear layers in fp32 and in int8.

torch's own compiler uses these operators; they have no public name, which is why they stand here and nowhere else.
What they compute is what `F.linear`, `nn.LSTM` and a dynamically quantized linear layer compute, to rounding; packing
once instead of at each call, and kernels that take several rows at a time, make them faster for windows of text.

Reference: torch/_inductor/fx_passes (mkldnn_fusion.py, quantization.py)
"""

import os
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.ao.nn.quantized.dynamic import Linear as DynamicQuantizedLinear

from lmdemo.pausing import pause_here

LEAST, MOST = 0, 127  # the integers that an activation may become: 7 of 8 bits, as torch's dynamic layers have it
SMALLEST_SCALE = 6.1e-5
LSTM_MODE = 2  # of aten's kinds of recurrent networks
REVERSE = BIDIRECTIONAL = BATCH_FIRST = TRAIN = False
BIASES = True
NO_SCALE = 0.1  # where all activations are 0, and any would do
# Of what is prepared for operators of one shape: how much oneDNN keeps, and torch's layer over it for each thread. All
# variants of a checkpoint, read in two windows and writing, need fewer. At 0 torch ends with a fault of memory.
KEPT = {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "32", "LRU_CACHE_CAPACITY": "4"}


def available() -> bool:
    """Whether this build of torch has oneDNN, and it is not turned off."""
    return torch.backends.mkldnn.is_available() and torch.backends.mkldnn.enabled


def keep_little() -> None:
    """Let oneDNN keep what it prepared for the last few shapes of operators, instead of for a thousand twice over.

    That is half a megabyte or more for each, so that every other shape of model would leave some MB. It holds if it is
    said before the first operator runs; what the environment has already stays.
    """
    for name, count in KEPT.items():
        os.environ.setdefault(name, count)


def packed_linear(weight: Tensor, bias: Tensor | None, rows: int) -> Callable[[Tensor], Tensor]:
    """`F.linear` with a weight packed for about `rows` rows at a time."""
    pause_here()
    packed = torch.ops.mkldnn._reorder_linear_weight(weight, rows)
    linear = torch.ops.mkldnn._linear_pointwise.default
    return lambda inputs: linear(inputs, packed, bias, "none", [], "")


class PackedLSTM:
    """What `nn.LSTM` computes for one text; its weights are packed once, for about `words` words, not at each call."""

    def __init__(self, rnn: nn.LSTM, words: int) -> None:
        self._width = rnn.hidden_size
        self._layer = torch.ops.aten.mkldnn_rnn_layer.default
        self._weights: list[tuple[Tensor, ...]] = []  # of each layer: both packed, both biases
        for layer in range(rnn.num_layers):
            pause_here()
            w_ih, w_hh, *biases = (
                getattr(rnn, f"{name}_l{layer}").detach() for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            )
            packed = torch.ops.mkldnn._reorder_mkldnn_rnn_layer_weight(
                w_ih, w_hh, self._width, REVERSE, BIASES, BATCH_FIRST, [words, 1, w_ih.shape[1]]
            )
            self._weights.append((*packed, *biases))

    def __call__(self, inputs: Tensor, hidden: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """From (T, 1, inputs) and a state of (nlayers, 1, nhid) each to (T, 1, nhid) and the next state."""
        after: list[tuple[Tensor, Tensor]] = []
        for weights, h, c in zip(self._weights, hidden[0].unsqueeze(1), hidden[1].unsqueeze(1), strict=True):
            inputs, *state, _workspace = self._layer(
                inputs,
                *weights,
                h,
                c,
                REVERSE,
                [],
                LSTM_MODE,
                self._width,
                1,
                BIASES,
                BIDIRECTIONAL,
                BATCH_FIRST,
                TRAIN,
            )
            after.append(tuple(part.view(1, -1) for part in state))
        return inputs, tuple(map(torch.stack, zip(*after, strict=True)))


class Int8Linear:
    """A dynamically quantized linear layer on the same integers, for about `rows` rows at a time."""

    def __init__(self, layer: DynamicQuantizedLinear, rows: int) -> None:
        pause_here()
        weight = layer.weight()
        integers = weight.int_repr()
        self._packed = torch.ops.onednn.qlinear_prepack(integers, [rows, integers.shape[1]])
        per_row = weight.qscheme() == torch.per_channel_affine
        self._scales = weight.q_per_channel_scales().float() if per_row else torch.tensor([weight.q_scale()])
        self._zero_points = torch.zeros(len(self._scales), dtype=torch.int64)  # symmetric, as the default is
        self._bias = layer.bias()
        self._linear = torch.ops.onednn.qlinear_pointwise.default

    def __call__(self, inputs: Tensor, window: Tensor) -> Tensor:
        """From (rows, inputs) to (rows, outputs), the activations quantized with the scale of the window of which these
        are rows.
        """
        scale, zero_point = activation_scale(window)
        integers = torch.round(inputs * (1 / scale)).add_(zero_point).clamp_(LEAST, MOST).to(torch.uint8)
        packed, scales, zero_points = self._packed, self._scales, self._zero_points
        return self._linear(
            integers, scale, zero_point, packed, scales, zero_points, self._bias, 1.0, 0, torch.float32, "none", [], ""
        )


def activation_scale(inputs: Tensor) -> tuple[float, int]:
    """Scale and zero point that a dynamic layer takes from its inputs: their range, widened to hold 0.

    As in torch's ChooseQuantizationParams: of the two ends of the range, the zero point is taken from the one that
    loses less to rounding, and rounded to an integer. A scale is not smaller than a threshold.
    """
    low, high = (float(extreme) for extreme in torch.aminmax(inputs))
    low, high = min(low, 0.0), max(high, 0.0)
    scale = (high - low) / (MOST - LEAST)
    if scale == 0.0:
        return NO_SCALE, 0
    from_low, from_high = LEAST - low / scale, MOST - high / scale
    nearer_low = abs(LEAST) + abs(low / scale) < abs(MOST) + abs(high / scale)
    return max(scale, SMALLEST_SCALE), round(min(max(from_low if nearer_low else from_high, LEAST), MOST))
