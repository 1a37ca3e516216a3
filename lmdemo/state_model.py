"""Names with a tensor each as a model of ours: what is wrapped around them taken off, the shape read off them.

What else they may be (a GRU, a Transformer, a quantized model) gets a sentence. It knows nothing of files.
"""

from collections.abc import Callable, Collection, Mapping

import torch
from torch import Tensor

from lmdemo.checkpoint import MAX_FILE_BYTES, MAX_LAYERS, MAX_WIDTH, MAX_WORDS
from lmdemo.errors import CheckpointError
from lmdemo.model import LSTMModel
from lmdemo.state_file import QUANTIZED
from lmdemo.weights import DECODER, ENCODER

WRAPPERS = ("state_dict", "model_state_dict", "model")
OURS = ("encoder", "rnn", "decoder")
DEEPEST = 8  # wrappers in each other, parts of a prefix
NAMED = 5  # tensors that a sentence names
HIDDEN = "rnn.weight_hh_l0"

Report = Callable[[str], None]  # takes a sentence on what was changed on the way


def unwrapped(state: object, name: str, report: Report) -> dict[str, Tensor]:
    """The state dict in what somebody saved, under our names and whole.

    Args:
        name: of the file, for the sentences.

    Raises:
        CheckpointError: it holds no state dict.
    """
    for _ in range(DEEPEST):
        key = next((key for key in WRAPPERS if isinstance(state, dict) and isinstance(state.get(key), dict)), None)
        if key is None:
            break
        state = state[key]
        report(f"Taken from {key!r} in {name}.")
    weights = checked(state, name)
    weights, prefix = _without_prefix(weights)
    if prefix:
        report(f"Taken off every tensor's name: {shown(prefix)}.")
    return _with_biases(weights, report)


def checked(state: object, name: str) -> dict[str, Tensor]:
    """Names with a plain tensor each, of a size that is read again; a few stored bytes can claim any shape.

    Raises:
        CheckpointError: it is something else.
    """
    if not isinstance(state, dict) or not state:
        raise CheckpointError(f"{name} is not a state dict: names with a tensor each.")
    for key, tensor in state.items():
        if not isinstance(key, str) or not isinstance(tensor, Tensor):
            odd = f"{shown(str(key))} is of the type {type(tensor).__name__}"
            raise CheckpointError(f"{name} is not a state dict: names with a tensor each; {odd}.")
        if tensor.is_quantized:
            raise CheckpointError(f"{name} {QUANTIZED}")
        if tensor.layout is not torch.strided or tensor.device.type != "cpu" or not tensor.is_floating_point():
            raise CheckpointError(f"{name}: {shown(key)} is not a tensor of floating-point numbers.")
    if sum(tensor.numel() for tensor in state.values()) * 4 > MAX_FILE_BYTES:
        raise CheckpointError(f"{name} is over {MAX_FILE_BYTES / 1e9:.0f} GB; that is not read.")
    return state


def model_of(weights: Mapping[str, Tensor], dropout: float, name: str) -> LSTMModel:
    """The model that has these weights, in fp32.

    Args:
        dropout: it leaves no trace in the weights.
        name: of the file, for the sentences.

    Raises:
        CheckpointError: it is another kind of model, too large, or not whole.
    """
    if other := _other_kind(weights):
        raise CheckpointError(f"{name} is {other}")
    encoder, hidden = weights.get(ENCODER), weights.get(HIDDEN)
    if encoder is None or hidden is None or encoder.dim() != 2 or hidden.dim() != 2:
        raise CheckpointError(f"{name} has no {ENCODER} and {HIDDEN}, but {listed(weights)}: it is not this model's.")
    (ntoken, ninp), nhid = encoder.shape, hidden.shape[1]
    layers = sum(key.startswith("rnn.weight_hh_l") for key in weights)
    limits = ((ntoken, MAX_WORDS), (ninp, MAX_WIDTH), (nhid, MAX_WIDTH), (layers, MAX_LAYERS))
    if not all(1 <= size <= most for size, most in limits):
        raise CheckpointError(
            f"{name} is a model of {ntoken:,} words, widths {ninp:,} and {nhid:,}, {layers} layers;"
            f" at most {MAX_WORDS:,}, {MAX_WIDTH:,} and {MAX_LAYERS}."
        )
    with torch.device("meta"):  # shapes only: the weights are the file's
        model = LSTMModel(ntoken, ninp, nhid, layers, dropout)
    _check_shapes(weights, model.state_dict(), name)
    # copied: of weights that lie in one piece of memory, as cuDNN lays them out, each gets its own
    model.load_state_dict({key: tensor.float().clone() for key, tensor in weights.items()}, assign=True)
    if torch.equal(model.encoder.weight, model.decoder.weight):  # no training makes two of one content
        model.tie()
    return model


