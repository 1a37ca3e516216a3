"""Made once, whoever asks."""

import threading

import pytest

from lmdemo.once import Once


def test_many_threads_get_what_the_first_has_made() -> None:
    going, made = threading.Event(), []

    def make() -> object:
        going.wait()
        made.append(object())
        return made[-1]

    once, got = Once(make), []
    threads = [threading.Thread(target=lambda: got.append(once())) for _ in range(8)]
    for thread in threads:
        thread.start()
    going.set()
    for thread in threads:
        thread.join()
    assert got == made * 8


def test_what_fails_is_tried_again() -> None:
    answers = iter([ValueError("not yet"), None])

    def make() -> None:
        if error := next(answers):
            raise error

    once = Once(make)
    with pytest.raises(ValueError, match="not yet"):
        once()
    assert once() is None
    assert once() is None
