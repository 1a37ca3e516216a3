"""A text is cut into passages without a word lost, and into stretches from its first word to its last."""

import numpy as np
import pytest

from lmdemo.passages import MOST_STRETCHES, means, passages, stretches


@pytest.mark.parametrize(
    ("words", "count", "longest"), [(1, 1, 1), (15, 15, 1), (100, 16, 7), (8_000, 16, 500), (8_715, 18, 485)]
)
def test_passages_are_of_one_length_and_hold_every_word_once(words: int, count: int, longest: int) -> None:
    found = passages(words)
    assert [place for passage in found for place in passage] == list(range(words))
    assert len(found) == count
    assert {len(passage) for passage in found} <= {longest - 1, longest}


@pytest.mark.parametrize(
    ("words", "count", "length"), [(1, 1, 1), (100, 1, 100), (101, 2, 100), (4_000, 157, 100), (20_000, 200, 100)]
)
def test_stretches_reach_from_the_first_word_to_the_last(words: int, count: int, length: int) -> None:
    found = stretches(words)
    assert (found[0].start, found[-1].stop) == (0, words)
    assert {len(stretch) for stretch in found} == {length}
    assert len(found) == count <= MOST_STRETCHES


def test_means_are_those_of_the_places() -> None:
    values = np.arange(10, dtype=np.float32)
    assert means(values, (range(2), range(1, 10), range(9, 10))).tolist() == [0.5, 5.0, 9.0]
