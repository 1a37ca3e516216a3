"""Updates are paced by the clock."""

import time

from lmdemo.ui.events import throttled


def test_the_first_comes_at_once_and_the_last_always() -> None:
    assert list(throttled(iter(range(1000)), 10.0)) == [0, 999]
    assert list(throttled(iter([5]), 10.0)) == [5]
    assert list(throttled(iter([]), 10.0)) == []


def test_between_them_at_most_one_an_interval() -> None:
    def slow() -> object:
        for number in range(30):
            time.sleep(0.005)
            yield number

    shown = list(throttled(slow(), 0.05))
    assert shown[0] == 0
    assert shown[-1] == 29
    assert len(shown) < 10
