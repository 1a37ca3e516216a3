"""How a model of the table is run: a word at a time to write, a window at a time to read.

A runner carries the hidden state of one text and calls the operators under a model's modules directly, without
Python between them. What comes out is what the model's own forward gives at the same window, to rounding. Reading
yields logits in pieces of rows: the memory of a piece is used again by the next one, where a whole window's logits
would be mapped anew at each call, and page faults would be what is measured.

It knows nothing of sampling, loss or time. `torch.inference_mode` is the caller's to enter, since its state belongs
to a thread.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.ao.nn.quantized.dynamic import LSTM as DynamicQuantizedLSTM
from torch.ao.nn.quantized.dynamic import Linear as DynamicQuantizedLinear

from lmdemo import onednn
from lmdemo.packed import ROWS, PackedLSTMModel, fastest


class Runner:
    """A model on one text, batch 1, through its modules as they are."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model.eval()
        self.hidden = model.init_hidden(1)

    def step(self, word: int) -> Tensor:
        """Read one word; the logits (ntoken,) of the next, which may be overwritten."""
        output = self._lstm_outputs(torch.tensor([word]))  # (1, nhid)
        return self._decode(output).view(-1)

    def read(self, ids: Tensor) -> Iterator[Tensor]:
        """Read a window ids (T,); the logits after each word in pieces (rows, ntoken), which may be overwritten."""
        output = self._lstm_outputs(ids)  # (T, nhid)
        for start in range(0, len(output), ROWS):
            yield self._decode(output[start : start + ROWS])

    def prepare_reading(self) -> None:
        """Find out now what the first reading would find out, so that no timing pays for it."""

    def prefill(self, ids: Tensor) -> None:
        """Read ids (T,), a prompt, for the hidden state alone: no logits are made."""
        self._lstm_outputs(ids)

    def _lstm_outputs(self, ids: Tensor) -> Tensor:
        output, self.hidden = self.model.rnn(self.model.encoder(ids.unsqueeze(1)), self.hidden)
        return output.squeeze(1)  # (T, nhid)

    def _decode(self, output: Tensor) -> Tensor:
        return self.model.decoder(output)


class PackedRunner(Runner):
    """fp32 in the arrangement that was fastest here."""

    def step(self, word: int) -> Tensor:
        output, self.hidden = self.model.step(self.model.encoder.weight[word : word + 1], self.hidden)
        return self.model.decode_word(output).view(-1)

    def _decode(self, output: Tensor) -> Tensor:
        return self.model.decode_rows(output)


class QuantizedRunner(Runner):
    """Dynamically quantized LSTM and decoder, called as their modules call them."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__(model)
        self._lstm = [weights.param for weights in model.rnn._all_weight_values]
        self._decoder = model.decoder._packed_params._packed_params
        self._linear = torch.ops.quantized.linear_dynamic.default
        # (ntoken, 1, ninp): a slice of it is a word as the LSTM takes it, without a lookup
        self._rows = model.encoder.weight.detach().unsqueeze(1) if isinstance(model.encoder, nn.Embedding) else None

    def step(self, word: int) -> Tensor:
        row = self.model.encoder(torch.tensor([[word]])) if self._rows is None else self._rows[word : word + 1]
        return self._linear(self._lstm_forward(row).view(1, -1), self._decoder, True).view(-1)

    def prepare_reading(self) -> None:
        with torch.inference_mode():
            _rows_decoder(self.model)

    def read(self, ids: Tensor) -> Iterator[Tensor]:
        """As `Runner.read`, the activations of a window quantized with one scale although they come in pieces."""
        output = self._lstm_outputs(ids)  # (T, nhid)
        decode = _rows_decoder(self.model)
        if isinstance(decode, onednn.Int8Linear):
            scale = onednn.activation_scale(output)
            for start in range(0, len(output), ROWS):
                yield decode(output[start : start + ROWS], *scale)
        elif len(output) <= ROWS:
            yield self._decode(output)
        else:
            # The engine takes the scale from the extremes of a call: two rows, one of the least and one of the
            # greatest value of the whole window, go along with each piece. One row could not hold both at nhid 1.
            extremes = torch.stack(torch.aminmax(output)).unsqueeze(1).expand(2, output.shape[1])
            for start in range(0, len(output), ROWS):
                yield self._decode(torch.cat([output[start : start + ROWS], extremes]))[:-2]

    def _lstm_outputs(self, ids: Tensor) -> Tensor:
        return self._lstm_forward(self.model.encoder(ids.unsqueeze(1))).squeeze(1)  # (T, nhid)

    def _lstm_forward(self, embedded: Tensor) -> Tensor:
        """From (T, 1, ninp) to (T, 1, nhid)."""
        rnn = self.model.rnn
        output, *hidden = torch.quantized_lstm(
            embedded,
            self.hidden,
            self._lstm,
            rnn.bias,
            rnn.num_layers,
            0.0,  # dropout
            False,  # train
            False,  # bidirectional
            False,  # batch_first
            dtype=rnn.dtype,
            use_dynamic=True,
        )
        self.hidden = tuple(hidden)
        return output

    def _decode(self, output: Tensor) -> Tensor:
        return self._linear(output, self._decoder, True)  # reduce_range, as the module has it


def _rows_decoder(model: nn.Module) -> onednn.Int8Linear | DynamicQuantizedLinear:
    """The faster of oneDNN's kernel and the engine's own for a piece of rows, found at the first reading and kept."""
    found = getattr(model, "_rows_decoder", None)
    if found is None:
        found = model.decoder
        if onednn.available():
            packed, example = onednn.Int8Linear(model.decoder, ROWS), torch.rand(ROWS, model.config.nhid)
            ways = {"engine": lambda: model.decoder(example), "oneDNN": lambda: packed(example, 0.01, 0)}
            _, choice = fastest("decoder", ways)
            found = packed if choice.chosen == "oneDNN" else found
        model.__dict__["_rows_decoder"] = found  # no module of the model: it is not in the state dict
    return found


def runner(model: nn.Module) -> Runner:
    """The fastest runner for `model`, with the hidden state of a text's beginning."""
    if isinstance(model, PackedLSTMModel):
        return PackedRunner(model)
    if (
        isinstance(getattr(model, "rnn", None), DynamicQuantizedLSTM)
        and isinstance(model.decoder, DynamicQuantizedLinear)
        and model.rnn.dtype == model.decoder._packed_params.dtype == torch.qint8
    ):
        return QuantizedRunner(model)
    return Runner(model)
