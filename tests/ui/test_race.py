"""A run slowed to what a reader can follow, on a clock that is given."""

import pytest

from lmdemo.generation import Generation, GenerationSettings, Writing
from lmdemo.ui import race


def run(**seconds_a_word: float) -> Generation:
    """Eighty words by each variant, evenly apart."""
    writings = {
        name: Writing(("word",) * 80, tuple(each * (number + 1) for number in range(80)), True)
        for name, each in seconds_a_word.items()
    }
    return Generation(GenerationSettings(words=80), (), (), writings, True)


def test_the_slower_writes_about_ten_words_a_second_and_the_faster_as_much_faster_as_it_was() -> None:
    tutorial = run(fp32=0.0025, int8=0.0005)
    assert race.slowed(tutorial) == 40
    ticks = iter([1.0, 1.6, 4.0, 8.1])
    frames = list(race.frames(tutorial, lambda: next(ticks)))
    written = [[len(writing.words) for writing in frame.writings.values()] for frame, _ in frames]
    assert written == [[0, 0], [10, 50], [16, 80], [40, 80]]
    assert [said for _, said in frames][1:3] == ["0.025 s on the clock.", "0.040 s on the clock."]
    assert not any(frame.final for frame, _ in frames)


@pytest.mark.parametrize(
    ("seconds_a_word", "line"),
    [
        ({"fp32": 0.0025, "int8": 0.0005}, "Slowed 40×; really 0.2 s against 0.04 s."),
        ({"fp32": 0.00162, "int8": 0.00025}, "Slowed 62×; really 0.13 s against 0.02 s."),
        ({"fp32": 0.1, "int8": 0.01}, "At its own speed; really 8 s against 0.8 s."),
        ({"fp32": 1.5, "int8": 0.5}, "2 times as fast; really 120 s against 40 s."),
        ({"fp32": 0.002}, "Slowed 50×; really fp32 0.16 s."),
        (
            {"fp32": 0.002, "int8": 0.001, "int8-packed": 0.0005},
            "Slowed 50×; really fp32 0.16 s, int8 0.08 s, int8-packed 0.04 s.",
        ),
    ],
)
def test_how_much_slower_it_is_and_what_it_really_took_are_said(seconds_a_word: dict, line: str) -> None:
    assert race.line(run(**seconds_a_word)) == line
