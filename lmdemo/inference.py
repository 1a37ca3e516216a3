"""How a model of the table is run: a word at a time to write, a window at a time to read.

A runner carries the hidden state of one text and calls the operators under a model's modules directly, without
Python between them. What comes out is what the model's own forward gives at the same window, to rounding. Reading
yields logits in pieces of rows: the memory of a piece is used again by the next one, where a whole window's logits
would be mapped anew at each call, and page faults would be what is measured.

It knows nothing of sampling, loss or time. `torch.inference_mode` is the caller's to enter, since its state belongs
to a thread.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.ao.nn.quantized.dynamic import LSTM as DynamicQuantizedLSTM
from torch.ao.nn.quantized.dynamic import Linear as DynamicQuantizedLinear

from lmdemo import onednn
from lmdemo.choosing import ROWS, Decode, RowsDecoder, pieces
from lmdemo.model import Hidden
from lmdemo.packed import PackedLSTMModel, sample_run

PREFILL = 100  # words of a prompt that are read at once
Pause = Callable[[], None]  # called between pieces of some milliseconds; what it raises ends a run there
LSTM = Callable[[Tensor, Hidden], tuple[Tensor, Hidden]]  # of one text: from (T, 1, ninp) to (T, 1, nhid)

_linear = torch.ops.quantized.linear_dynamic.default


def go_on() -> None:
    """A `Pause` of a run that nobody ends."""


def scales_windows(model: nn.Module) -> bool:
    """Whether a model's activations are quantized with one scale a window: read otherwise cut, a text differs."""
    return isinstance(model.decoder, DynamicQuantizedLinear)


class Runner:
    """A model on one text, batch 1, through its modules as they are."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model.eval()
        self.hidden = model.init_hidden(1)
        self._scales_windows = scales_windows(model)
        self._passing = lstm_operator(model.rnn) if isinstance(model.rnn, DynamicQuantizedLSTM) else model.rnn

    def step(self, word: int) -> Tensor:
        """Read one word; the logits (ntoken,) of the next, which may be overwritten."""
        output = self._lstm_outputs(torch.tensor([word]))  # (1, nhid)
        return self._decode(output, output).view(-1)

    def read(self, ids: Tensor) -> Iterator[Tensor]:
        """Read a window ids (T,); the logits after each word in pieces (rows, ntoken), which may be overwritten."""
        output = self._lstm_outputs(ids)  # (T, nhid)
        for piece in pieces(len(output)):
            yield self._decode(output[piece], output)

    def losses(self, ids: Tensor, targets: Tensor) -> Tensor:
        """Read a window ids (T,); -ln p (T,) of the targets (T,), the words that follow."""
        after = targets.unsqueeze(1).split(ROWS)
        found = (log_softmax_(logits).gather(1, rows) for logits, rows in zip(self.read(ids), after, strict=True))
        return torch.cat([each.squeeze(1) for each in found]).neg_()

    def prepare_reading(self, lengths: Iterable[int]) -> None:
        """Find out now what reading windows of these lengths would find out at first, so that no timing pays for it."""

    def prefill(self, ids: Tensor, pause: Pause, window: int = PREFILL) -> None:
        """Read ids (T,) in windows, for the hidden state alone: no logits are made, and no clock runs."""
        for piece in self.model.encoder(ids.unsqueeze(1)).split(window):  # (window, 1, ninp)
            pause()
            _, self.hidden = self._passing(piece, self.hidden)

    def _lstm_outputs(self, ids: Tensor) -> Tensor:
        output, self.hidden = self.model.rnn(self.model.encoder(ids.unsqueeze(1)), self.hidden)
        return output.squeeze(1)  # (T, nhid)

    def _decode(self, rows: Tensor, window: Tensor) -> Tensor:
        """Logits (n, ntoken) of rows (n, nhid) of a window's outputs (T, nhid)."""
        return of_window(self.model.decoder, rows, window) if self._scales_windows else self.model.decoder(rows)


class PackedRunner(Runner):
    """fp32 in the arrangement that was fastest here."""

    def __init__(self, model: PackedLSTMModel) -> None:
        super().__init__(model)
        self._passing = model.read_window

    def step(self, word: int) -> Tensor:
        output, self.hidden = self.model.step(self.model.encoder.weight[word : word + 1], self.hidden)
        return self.model.decode_word(output).view(-1)

    def prepare_reading(self, lengths: Iterable[int]) -> None:
        lengths = list(lengths)
        self.model.read_window.prepare(lengths)
        self.model.decode_rows.prepare(lengths)

    def _lstm_outputs(self, ids: Tensor) -> Tensor:
        output, self.hidden = self.model.read_window(self.model.encoder(ids.unsqueeze(1)), self.hidden)
        return output.squeeze(1)  # (T, nhid)

    def _decode(self, rows: Tensor, window: Tensor) -> Tensor:
        return self.model.decode_rows(rows, window)


