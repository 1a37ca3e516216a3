"""One computation at a time, and what can wait stands aside."""

import threading
import time
from collections.abc import Iterator

import pytest

from lmdemo.turns import Turns
from waiting import LAST_NET


def test_steps_of_two_computations_never_overlap() -> None:
    turns = Turns()
    running, most = 0, 0

    def steps() -> Iterator[int]:
        nonlocal running, most
        for step in range(1, 40):
            running += 1
            most = max(most, running)
            time.sleep(0.001)
            running -= 1
            yield step

    threads = [threading.Thread(target=lambda: list(turns.take(steps()))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_what_can_wait_takes_no_step_while_a_run_is_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    turns, waits, taken = Turns(), threading.Event(), []
    wait_for = turns._rest.wait_for
    monkeypatch.setattr(turns._rest, "wait_for", lambda rest: waits.set() or wait_for(rest))
    run = turns.take(iter("ab"))
    next(run)
    aside = threading.Thread(target=lambda: taken.extend(turns.take_at_rest(iter("cd"))), daemon=True)
    aside.start()
    assert waits.wait(LAST_NET)
    taken += run
    aside.join(LAST_NET)
    assert taken == ["b", "c", "d"]


def test_a_run_that_is_left_is_over() -> None:
    turns = Turns()
    run = turns.take(iter("ab"))
    next(run)
    run.close()
    assert list(turns.take_at_rest(iter("c"))) == ["c"]


def test_in_the_middle_of_a_step_too_what_can_wait_stands_aside() -> None:
    turns, within, done = Turns(), threading.Event(), []

    def steps() -> Iterator[str]:
        within.set()
        while "run" not in done:  # a step that would never end, did it keep its turn
            turns.stand_aside()
        yield "step"

    aside = threading.Thread(target=lambda: done.extend(turns.take_at_rest(steps())), daemon=True)
    aside.start()
    assert within.wait(LAST_NET)
    done += turns.take(iter(["run"]))
    aside.join(LAST_NET)
    assert done == ["run", "step"]
    assert not turns.turn.locked()
