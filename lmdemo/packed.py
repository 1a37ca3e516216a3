"""The same fp32 weights, laid out for this CPU: what a fair fp32 baseline runs on.

The stock path is slow for reasons that are not fp32's fault. For one word, `F.linear` multiplies in a way that some
libraries do at a fraction of memory speed, and `nn.LSTM` under oneDNN repacks its weights at
every call; for a window, `F.linear` packs the decoder's weight anew each time. Here each of these three pieces of
work has a few ways of doing it. Building a model times them on this machine and keeps the fastest; the choice can
be read from `PackedLSTMModel.choices`. Outputs are those of the stock model up to the order of sums.

It knows nothing of words, sampling or loss.

Reference: https://github.com/pytorch/pytorch/issues/96643 (the slow product)
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lmdemo import onednn
from lmdemo.model import Hidden, LSTMModel
from lmdemo.onednn import Decode

PANEL = 16  # rows of a weight that are multiplied at a time, for one word
ROWS = 100  # of a decoder's product timed, and done at a time when reading
TRIALS = 7  # of each way; the median counts

Step = Callable[[Tensor, Hidden], tuple[Tensor, Hidden]]  # (1, ninp) and a state -> (1, nhid) and the next state
Way = TypeVar("Way", bound=Callable)


@dataclass(frozen=True)
class Choice:
    """One piece of work, the way that was fastest here, and what each way took."""

    work: str
    chosen: str
    seconds: Mapping[str, float]  # median of one call, by way; "stock" is PyTorch's own


class PackedLSTMModel(nn.Module):
    """An `LSTMModel` whose products are arranged for this CPU; modules, weights and state dict are the model's own.

    The arrangement is made from the weights as they are when it is built.
    """

    def __init__(self, model: LSTMModel) -> None:
        super().__init__()
        self.config = model.config
        self.drop, self.encoder, self.rnn, self.decoder = model.drop, model.encoder, model.rnn, model.decoder
        with torch.inference_mode():
            lstm, decoder = (_bytes(module) for module in (model.rnn, model.decoder))
            self.step, step = _fastest_step(model, others=decoder)
            self.decode_word, word = _fastest_word_decoder(model.decoder, others=lstm)
            self.decode_rows, rows = _fastest_rows_decoder(model.decoder)
        self.choices: tuple[Choice, ...] = (step, word, rows)

    def forward(self, input: Tensor, hidden: Hidden) -> tuple[Tensor, Hidden]:
        """As `LSTMModel.forward`: ids (T, B) and a state to logits (T, B, ntoken) and the next state."""
        if input.shape == (1, 1):
            output, hidden = self.step(self.encoder(input[0]), hidden)  # (1, nhid)
            return self.decode_word(output).unsqueeze(0), hidden
        output, hidden = self.rnn(self.encoder(input), hidden)  # (T, B, nhid)
        return self.decode_rows(output.flatten(0, 1)).view(*input.shape, -1), hidden

    init_hidden = LSTMModel.init_hidden  # which needs the configuration alone


def _fastest_word_decoder(decoder: nn.Linear, others: int) -> tuple[Decode, Choice]:
    weight, bias = decoder.weight.detach(), decoder.bias.detach()
    transposed, panels = weight.t().contiguous(), _Panels(weight, bias)
    ways: dict[str, Decode] = {
        "stock": lambda output: F.linear(output, weight, bias),
        "transposed weight": lambda output: torch.addmm(bias, output, transposed),
        f"panels of {PANEL}": panels,
    }
    return fastest("decoder, one word", ways, torch.zeros(1, weight.shape[1]), others=others)


def _fastest_rows_decoder(decoder: nn.Linear) -> tuple[Decode, Choice]:
    weight, bias = decoder.weight.detach(), decoder.bias.detach()
    ways: dict[str, Decode] = {"stock": lambda output: F.linear(output, weight, bias)}
    if onednn.available():
        ways["packed by oneDNN"] = onednn.packed_linear(weight, bias, ROWS)
    return fastest(f"decoder, {ROWS} words", ways, torch.zeros(ROWS, weight.shape[1]))


def _fastest_step(model: LSTMModel, others: int) -> tuple[Step, Choice]:
    hidden = (torch.zeros(model.config.nlayers, 1, model.config.nhid),) * 2

    def stock(word: Tensor, hidden: Hidden) -> tuple[Tensor, Hidden]:
        output, hidden = model.rnn(word.unsqueeze(0), hidden)
        return output[0], hidden

    ways: dict[str, Step] = {
        "stock": stock,
        "a transposed product a layer": _OneProductALayer(model.rnn, _transposed),
        f"a product in panels of {PANEL} a layer": _OneProductALayer(model.rnn, _Panels),
    }
    return fastest("LSTM, one word", ways, torch.zeros(1, model.config.ninp), hidden, others=others)


class _Panels:
    """x W^T + b for one row x, W cut into panels of rows that lie in memory in the order in which they are read.

    A product of one row with a wide transposed matrix is read a few columns at a time, which jumps from page to page
    and defeats the processor's prefetching. A panel's rows, transposed, are one stretch of memory, and so are all
    panels together: the weights stream in at the speed of memory.
    """

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        self.rows, width = weight.shape
        panels = -(-self.rows // PANEL)
        padded = weight.new_zeros(panels * PANEL, width + 1)  # the last panel is filled up
        padded[: self.rows] = torch.cat([weight, bias.unsqueeze(1)], 1)
        split = padded.view(panels, PANEL, width + 1)
        self.weight = split[..., :width].transpose(1, 2).contiguous()  # (panels, width, PANEL)
        self.bias = split[..., width:].transpose(1, 2).contiguous()  # (panels, 1, PANEL)

    def __call__(self, row: Tensor) -> Tensor:
        """From (1, width) to (1, rows)."""
        products = torch.baddbmm(self.bias, row.expand(len(self.weight), *row.shape), self.weight)
        return products.view(1, -1)[:, : self.rows]


def _transposed(weight: Tensor, bias: Tensor) -> Decode:
    transposed = weight.t().contiguous()
    return lambda row: torch.addmm(bias, row, transposed)


class _OneProductALayer:
    """An LSTM step with one matrix product a layer: [input, hidden] × the weights, joined.

    gates = W_ih x + b_ih + W_hh h + b_hh;  c' = σ(f) c + σ(i) tanh(g);  h' = σ(o) tanh(c')  (torch.nn.LSTM)
    The gates are reordered to i, f, o, g, so that the three under a sigmoid lie side by side.
    """

    def __init__(self, rnn: nn.LSTM, arrange: Callable[[Tensor, Tensor], Decode]) -> None:
        self.width = rnn.hidden_size
        self.products: list[Decode] = []  # each from (1, layer's input + nhid) to (1, 4 nhid)
        for layer in range(rnn.num_layers):
            w_ih, w_hh, b_ih, b_hh = (
                getattr(rnn, f"{name}_l{layer}").detach() for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            )
            weight = _sigmoids_first(torch.cat([w_ih, w_hh], 1))
            self.products.append(arrange(weight, _sigmoids_first(b_ih + b_hh)))

    def __call__(self, word: Tensor, hidden: Hidden) -> tuple[Tensor, Hidden]:
        before, cells = hidden[0], hidden[1].clone()  # (nlayers, 1, nhid)
        after = torch.empty_like(before)
        output = word
        for layer, product in enumerate(self.products):
            gates = product(torch.cat([output, before[layer]], 1))  # (1, 4 nhid)
            gates[:, : 3 * self.width].sigmoid_()
            input_gate, forget_gate, output_gate, candidate = gates.chunk(4, 1)
            cell = cells[layer].mul_(forget_gate).addcmul_(input_gate, candidate.tanh_())
            output = torch.mul(output_gate, cell.tanh(), out=after[layer])
        return output, (after, cells)


def _sigmoids_first(gates: Tensor) -> Tensor:
    """Torch's order of gates along the first dimension, i f g o, as i f o g."""
    i, f, g, o = gates.chunk(4)
    return torch.cat([i, f, o, g])


def _bytes(module: nn.Module) -> int:
    return sum(parameter.nbytes for parameter in module.parameters())


def fastest(work: str, ways: Mapping[str, Way], *example: object, others: int = 0) -> tuple[Way, Choice]:
    """Time each way on the example, in turns, and keep the one with the least median.

    Between two calls `others` bytes are read, as the rest of a model's weights are between two words: what is left in
    the caches decides which way is fastest.
    """
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    elsewhere = torch.zeros(max(1, others // 4))
    for trial in range(TRIALS + 1):
        for name, way in ways.items():
            elsewhere.max()
            began = time.perf_counter()
            way(*example)
            if trial:  # the first call of each is a warm-up
                seconds[name].append(time.perf_counter() - began)
    medians = {name: sorted(times)[TRIALS // 2] for name, times in seconds.items()}
    chosen = min(medians, key=medians.__getitem__)
    return ways[chosen], Choice(work, chosen, medians)
