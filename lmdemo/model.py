"""The word language model: embedding, LSTM, linear decoder.

Modules and names are those of the example it comes from, so a state dict saved by the tutorial
"Dynamic Quantization on an LSTM Word Language Model" loads unchanged. The model knows nothing of words,
files or quantization: tensors of word ids go in, logits come out.

References
- https://github.com/pytorch/examples/tree/main/word_language_model (model.py)
- Zaremba, Sutskever, Vinyals 2014, "Recurrent Neural Network Regularization", arXiv:1409.2329
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lmdemo.errors import InputError

Hidden = tuple[Tensor, Tensor]  # h and c, each (nlayers, B, nhid)


@dataclass(frozen=True)
class ModelConfig:
    """The shape of an `LSTMModel`; what a checkpoint's config.json holds."""

    ntoken: int  # words in the vocabulary
    ninp: int  # width of a word's embedding
    nhid: int  # width of a hidden state
    nlayers: int  # stacked LSTM layers
    dropout: float = 0.5  # probability, in training only
    tied: bool = False  # embedding and decoder are one matrix, which needs ninp == nhid


class LSTMModel(nn.Module):
    """An LSTM language model over words, with the tutorial's modules `drop encoder rnn decoder`."""

    def __init__(
        self, ntoken: int, ninp: int, nhid: int, nlayers: int, dropout: float = 0.5, tied: bool = False
    ) -> None:
        super().__init__()
        self.config = ModelConfig(ntoken, ninp, nhid, nlayers, dropout, tied)
        self.drop = nn.Dropout(dropout)
        self.encoder = nn.Embedding(ntoken, ninp)
        # nn.LSTM applies dropout between layers only and warns when there is no "between"
        self.rnn = nn.LSTM(ninp, nhid, nlayers, dropout=dropout if nlayers > 1 else 0.0)
        self.decoder = nn.Linear(nhid, ntoken)
        if tied:
            self.tie()
        self.init_weights()

    @classmethod
    def from_config(cls, config: ModelConfig) -> "LSTMModel":
        """A freshly initialised model of this shape."""
        return cls(config.ntoken, config.ninp, config.nhid, config.nlayers, config.dropout, config.tied)

    def tie(self) -> None:
        """Let the decoder's weight be the embedding's: one matrix for both (Press, Wolf 2016, arXiv:1608.05859).

        Raises:
            InputError: the two differ in width.
        """
        if self.config.ninp != self.config.nhid:
            raise InputError("Tied weights need ninp and nhid of one width.")
        self.decoder.weight = self.encoder.weight

    @property
    def tied(self) -> bool:
        """Whether embedding and decoder are one matrix now, however they came to be."""
        return self.decoder.weight.is_set_to(self.encoder.weight)

    def init_weights(self) -> None:
        """Initialise embedding and decoder as the tutorial does: uniform in ±0.1, decoder bias zero."""
        nn.init.uniform_(self.encoder.weight, -0.1, 0.1)
        nn.init.zeros_(self.decoder.bias)
        nn.init.uniform_(self.decoder.weight, -0.1, 0.1)

    def forward(self, input: Tensor, hidden: Hidden) -> tuple[Tensor, Hidden]:
        """One pass over a piece of text.

        Args:
            input: word ids, (T, B) int64.
            hidden: the state before it, from `init_hidden` or an earlier call.

        Returns:
            decoded: logits, (T, B, ntoken).
            hidden: the state after it.
        """
        embedded = self.drop(self.encoder(input))  # (T, B, ninp)
        output, hidden = self.rnn(embedded, hidden)  # (T, B, nhid)
        decoded = self.decoder(self.drop(output))  # (T, B, ntoken)
        return decoded, hidden

    def init_hidden(self, bsz: int) -> Hidden:
        """A zero state for `bsz` streams: two tensors of (nlayers, bsz, nhid).

        The shape comes from the configuration, not from `parameters()`: a fully quantized model has none.
        """
        shape = (self.config.nlayers, bsz, self.config.nhid)
        return torch.zeros(shape), torch.zeros(shape)
