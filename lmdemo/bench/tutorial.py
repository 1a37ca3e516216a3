"""The tutorial's loops, as they stood there."""

import torch
from torch import Tensor, nn

from lmdemo.text import Vocabulary

BPTT = 25  # words of a window


def tutorial_generate(model: nn.Module, vocabulary: Vocabulary, words: int, temperature: float = 1.0) -> float:
    """The tutorial's loop; the number of words it wrote."""
    hidden = model.init_hidden(1)
    input_ = torch.randint(len(vocabulary), (1, 1), dtype=torch.long)
    written = []
    with torch.no_grad():
        for _ in range(words):
            output, hidden = model(input_, hidden)
            word_weights = output.squeeze().div(temperature).exp().cpu()
            word_idx = torch.multinomial(word_weights, 1)[0]
            input_.fill_(word_idx)
            written.append(vocabulary.words[word_idx])
    return len(written)


def tutorial_evaluate(model: nn.Module, data_source: Tensor, bptt: int = BPTT) -> float:
    """The tutorial's loop over data_source (N, 1); the loss."""
    criterion = nn.CrossEntropyLoss()
    total_loss = 0.0
    hidden = model.init_hidden(1)
    with torch.no_grad():
        for i in range(0, data_source.size(0) - 1, bptt):
            seq_len = min(bptt, len(data_source) - 1 - i)
            data = data_source[i : i + seq_len]
            targets = data_source[i + 1 : i + 1 + seq_len].reshape(-1)
            output, hidden = model(data, hidden)
            hidden = tuple(state.detach() for state in hidden)
            output_flat = output.view(-1, output.shape[-1])
            total_loss += len(data) * criterion(output_flat, targets).item()
    return total_loss / (len(data_source) - 1)
