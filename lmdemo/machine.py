"""What the measurements were taken on, and what else ran there meanwhile."""

import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from lmdemo.cpu import cpu_name


@dataclass(frozen=True)
class Machine:
    """The facts a timing depends on."""

    cpu: str
    capability: str  # the instruction set torch dispatches to
    torch: str
    engine: str  # what computes quantized products
    threads: int  # that torch may use
    python: str
    system: str


def this_machine() -> Machine:
    """The machine and torch of this process."""
    return Machine(
        cpu=cpu_name(),
        capability=torch.backends.cpu.get_cpu_capability(),
        torch=str(torch.__version__),  # a class of its own, which YAML would write out as such
        engine=torch.backends.quantized.engine,
        threads=torch.get_num_threads(),
        python=platform.python_version(),
        system=platform.platform(terse=True),
    )


MUCH = 0.10  # of the machine, taken by other work, from which on a timing is in doubt
MUCH_STOLEN = 0.02  # by the host, which takes from one processor as it pleases
# seconds; the system counts in steps of 10 ms on each processor, so what was watched for less says little
LEAST, LEAST_STOLEN = 0.5, 1.0


@dataclass(frozen=True)
class Interference:
    """What else took processor time while something was measured, as shares of all this machine's processors.

    None where the system does not tell (anything but Linux).
    """

    seconds: float  # watched
    others: float | None  # by other processes here
    stolen: float | None  # by the host of a virtual machine, for its other guests

    @property
    def by_others(self) -> bool:
        """Whether other work took so much that timings are in doubt."""
        return self.seconds >= LEAST and (self.others or 0.0) > MUCH

    @property
    def by_host(self) -> bool:
        """Whether the host took so much."""
        return self.seconds >= LEAST_STOLEN and (self.stolen or 0.0) > MUCH_STOLEN

    @property
    def disturbed(self) -> bool:
        """Whether either did."""
        return self.by_others or self.by_host


class Watch:
    """Watches from its making; `read` tells what interfered since.

    What is done within `computing` is what is measured. Anything else interferes: other processes, and this one as it
    serves somebody meanwhile.
    """

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._own = 0.0
        self._busy, self._stolen = _processor_seconds() or (0.0, 0.0)

    @contextmanager
    def computing(self) -> Iterator[None]:
        """While what is measured runs, in the thread that calls; with more than one of torch's, in this process."""
        began = _own_seconds()
        try:
            yield
        finally:
            self._own += _own_seconds() - began

    def read(self) -> Interference:
        """What interfered so far."""
        seconds = time.perf_counter() - self._began
        now = _processor_seconds()
        if now is None or seconds == 0:
            return Interference(seconds, None, None)
        available = seconds * (os.cpu_count() or 1)
        others = now[0] - self._busy - self._own
        stolen = now[1] - self._stolen
        return Interference(seconds, *(min(1.0, max(0.0, share / available)) for share in (others, stolen)))


def _own_seconds() -> float:
    return time.thread_time() if torch.get_num_threads() == 1 else time.process_time()


def _processor_seconds() -> tuple[float, float] | None:
    """Seconds, over all processors since the start, spent on any process and stolen by the host (proc(5), stat)."""
    path = Path("/proc/stat")
    if not path.is_file():
        return None
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, path.read_text().split(maxsplit=9)[1:9])
    second = os.sysconf("SC_CLK_TCK")
    return (user + nice + system + irq + softirq) / second, steal / second
