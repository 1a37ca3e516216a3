"""The model against a literal copy of the tutorial's."""

import torch
from torch import nn

import lmdemo


class TutorialModel(nn.Module):
    """The tutorial's LSTMModel, as it stood there."""

    def __init__(self, ntoken: int, ninp: int, nhid: int, nlayers: int, dropout: float = 0.5) -> None:
        super().__init__()
        self.drop = nn.Dropout(dropout)
        self.encoder = nn.Embedding(ntoken, ninp)
        self.rnn = nn.LSTM(ninp, nhid, nlayers, dropout=dropout)
        self.decoder = nn.Linear(nhid, ntoken)

    def forward(self, input: torch.Tensor, hidden: tuple) -> tuple:
        emb = self.drop(self.encoder(input))
        output, hidden = self.rnn(emb, hidden)
        output = self.drop(output)
        return self.decoder(output), hidden


def test_a_tutorial_state_dict_loads_unchanged_and_gives_the_same_logits() -> None:
    torch.manual_seed(1)
    reference = TutorialModel(50, 6, 8, 2).eval()
    model = lmdemo.LSTMModel(50, 6, 8, 2).eval()
    assert [name for name, _ in model.named_children()] == ["drop", "encoder", "rnn", "decoder"]
    model.load_state_dict(reference.state_dict())
    ids = torch.randint(0, 50, (7, 3))
    decoded, hidden = model(ids, model.init_hidden(3))
    expected, expected_hidden = reference(ids, model.init_hidden(3))
    assert decoded.shape == (7, 3, 50)
    assert torch.equal(decoded, expected)
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(hidden, expected_hidden, strict=True))


def test_the_hidden_state_carries_a_text_on(tiny: lmdemo.LSTMModel) -> None:
    ids = torch.randint(0, 50, (10, 1))
    whole, _ = tiny(ids, tiny.init_hidden(1))
    _, hidden = tiny(ids[:4], tiny.init_hidden(1))
    rest, _ = tiny(ids[4:], hidden)
    assert torch.allclose(whole[4:], rest, atol=1e-6)


def test_one_layer_warns_of_no_dropout_between_layers() -> None:
    assert lmdemo.LSTMModel(10, 4, 4, 1, dropout=0.5).config == lmdemo.ModelConfig(10, 4, 4, 1, 0.5)
