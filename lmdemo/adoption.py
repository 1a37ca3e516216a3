"""A model of somebody else's class as an `LSTMModel`, if it is one: the tutorial's own, the example's, or a copy.

Its modules are taken as they are, with their weights; whether its forward does what ours does is tried out.
"""

from dataclasses import replace

import torch
from torch import Tensor, nn

from lmdemo.errors import VariantError
from lmdemo.model import LSTMModel, ModelConfig
from lmdemo.weights import without_weights


def adopted(model: nn.Module) -> LSTMModel:
    """`model` itself if it is an `LSTMModel`, else one around its modules `encoder`, `rnn` and `decoder`.

    Raises:
        VariantError: they are not those of this model, not in fp32 on the CPU, or joined in another way.
    """
    encoder, rnn, decoder = (getattr(model, name, None) for name in ("encoder", "rnn", "decoder"))
    if not (isinstance(encoder, nn.Embedding) and isinstance(rnn, nn.LSTM) and isinstance(decoder, nn.Linear)):
        raise VariantError(
            "Variants are built from a model with an nn.Embedding encoder, an nn.LSTM rnn and an nn.Linear decoder,"
            " none of them quantized: there is no LSTM to replace in another."
        )
    plain = rnn.bias and not (rnn.bidirectional or rnn.proj_size or rnn.batch_first) and decoder.bias is not None
    widths = (encoder.embedding_dim, rnn.hidden_size, encoder.num_embeddings)
    if not plain or widths != (rnn.input_size, decoder.in_features, decoder.out_features):
        raise VariantError(
            "The model's LSTM must read one way, time first, with biases and without proj_size, and be as wide as the"
            " encoder before it and the decoder after it, which has a bias too."
        )
    for tensor in (*encoder.parameters(), *rnn.parameters(), *decoder.parameters()):
        if tensor.dtype != torch.float32 or tensor.device.type != "cpu":
            raise VariantError(
                f"The model's weights are {str(tensor.dtype).removeprefix('torch.')} on {tensor.device.type}; variants"
                " are built from float32 on the CPU: model.float().cpu()."
            )
    return model if isinstance(model, LSTMModel) else _around(model, encoder, rnn, decoder)


def _around(model: nn.Module, encoder: nn.Embedding, rnn: nn.LSTM, decoder: nn.Linear) -> LSTMModel:
    shape = (encoder.num_embeddings, encoder.embedding_dim, rnn.hidden_size, rnn.num_layers, rnn.dropout)
    ours = without_weights(ModelConfig(*shape))
    ours.config = replace(ours.config, tied=encoder.weight is decoder.weight)
    ours.encoder, ours.rnn, ours.decoder = encoder, rnn, decoder
    training = model.training
    try:
        same = torch.allclose(_logits(model.eval(), ours), _logits(ours.eval(), ours), atol=1e-4)
    except Exception as error:  # somebody else's forward may raise anything
        raise VariantError("The model cannot be called as model(input, hidden) with ids (T, B).") from error
    finally:
        model.train(training)
    if not same:
        raise VariantError("The model does more between its encoder, rnn and decoder than this library's LSTMModel.")
    return ours


@torch.inference_mode()
def _logits(model: nn.Module, ours: LSTMModel) -> Tensor:
    """What `model` answers to a few words: log-probabilities (words, ntoken), which the example's returns itself."""
    ids = torch.arange(6).remainder(ours.config.ntoken).view(3, 2)
    decoded, _ = model(ids, ours.init_hidden(2))
    return decoded.reshape(-1, ours.config.ntoken).log_softmax(-1)
