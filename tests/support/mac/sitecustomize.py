"""With this folder on PYTHONPATH, a process finds torch as the macOS wheel for Apple silicon has it.

That is: qnnpack is the one quantized engine supported, none is chosen, and there is no oneDNN. Under the engine "none"
weights cannot be packed, as there.
"""

import torch

QNNPACK = 2  # c10/core/QEngine.h
_chosen = [0]  # none
_set_engine, _pack = torch._C._set_qengine, torch.ops.quantized.linear_prepack


def _choose(engine: int) -> None:
    if engine != QNNPACK:
        raise RuntimeError("quantized engine is not supported")
    _set_engine(engine)
    _chosen[0] = engine


def _prepack(weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.ScriptObject:
    if not _chosen[0]:
        raise RuntimeError("Didn't find engine for operation quantized::linear_prepack NoQEngine")
    return _pack(weight, bias)


torch._C._get_qengine = lambda: _chosen[0]
torch._C._supported_qengines = lambda: [QNNPACK]
torch._C._set_qengine = _choose
torch.ops.quantized.linear_prepack = _prepack
torch._C._has_mkldnn = False
torch._C._set_mkldnn_enabled(False)