class QuantizedRunner(Runner):
    """Dynamically quantized LSTM and decoder, called as their modules call them."""

    def __init__(self, model: nn.Module, rows_decoder: RowsDecoder) -> None:
        """`rows_decoder` is the model's; see `int8_rows_decoder`."""
        super().__init__(model)
        self._rows_decoder = rows_decoder
        self._decoder = model.decoder._packed_params._packed_params
        # (ntoken, 1, ninp): a slice of it is a word as the LSTM takes it, without a lookup
        self._rows = model.encoder.weight.detach().unsqueeze(1) if isinstance(model.encoder, nn.Embedding) else None

    def step(self, word: int) -> Tensor:
        row = self.model.encoder(torch.tensor([[word]])) if self._rows is None else self._rows[word : word + 1]
        return _linear(self._lstm_forward(row).view(1, -1), self._decoder, True).view(-1)

    def prepare_reading(self, lengths: Iterable[int]) -> None:
        self._rows_decoder.prepare(lengths)

    def _lstm_outputs(self, ids: Tensor) -> Tensor:
        return self._lstm_forward(self.model.encoder(ids.unsqueeze(1))).squeeze(1)  # (T, nhid)

    def _lstm_forward(self, embedded: Tensor) -> Tensor:
        """From (T, 1, ninp) to (T, 1, nhid)."""
        output, self.hidden = self._passing(embedded, self.hidden)
        return output

    def _decode(self, rows: Tensor, window: Tensor) -> Tensor:
        return self._rows_decoder(rows, window)


def lstm_operator(rnn: DynamicQuantizedLSTM) -> LSTM:
    """A dynamically quantized LSTM without the module around it, called as the module calls it."""
    weights, bias, layers, dtype = [each.param for each in rnn._all_weight_values], rnn.bias, rnn.num_layers, rnn.dtype
    dropout, train, bidirectional, batch_first = 0.0, False, False, False

    def read(embedded: Tensor, hidden: Hidden) -> tuple[Tensor, Hidden]:
        output, *after = torch.quantized_lstm(
            embedded,
            hidden,
            weights,
            bias,
            layers,
            dropout,
            train,
            bidirectional,
            batch_first,
            dtype=dtype,
            use_dynamic=True,
        )
        return output, tuple(after)

    return read


def int8_rows_decoder(model: nn.Module) -> RowsDecoder:
    """The decoder of a quantized model for windows: the engine's own kernel or oneDNN's; to be made once for a model.

    In an engine that uses more bits for activations than oneDNN's kernel here, the engine's own is the only way.
    """
    with torch.inference_mode():
        _, outputs, _ = sample_run(model)
        ways: dict[str, Decode] = {"stock": partial(engine_decode, model.decoder)}
        if onednn.available():
            ways["packed by oneDNN"] = onednn.Int8Linear(model.decoder, ROWS)
        return RowsDecoder("int8 decoder", ways, outputs)


def engine_decode(decoder: DynamicQuantizedLinear, rows: Tensor, window: Tensor) -> Tensor:
    """Logits (n, ntoken) of rows (n, nhid) of a window (T, nhid) by the engine, without the module around it."""
    weights = decoder._packed_params._packed_params
    return of_window(lambda inputs: _linear(inputs, weights, True), rows, window)  # reduce_range, as the module has it


def of_window(decode: Callable[[Tensor], Tensor], rows: Tensor, window: Tensor) -> Tensor:
    """Logits (n, ntoken) of rows (n, nhid) of a window (T, nhid), quantized with the scale of the window.

    The engine takes the scale from the extremes of a call: two rows, one of the least and one of the greatest value
    of the whole window, go along with a piece of it. One row could not hold both at nhid 1.
    """
    if len(rows) == len(window):
        return decode(rows)
    extremes = torch.stack(torch.aminmax(window)).unsqueeze(1).expand(2, rows.shape[1])
    return decode(torch.cat([rows, extremes]))[:-2]


def log_softmax_(logits: Tensor) -> Tensor:
    """Logits (rows, ntoken) as log-probabilities, in place: no second copy of the largest tensor there is."""
    return torch.ops.aten._log_softmax.out(logits, 1, False, out=logits)


@runtime_checkable
class Starts(Protocol):
    """A model that has a runner of its own."""

    def start(self) -> Runner:
        """It, with the hidden state of a text's beginning."""


def runner(model: nn.Module) -> Runner:
    """The runner of a model of the table, with the hidden state of a text's beginning.

    As a reader of the tutorial runs it, through its modules; a packed one by the ways that were fastest here.
    """
    if isinstance(model, Starts):
        return model.start()
    return PackedRunner(model) if isinstance(model, PackedLSTMModel) else Runner(model)