def shown(name: str) -> str:
    """A name from a file, fit for a terminal."""
    return ascii(name if len(name) <= 60 else name[:60] + "...")


def listed(names: Collection[str]) -> str:
    """Some of the names of a file, and how many more there are."""
    some = ", ".join(shown(name) for name in list(names)[:NAMED])
    return some + (f" and {len(names) - NAMED:,} more" if len(names) > NAMED else "")


def _without_prefix(weights: dict[str, Tensor]) -> tuple[dict[str, Tensor], str]:
    """The same without what stands before every name: `module.` of DataParallel, `_orig_mod.` of torch.compile."""
    prefix = ""
    for _ in range(DEEPEST):
        first, dot, _ = next(iter(weights)).partition(".")
        start = first + dot
        if not dot or first in OURS or not all(name.startswith(start) for name in weights):
            break
        weights = {name.removeprefix(start): tensor for name, tensor in weights.items()}
        prefix += start
    return weights, prefix


def _with_biases(weights: dict[str, Tensor], report: Report) -> dict[str, Tensor]:
    """The same with zeros for the biases of layers that were made with `bias=False`: they compute the same."""
    zeros = {}
    if not any(name.startswith("rnn.bias_") for name in weights):
        layers = [name for name in weights if name.startswith(("rnn.weight_ih_", "rnn.weight_hh_"))]
        zeros = {name.replace("weight", "bias"): weights[name].new_zeros(weights[name].shape[:1]) for name in layers}
    if DECODER in weights and "decoder.bias" not in weights:
        zeros["decoder.bias"] = weights[DECODER].new_zeros(weights[DECODER].shape[:1])
    if zeros:
        report(f"Made with bias=False; zeros stand in, which compute the same: {listed(zeros)}.")
    return weights | zeros


def _other_kind(weights: Mapping[str, Tensor]) -> str:
    """What other model it is, and what to do; empty if it is not known to be one."""
    hidden = weights.get(HIDDEN)
    gates, rest = divmod(*hidden.shape) if hidden is not None and hidden.dim() == 2 and hidden.shape[1] else (0, 0)
    if any("self_attn" in name for name in weights):
        return "a Transformer; lmdemo shows an LSTM. Train the example with --model LSTM."
    if any(name.endswith("_reverse") for name in weights):
        return "a bidirectional LSTM, which reads words before it writes them. Train it with bidirectional=False."
    if any(name.startswith("rnn.weight_hr_") for name in weights):
        return "an LSTM with a projection, which dynamic quantization does not take. Train it with proj_size=0."
    if gates == 3 and not rest:
        return "a GRU; lmdemo shows an LSTM. Train the example with --model LSTM."
    if gates == 1 and not rest:
        return "a plain RNN; lmdemo shows an LSTM. Train the example with --model LSTM."
    return ""


def _check_shapes(weights: Mapping[str, Tensor], expected: Mapping[str, Tensor], name: str) -> None:
    missing = [key for key in expected if key not in weights]
    foreign = [key for key in weights if key not in expected]
    wrong = [(kind, names) for kind, names in (("missing", missing), ("foreign", foreign)) if names]
    if wrong:
        found = "; ".join(f"{kind}: {listed(names)}" for kind, names in wrong)
        raise CheckpointError(f"{name} holds other tensors than encoder, rnn and decoder of this model; {found}.")
    for key, tensor in weights.items():
        shape, wanted = tuple(tensor.shape), tuple(expected[key].shape)
        if shape != wanted:
            raise CheckpointError(f"{name}: {key} is {shape}; beside {ENCODER} and {HIDDEN} it must be {wanted}.")
