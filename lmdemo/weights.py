"""The weights of a checkpoint: model.safetensors, checked tensor by tensor before the model has it."""

from collections.abc import Callable, Collection
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from lmdemo.errors import CheckpointError
from lmdemo.model import LSTMModel, ModelConfig

ENCODER, DECODER = "encoder.weight", "decoder.weight"  # one matrix where they are tied


def read_model(path: Path, config: ModelConfig) -> LSTMModel:
    """The model of that shape, in eval mode, with the weights of the file at `path`.

    Raises:
        CheckpointError: they are not this model's, damaged, or no finite numbers.
    """
    model = without_weights(config)
    weights = _read_weights(path, model)
    if config.tied and not torch.equal(weights.setdefault(DECODER, weights[ENCODER]), weights[ENCODER]):
        raise CheckpointError(f"model.safetensors: {ENCODER} and {DECODER} differ; config.json says they are tied.")
    model.load_state_dict(weights, assign=True)
    if config.tied:
        model.tie()  # each name was given a parameter of its own
    return model.eval()


def without_weights(config: ModelConfig) -> LSTMModel:
    """A model of that shape whose weights are to come: its own are on the meta device, and take no memory."""
    with torch.device("meta"), _NothingNormal():
        return LSTMModel.from_config(config)


class _NothingNormal(TorchFunctionMode):
    """Leaves a tensor as it is where `nn.Embedding` would draw its first weights.

    On the meta device there is nothing to draw, and yet `normal_` there imports torch's compiler first: over a
    second and 50 MB at every start.
    """

    def __torch_function__(
        self, func: Callable, types: Collection[type], args: tuple = (), kwargs: dict | None = None
    ) -> object:
        kwargs = kwargs or {}
        return kwargs["tensor"] if func is nn.init.normal_ else func(*args, **kwargs)


def _read_weights(path: Path, model: LSTMModel) -> dict[str, Tensor]:
    """The tensors of the file in fp32; read, not mapped, so that a file replaced later changes nothing here.

    Each is read into its own memory: the whole file read first would be held a second time.
    """
    try:
        weights = load_file(path, backend="pread")
    except (SafetensorError, OSError) as error:
        raise CheckpointError("model.safetensors is truncated or not a safetensors file.") from error
    expected = model.state_dict()
    if model.config.tied and DECODER not in weights:
        del expected[DECODER]
    if weights.keys() != expected.keys():
        odd = sorted(weights.keys() ^ expected.keys())
        raise CheckpointError(
            f"model.safetensors does not hold this model: {len(odd)} tensors are missing or foreign"
            f" ({len(expected)} are expected, encoder.weight to decoder.bias)."
        )
    for name, tensor in weights.items():
        shape, wanted = tuple(tensor.shape), tuple(expected[name].shape)
        if shape != wanted:
            raise CheckpointError(f"model.safetensors: {name} is {shape}; config.json says {wanted}.")
        if tensor.dtype not in (torch.float16, torch.bfloat16, torch.float32):
            raise CheckpointError(f"model.safetensors: {name} is {tensor.dtype}; float32, float16 or bfloat16.")
        if not all(extreme.isfinite() for extreme in torch.aminmax(tensor)):  # a NaN is both extremes
            raise CheckpointError(f"model.safetensors: {name} holds values that are not finite numbers.")
        weights[name] = tensor.float()
    return weights
