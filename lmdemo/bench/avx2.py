"""The contest of loops once more as on a processor with AVX2 and no more, where this one has more.

A processor's instruction set cannot be changed within a process: it is found out when torch is loaded. ONNX Runtime
cannot be told, and takes no part.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass

import torch

from lmdemo.bench.app import ROOT
from lmdemo.errors import LmdemoError

# Of torch, and of the libraries within it that multiply: each looks at the processor for itself. FBGEMM is stock int8.
ASKED = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "FBGEMM_ENABLE_INSTRUCTIONS": "AVX2",
}
COMPILER = "-mno-avx512f -mno-avxvnni"  # of our own kernel, which is otherwise built for all that is here


@dataclass(frozen=True)
class Narrower:
    """What the process measured."""

    report: str  # Markdown
    figures: dict[str, object]


def has_more() -> bool:
    """Whether torch uses more of this processor than AVX2."""
    return torch.backends.cpu.get_cpu_capability() == "AVX512"


def measure_under_avx2(rounds: int) -> Narrower:
    """The command itself in a process of its own, `rounds` rounds.

    Raises:
        LmdemoError: the process failed.
    """
    environment = os.environ | ASKED | {"CC": f"{os.environ.get('CC') or 'cc'} {COMPILER}"}
    command = [sys.executable, "-m", "lmdemo", "bench", "--only", "speed", "--rounds", str(rounds)]
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, encoding="utf-8")
    if done.returncode:
        raise LmdemoError("The benchmark under AVX2 failed; what it said stands above.")
    report, figures = done.stdout.rstrip().rsplit("\n", 1)
    return Narrower(report.rstrip(), json.loads(figures))
