"""A model that writes one text and is thrown away: laid out for a word at a time, without measuring what is fastest.

Its ways are those of packed.py that need no more than the weights transposed. Outputs are those of the model up to the
order of sums.
"""

import torch
from torch import Tensor, nn

from lmdemo.inference import Runner
from lmdemo.model import LSTMModel
from lmdemo.packed import OneProductALayer, transposed


class QuickModel(nn.Module):
    """An `LSTMModel` laid out so; its runners share the layout."""

    def __init__(self, model: LSTMModel) -> None:
        super().__init__()
        self.model = model
        with torch.inference_mode():
            self.step_layers = OneProductALayer(model.rnn, transposed)
            self.decode_word = transposed(model.decoder.weight, model.decoder.bias)

    def start(self) -> Runner:
        """A runner, with the hidden state of a text's beginning."""
        return _QuickRunner(self)


class _QuickRunner(Runner):
    def __init__(self, quick: QuickModel) -> None:
        super().__init__(quick.model)
        self._quick, self._table = quick, quick.model.encoder.weight.detach()  # (ntoken, ninp)

    def step(self, word: int) -> Tensor:
        output, self.hidden = self._quick.step_layers(self._table[word : word + 1], self.hidden)  # (1, nhid)
        return self._quick.decode_word(output).view(-1)
