"""The engine that multiplies 8-bit integers: chosen where torch has chosen none, and quiet.

torch's wheels for macOS support qnnpack and leave the engine at "none", so that nothing can be quantized
(https://github.com/pytorch/pytorch/issues/123507). It knows nothing of models.
"""

import warnings
from functools import cache

import torch

NONE = "none"


def engine() -> str:
    """The quantized engine of this process, ready to be used; where none was chosen, the first that torch supports.

    It stays "none" where torch supports none at all.
    """
    quantized = torch.backends.quantized
    if quantized.engine == NONE:
        quantized.engine = next((name for name in quantized.supported_engines if name != NONE), NONE)
    if quantized.engine == "qnnpack":
        _hear_qnnpack()
    return quantized.engine


@cache
def _hear_qnnpack() -> None:
    """Let qnnpack say, once a process and to nobody, that it ignores `reduce_range`, which torch's modules always ask.

    An operator that is called from Python writes its warnings straight to the standard error
    (https://github.com/pytorch/pytorch/pull/193451); one that a script calls hands them to Python's `warnings`.
    """
    script = torch.jit.CompilationUnit(
        "def product(row, weight: __torch__.torch.classes.quantized.LinearPackedParamsBase):\n"
        "    return torch.ops.quantized.linear_dynamic(row, weight, True)\n"
    )
    weight = torch.quantize_per_tensor(torch.zeros(1, 1), scale=1.0, zero_point=0, dtype=torch.qint8)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Currently, qnnpack incorrectly ignores reduce_range", UserWarning)
        script.product(torch.zeros(1, 1), torch.ops.quantized.linear_prepack(weight))
