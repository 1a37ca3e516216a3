"""One computation at a time, and first results without anyone asking."""

import threading
import time
from collections.abc import Iterator

import pytest

import lmdemo
from lmdemo.generation import GenerationSettings
from lmdemo.lab import Lab


@pytest.fixture(scope="module")
def lab() -> Lab:
    return Lab(lmdemo.load_checkpoint())


def test_steps_of_two_computations_never_overlap(lab: Lab) -> None:
    running, most = 0, 0

    def steps() -> Iterator[int]:
        nonlocal running, most
        for step in range(1, 40):
            running += 1
            most = max(most, running)
            time.sleep(0.001)
            running -= 1
            yield step

    threads = [threading.Thread(target=lambda: list(lab._exclusive(steps()))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_a_visitor_who_leaves_in_the_middle_holds_nothing(lab: Lab) -> None:
    left = lab.generate(GenerationSettings(words=1000))
    next(left)
    *_, other = lab.generate(GenerationSettings(words=5))
    assert other.final


def test_first_results_are_there_without_anyone_asking(lab: Lab) -> None:
    assert lab.first(timeout=0) is None
    lab.start()
    first = lab.first(timeout=120)
    assert first.generation.final
    assert first.comparison.final
    assert first.comparison.tokens == 2000


def test_the_example_parts_or_says_that_it_does_not(lab: Lab) -> None:
    example = lab.first(timeout=120).generation
    earlier = range(1, example.settings.seed)
    for seed in earlier:
        *_, other = lab.generate(GenerationSettings(example.settings.prompt, example.settings.words, seed=seed))
        assert other.first_difference is None


@pytest.mark.parametrize("tokens", [0, 99, 10**9, "abc", float("nan"), None])
def test_a_bad_slice_is_answered_with_its_range(lab: Lab, tokens: object) -> None:
    most = min(20_000, lab.available_tokens)
    with pytest.raises(lmdemo.InputError, match=f"^Tokens must be a whole number from 100 to {most:,}"):
        lab.compare(tokens)
