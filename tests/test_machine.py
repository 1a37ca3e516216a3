"""What else ran is seen."""

import time

import pytest

from lmdemo.machine import Interference, Watch, _processor_seconds, this_machine


def test_the_machine_is_told() -> None:
    machine = this_machine()
    assert machine.cpu
    assert machine.threads >= 1
    assert machine.torch.startswith("2.")


@pytest.mark.parametrize(
    ("own", "busy", "stolen", "expected"),
    [
        (0.0, 2.0, 0.0, (0.5, 0.0)),  # another process takes one of two processors
        (2.0, 2.0, 1.0, (0.0, 0.25)),  # all of it is this process's; the host takes half of one
        (2.0, 1.9, 0.0, (0.0, 0.0)),  # the system counts in coarser steps than the process's own clock
    ],
)
def test_what_others_took_is_a_share_of_all_processors(
    monkeypatch: pytest.MonkeyPatch, own: float, busy: float, stolen: float, expected: tuple[float, float]
) -> None:
    """Two seconds on two processors, the counters as given."""
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    counters = iter([((10.0, 1.0), 100.0, 5.0), ((10.0 + busy, 1.0 + stolen), 102.0, 5.0 + own)])

    def advance() -> None:
        processors, clock, own = next(counters)
        monkeypatch.setattr("lmdemo.machine._processor_seconds", lambda: processors)
        monkeypatch.setattr("time.perf_counter", lambda: clock)
        monkeypatch.setattr("time.thread_time", lambda: own)

    advance()
    watch = Watch()
    with watch.computing():
        advance()
    assert watch.read() == Interference(2.0, *expected)


def test_the_counters_of_the_system_go_on() -> None:
    """What this process takes is in them."""
    before = _processor_seconds()
    if before is None:  # not on Linux
        assert Watch().read().others is None
        return
    began = time.process_time()
    while time.process_time() - began < 0.1:
        pass
    assert _processor_seconds()[0] >= before[0] + 0.05
