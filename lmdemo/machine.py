"""What the measurements were taken on."""

import platform
from dataclasses import dataclass
from pathlib import Path

import torch


@dataclass(frozen=True)
class Machine:
    """The facts a timing depends on."""

    cpu: str
    capability: str  # the instruction set torch dispatches to
    torch: str
    engine: str  # what computes quantized products
    threads: int  # that torch may use


def this_machine() -> Machine:
    """The machine and torch of this process."""
    return Machine(
        cpu=_cpu_name(),
        capability=torch.backends.cpu.get_cpu_capability(),
        torch=str(torch.__version__),  # a class of its own, which YAML would write out as such
        engine=torch.backends.quantized.engine,
        threads=torch.get_num_threads(),
    )


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
