"""What else ran is seen."""

import os
import subprocess
import sys
import time

import pytest

from lmdemo.machine import Watch, this_machine

SPIN = "import time\nend = time.monotonic() + 20\nwhile time.monotonic() < end: pass"


def test_the_machine_is_told() -> None:
    machine = this_machine()
    assert machine.cpu
    assert machine.threads >= 1
    assert machine.torch.startswith("2.")


def test_another_process_that_takes_a_processor_is_seen() -> None:
    with subprocess.Popen([sys.executable, "-c", SPIN]) as process:
        time.sleep(0.3)  # it has started
        watch = Watch()
        time.sleep(1.5)
        seen = watch.read()
        process.kill()
    assert seen.seconds == pytest.approx(1.5, abs=0.5)
    assert 0.4 / os.cpu_count() < seen.others <= 1  # others may run too, and may take their part of its processor
    assert 0 <= seen.stolen <= 1


def test_what_this_process_takes_is_not_interference() -> None:
    """Spinning here adds nothing to what others take; in pairs, since a busy machine has its ups and downs."""
    added = []
    for _ in range(5):
        idle = Watch()
        time.sleep(0.4)
        others = idle.read().others
        spinning = Watch()
        while spinning.read().seconds < 0.4:
            pass
        added.append(spinning.read().others - others)
    assert sorted(added)[2] < 0.5 / os.cpu_count()
