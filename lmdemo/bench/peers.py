"""ONNX Runtime on the same weights, in fp32 and dynamically quantized to int8: a peer to be measured against.

The graph is written out by hand, an LSTM node a layer, so that it holds what the model holds and nothing that an
exporter adds. Its gates come in ONNX's order, i o f g.

Reference: https://onnx.ai/onnx/operators/onnx__LSTM.html
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from lmdemo.model import LSTMModel, ModelConfig

OPSET = 17  # which the runtime's quantizer knows


class OnnxModel:
    """A model in ONNX Runtime, one thread: ids (T,) and a state to logits (T, ntoken) and the next state."""

    def __init__(self, path: Path, config: ModelConfig) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors only
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._states = [f"{kind}{layer}" for layer in range(config.nlayers) for kind in "hc"]
        self._outputs = ["logits", *(f"{state}_next" for state in self._states)]
        self.start = {state: np.zeros((1, 1, config.nhid), np.float32) for state in self._states}

    def __call__(self, ids: np.ndarray, state: Mapping[str, np.ndarray]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        logits, *after = self._session.run(self._outputs, {"ids": ids.reshape(-1, 1), **state})
        return logits, dict(zip(self._states, after, strict=True))


def onnx_models(model: LSTMModel) -> dict[str, OnnxModel]:
    """The model in ONNX Runtime, as it is and with LSTM and MatMul quantized to int8."""
    with tempfile.TemporaryDirectory() as folder:
        fp32, int8 = Path(folder, "fp32.onnx"), Path(folder, "int8.onnx")
        onnx.save(_graph(model), fp32)
        quantize_dynamic(fp32, int8, op_types_to_quantize=["LSTM", "MatMul"], weight_type=QuantType.QInt8)
        return {path.stem: OnnxModel(path, model.config) for path in (fp32, int8)}


def _graph(model: LSTMModel) -> onnx.ModelProto:
    config, weights = model.config, {name: value.numpy() for name, value in model.state_dict().items()}
    constants = {
        "embedding": weights["encoder.weight"],
        "decoder": np.ascontiguousarray(weights["decoder.weight"].T),
        "bias": weights["decoder.bias"],
        "directions": np.array([1]),
        "flat": np.array([-1, config.nhid]),
    }
    nodes = [helper.make_node("Gather", ["embedding", "ids"], ["x0"])]  # (T, 1, ninp)
    for layer in range(config.nlayers):
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        w, r, *biases = (_onnx_gates(weights[f"rnn.{name}_l{layer}"]) for name in names)
        constants |= {f"w{layer}": w[None], f"r{layer}": r[None], f"b{layer}": np.concatenate(biases)[None]}
        inputs = [f"x{layer}", f"w{layer}", f"r{layer}", f"b{layer}", "", f"h{layer}", f"c{layer}"]
        outputs = [f"y{layer}", f"h{layer}_next", f"c{layer}_next"]  # y: (T, directions, 1, nhid)
        nodes += [
            helper.make_node("LSTM", inputs, outputs, hidden_size=config.nhid),
            helper.make_node("Squeeze", [f"y{layer}", "directions"], [f"x{layer + 1}"]),
        ]
    nodes += [
        helper.make_node("Reshape", [f"x{config.nlayers}", "flat"], ["rows"]),  # (T, nhid)
        helper.make_node("MatMul", ["rows", "decoder"], ["products"]),
        helper.make_node("Add", ["products", "bias"], ["logits"]),
    ]
    states = [f"{kind}{layer}" for layer in range(config.nlayers) for kind in "hc"]
    shape = [1, 1, config.nhid]
    graph = helper.make_graph(
        nodes,
        "lstm",
        inputs=[helper.make_tensor_value_info("ids", TensorProto.INT64, ["T", 1])]
        + [helper.make_tensor_value_info(state, TensorProto.FLOAT, shape) for state in states],
        outputs=[helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["T", config.ntoken])]
        + [helper.make_tensor_value_info(f"{state}_next", TensorProto.FLOAT, shape) for state in states],
        initializer=[numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)


def _onnx_gates(values: np.ndarray) -> np.ndarray:
    """Torch's order of gates along the first dimension, i f g o, as i o f g."""
    i, f, g, o = np.split(values, 4)
    return np.concatenate([i, o, f, g])
