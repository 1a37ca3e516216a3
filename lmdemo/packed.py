"""The same fp32 weights, laid out for this CPU: what a fair fp32 baseline runs on.

The stock path is slow for reasons that are not fp32's fault. For one word, `F.linear` multiplies in a way that some
libraries do at a fraction of memory speed, and `nn.LSTM` under oneDNN repacks its weights at
every call; for a window, `F.linear` packs the decoder's weight anew each time. Here each of these three pieces of
work has a few ways of doing it, of which the fastest on this machine is kept (choosing.py); what was chosen can be
read from `PackedLSTMModel.chosen_ways`. Outputs are those of the stock model up to the order of sums.

It knows nothing of words, sampling or loss.

Reference: https://github.com/pytorch/pytorch/issues/96643 (the slow product)
"""

import threading
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lmdemo import onednn
from lmdemo.choosing import ROWS, Choice, Decode, RowsDecoder, about, choose
from lmdemo.model import Hidden, LSTMModel
from lmdemo.pausing import pause_here

PANEL = 16  # rows of a weight that are multiplied at a time, for one word
SEED = 0  # of the words whose numbers stand for the real ones

Product = Callable[[Tensor], Tensor]  # a row (1, inputs) -> (1, outputs)
Step = Callable[[Tensor, Hidden], tuple[Tensor, Hidden]]  # (1, ninp) and a state -> (1, nhid) and the next state
Window = Step  # (T, 1, ninp) and a state -> (T, 1, nhid) and the next state


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
            embedded, outputs, hidden = sample_run(model)
            self.step, step = _choose_step(model, embedded[-1:], hidden, others=decoder)
            self.decode_word, word = _choose_word_decoder(model.decoder, outputs[-1:], others=lstm)
            self.decode_rows = _rows_decoder(model.decoder, outputs)
            self.read_window = _WindowLSTM(model.rnn, embedded, hidden)
        self.decode_rows.prepare([ROWS])
        self._chosen_ways = step, word

    @property
    def chosen_ways(self) -> tuple[Choice, ...]:
        """What was chosen: for one word, and for windows of as many words as were read so far."""
        return *self._chosen_ways, *self.read_window.chosen_ways, *self.decode_rows.chosen_ways

    def forward(self, input: Tensor, hidden: Hidden) -> tuple[Tensor, Hidden]:
        """As `LSTMModel.forward`: ids (T, B) and a state to logits (T, B, ntoken) and the next state."""
        if input.shape == (1, 1):
            output, hidden = self.step(self.encoder(input[0]), hidden)  # (1, nhid)
            return self.decode_word(output).unsqueeze(0), hidden
        read = self.read_window if input.shape[1] == 1 else self.rnn
        output, hidden = read(self.encoder(input), hidden)  # (T, B, nhid)
        rows = output.flatten(0, 1)
        return self.decode_rows(rows, rows).view(*input.shape, -1), hidden

    init_hidden = LSTMModel.init_hidden  # which needs the configuration alone


def sample_run(model: nn.Module) -> tuple[Tensor, Tensor, Hidden]:
    """Numbers like the real ones: `ROWS` words drawn at random, embedded (ROWS, ninp), the LSTM's outputs (ROWS, nhid)
    for them, and the state it is left in.
    """
    ids = torch.randint(model.config.ntoken, (ROWS, 1), generator=torch.Generator().manual_seed(SEED))
    embedded = model.encoder(ids)  # (ROWS, 1, ninp)
    outputs, hidden = model.rnn(embedded, model.init_hidden(1))
    return embedded.squeeze(1), outputs.squeeze(1), hidden


def _choose_word_decoder(decoder: nn.Linear, output: Tensor, others: int) -> tuple[Product, Choice]:
    weight, bias = decoder.weight.detach(), decoder.bias.detach()
    pause_here()
    transposed, panels = weight.t().contiguous(), _Panels(weight, bias)
    ways: dict[str, Product] = {
        "stock": lambda output: F.linear(output, weight, bias),
        "matrix × vector": lambda output: torch.mv(weight, output[0]).add_(bias).unsqueeze(0),
        "transposed weight": lambda output: torch.addmm(bias, output, transposed),
        f"panels of {PANEL}": panels,
    }
    return choose("decoder, one word", ways, output, others=others)


def _rows_decoder(decoder: nn.Linear, outputs: Tensor) -> RowsDecoder:
    weight, bias = decoder.weight.detach(), decoder.bias.detach()
    ways: dict[str, Decode] = {"stock": lambda rows, _: F.linear(rows, weight, bias)}
    if onednn.available():
        packed = onednn.packed_linear(weight, bias, ROWS)
        ways["packed by oneDNN"] = lambda rows, _: packed(rows)
    return RowsDecoder("decoder", ways, outputs)


