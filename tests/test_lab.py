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


def test_the_example_is_the_first_seed_whose_texts_part_in_the_first_half(lab: Lab) -> None:
    example = lab.first(timeout=120).generation
    settings = example.settings
    assert example.first_difference < settings.words // 2
    for seed in range(1, settings.seed):
        *_, other = lab.generate(GenerationSettings(settings.prompt, settings.words, seed=seed))
        assert other.first_difference is None or other.first_difference >= settings.words // 2


@pytest.mark.parametrize("tokens", [0, 99, 10**9, "abc", float("nan"), None])
def test_a_bad_slice_is_answered_with_its_range(lab: Lab, tokens: object) -> None:
    most = min(20_000, lab.available_tokens)
    with pytest.raises(lmdemo.InputError, match=f"^Tokens must be a whole number from 100 to {most:,}"):
        lab.compare(tokens)
