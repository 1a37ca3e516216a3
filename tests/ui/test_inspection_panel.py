"""What the panel says of a word, and what it shows."""

import math
import re
from collections.abc import Mapping
from dataclasses import replace

import pytest

from lmdemo.generation import GenerationSettings
from lmdemo.inspecting import Candidate, Inspection
from lmdemo.report import prose
from lmdemo.server.service import Service
from lmdemo.ui import inspecting
from lmdemo.ui.inspecting import panel, title, why

SETTINGS = GenerationSettings(temperature=0.8, top_k=40)


def place(
    chosen: Mapping[str, str], words: Mapping[str, tuple], noise: float | None = 1.0, **settings: object
) -> object:
    """An inspection of `chosen` among `words`: the chances and the scores of each, by model."""
    candidates = tuple(
        Candidate(word, noise, dict(zip(chosen, chances, strict=True)), dict(zip(chosen, scores, strict=True)))
        for word, (chances, scores) in words.items()
    )
    kl = {name: 0.0 if name.endswith("channel") else 0.0021 for name in list(chosen)[1:]}
    return Inspection(replace(SETTINGS, **settings), 28, next(iter(chosen.values())), chosen, candidates, kl)


TIPPED = {
    "I": ((0.149, 0.148), (3.0, 3.0)),
    "If": ((0.0102, 0.0087), (4.02, 3.9)),
    "Mr.": ((0.0052, 0.0049), (4.0, 4.1)),
}
APART = {"fp32": "If", "int8": "Mr."}


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            place(APART, TIPPED),
            "Word 29: a toss-up between two rare words. Both met the same dice. “If” was ahead of “Mr.” by 0.02 for"
            " fp32, and behind by 0.20 for int8.",
        ),
        (
            place(
                APART, {"If": ((0.4, 0.3), (1.0, 0.9)), "Mr.": ((0.3, 0.4), (0.9, 1.0))}, noise=None, temperature=0.0
            ),
            "Word 29: a toss-up between two likely words. No dice: each takes its likeliest word. “If” was ahead of"
            " “Mr.” by 0.10 for fp32, and behind by 0.10 for int8.",
        ),
        (
            place(APART, {"If": ((0.4, 0.1), (4.0, 3.0)), "Mr.": ((0.1, 0.4), (3.0, 4.0))}),
            "Word 29: int8 thought otherwise. Both met the same dice. “If” was ahead of “Mr.” by 1.00 for fp32, and"
            " behind by 1.00 for int8.",
        ),
        (
            place(APART, {"If": ((0.02, 0.02), (4.0, 4.0)), "Mr.": ((0.0, 0.02), (-math.inf, 4.1))}),
            "Word 29: int8 thought otherwise. Both met the same dice. “Mr.” is not among the 40 likeliest of fp32.",
        ),
        (
            place({"fp32": "I", "int8": "I"}, TIPPED),
            "Word 29: both chose “I”. The likeliest word, dice and all.",
        ),
        (
            place({"fp32": "If", "int8": "If"}, TIPPED),
            "Word 29: both chose “If”. The dice, the same for both, lifted it over likelier words.",
        ),
        (place({"fp32": "<eos>"}, {"<eos>": ((0.5,), (1.0,))}), "Word 29: “¶”. The likeliest word, dice and all."),
    ],
    ids=["rare", "greedy", "otherwise", "beyond top-k", "likeliest", "lifted", "alone"],
)
def test_one_sentence_says_what_tipped_the_choice(found: Inspection, said: str) -> None:
    assert f"{title(found)}. {why(found)}" == said


def text(html: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def test_bars_are_as_long_as_chances_and_the_chosen_words_are_marked() -> None:
    html = panel(place(APART, TIPPED))
    shares = re.findall(r"--variant:var\(--(\w+)\);--share:([\d.]+)%", html)
    expected = [("fp32", 100.0), ("int8", 99.3), ("fp32", 6.8), ("int8", 5.8), ("fp32", 3.5), ("int8", 3.3)]
    assert [(name, float(share)) for name, share in shares] == expected
    assert "I 14.9% 14.8% If fp32 1.02% 0.87% Mr. int8 0.52% 0.49%" in text(html)
    assert html.count('class="taken"') == 2
    assert "If +1.00 4.02 3.90 Mr. +1.00 4.00 4.10" in text(html)
    assert re.findall(r"<b>([\d.]+)</b>", html) == ["4.02", "4.10"]
    assert "Chances at temperature 0.8 among each one’s 40 likeliest words" in html
    assert "0.0021 nats. A coin that falls heads 53.2% of the time" in html


def test_of_several_the_first_that_chose_otherwise_is_drawn_and_the_others_are_told() -> None:
    chosen = {"fp32": "I", "int8": "I", "int8-per-channel": "I", "int4-embedding": "If"}
    found = place(chosen, {"I": ((0.5,) * 4, (2.0, 2.0, 2.0, 2.0)), "If": ((0.5,) * 4, (1.9, 1.9, 1.9, 2.1))})
    assert inspecting.pair(found) == ("fp32", "int4-embedding")
    assert "int8 chose “I”, KL 0.0021 int8-per-channel chose “I”, KL 0" in text(panel(found))


EVIL = "<img src=x onerror=alert(1)>"


def test_words_are_text_whatever_they_contain() -> None:
    html = panel(place({"fp32": EVIL, "int8": "{{value}}"}, {EVIL: TIPPED["If"], "{{value}}": TIPPED["Mr."]}))
    assert "<img" not in html
    assert "&lt;img src=x onerror=alert(1)&gt;" in html


@pytest.fixture(scope="module")
def service() -> Service:
    return Service()


def test_a_place_of_the_last_run_is_answered(service: Service) -> None:
    *_, last = service.lab.generate(GenerationSettings("It was", 5), ["int8", "int4-embedding"])
    (update,) = inspecting.look(service, 4, last, prose.origin(service.lab.checkpoint))
    assert 'data-place="4"' in update["panel"]
    assert "Word 5: " in update["panel"]


@pytest.mark.parametrize("wrong", [5, -1, None, "4", 0.5, math.nan, True, [1]])
def test_a_place_that_is_none_gets_a_sentence(service: Service, wrong: object) -> None:
    *_, last = service.lab.generate(GenerationSettings("It was", 5), ["int8"])
    (update,) = inspecting.look(service, wrong, last, prose.origin(service.lab.checkpoint))
    assert "Position must be a whole number from 0 to 4" in update["panel"]


def test_a_run_of_another_model_or_that_was_forgotten_gets_a_sentence(service: Service) -> None:
    *_, last = service.lab.generate(GenerationSettings("It was", 5), ["int8"])
    for run, origin, sentence in (
        (last, "someone/other at 0123456", inspecting.ANOTHER),
        (None, None, inspecting.FORGOTTEN),
    ):
        (update,) = inspecting.look(service, 0, run, origin)
        assert sentence in update["panel"]
        assert 'role="alert"' in update["panel"]