def _choose_step(model: LSTMModel, word: Tensor, hidden: Hidden, others: int) -> tuple[Step, Choice]:
    def stock(word: Tensor, hidden: Hidden) -> tuple[Tensor, Hidden]:
        output, hidden = model.rnn(word.unsqueeze(0), hidden)
        return output[0], hidden

    ways: dict[str, Step] = {
        "stock": stock,
        "a transposed product a layer": OneProductALayer(model.rnn, transposed),
        f"a product in panels of {PANEL} a layer": OneProductALayer(model.rnn, _Panels),
    }
    return choose("LSTM, one word", ways, word, hidden, others=others)


class _WindowLSTM:
    """An LSTM over a window of one text, in the way that is fastest for windows of about as many words.

    A way is chosen when windows of such a length are first read, or by `prepare`, and kept.
    """

    def __init__(self, rnn: nn.LSTM, embedded: Tensor, hidden: Hidden) -> None:
        """`embedded` (ROWS, ninp) are words like the real ones, `hidden` a state."""
        self._example = embedded.unsqueeze(1), hidden
        self._ways: dict[str, Window] = {"stock": rnn}
        if onednn.available():
            self._ways["packed by oneDNN"] = onednn.PackedLSTM(rnn, ROWS)
        self._choosing = threading.Lock()
        self._chosen: dict[int, tuple[Window, Choice]] = {}

    @property
    def chosen_ways(self) -> tuple[Choice, ...]:
        """What was chosen so far."""
        return tuple(choice for _, choice in self._chosen.values())

    def __call__(self, embedded: Tensor, hidden: Hidden) -> tuple[Tensor, Hidden]:
        """From (T, 1, ninp) and a state to (T, 1, nhid) and the next state."""
        return self._way(len(embedded))(embedded, hidden)

    def prepare(self, lengths: Iterable[int]) -> None:
        """Choose for windows of about these lengths, so that no timing pays for it."""
        for length in lengths:
            self._way(length)

    def _way(self, words: int) -> Window:
        count = about(words)
        with self._choosing, torch.inference_mode():
            if count not in self._chosen:
                embedded, hidden = self._example
                self._chosen[count] = choose(f"LSTM, {count} words", self._ways, embedded[:count], hidden)
        return self._chosen[count][0]


class _Panels:
    """x W^T + b for one row x, W cut into panels of rows that lie in memory in the order in which they are read.

    A product of one row with a wide transposed matrix is read a few columns at a time, which jumps from page to page
    and defeats the processor's prefetching. A panel's rows, transposed, are one stretch of memory, and so are all
    panels together: the weights stream in at the speed of memory.
    """

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        self.rows, width = weight.shape
        panels = -(-self.rows // PANEL)
        pause_here()
        padded = weight.new_zeros(panels * PANEL, width + 1)  # the last panel is filled up
        padded[: self.rows] = torch.cat([weight, bias.unsqueeze(1)], 1)
        pause_here()
        split = padded.view(panels, PANEL, width + 1)
        self.weight = split[..., :width].transpose(1, 2).contiguous()  # (panels, width, PANEL)
        self.bias = split[..., width:].transpose(1, 2).contiguous()  # (panels, 1, PANEL)

    def __call__(self, row: Tensor) -> Tensor:
        """From (1, width) to (1, rows)."""
        products = torch.baddbmm(self.bias, row.expand(len(self.weight), *row.shape), self.weight)
        return products.view(1, -1)[:, : self.rows]


def transposed(weight: Tensor, bias: Tensor) -> Product:
    """x W^T + b for one row x, W stored transposed."""
    columns = weight.t().contiguous()
    return lambda row: torch.addmm(bias, row, columns)


class OneProductALayer:
    """An LSTM step with one matrix product a layer: [input, hidden] × the weights, joined.

    gates = W_ih x + b_ih + W_hh h + b_hh;  c' = σ(f) c + σ(i) tanh(g);  h' = σ(o) tanh(c')  (torch.nn.LSTM)
    The gates are reordered to i, f, o, g, so that the three under a sigmoid lie side by side.
    """

    def __init__(self, rnn: nn.LSTM, arrange: Callable[[Tensor, Tensor], Product]) -> None:
        self.width = rnn.hidden_size
        self.products: list[Product] = []  # each from (1, layer's input + nhid) to (1, 4 nhid)
        for layer in range(rnn.num_layers):
            pause_here()
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
