"""What the variants wrote is text, with what 8 bits changed marked in it, and said over it."""

import re
from dataclasses import replace

import pytest

import lmdemo
from lmdemo.generation import Along, Generation, GenerationSettings, Writing
from lmdemo.report import choices
from lmdemo.ui import markup, texts
from reader import Reader

EVIL = ["<img src=x onerror=alert(1)>", "</p>", "&lt;", "${alert(1)}", "{{value}}", '"quoted"', "<eos>"]


def _generation(*texts: list[str], prompt: tuple[str, ...] = ()) -> Generation:
    writings = {
        name: Writing(tuple(words), tuple(0.01 * (n + 1) for n in range(len(words))), True)
        for name, words in zip(("fp32", "int8", "int4-embedding"), texts, strict=False)
    }
    along = {
        name: Along(_others(texts[0], words), len(words)) for name, words in [*zip(writings, texts, strict=True)][1:]
    }
    return Generation(GenerationSettings(), prompt, (), writings, True, along)


def _others(baseline: list[str], words: list[str]) -> dict[int, str]:
    """The first word that differs, as if the variant chose the baseline's at all places after it."""
    pairs = enumerate(zip(baseline, words, strict=True))
    return dict([(position, other) for position, (one, other) in pairs if one != other][:1])


def _sections(*written: list[str], raw: bool = False) -> list[str]:
    """The HTML of each text."""
    return str(texts.side_by_side(_generation(*written), raw, under_way=False)).split("<section")[1:]


def _marked(html: str) -> list[str]:
    return re.findall(r"<mark[^>]*>(.*?)</mark>", html)


@pytest.mark.parametrize("raw", [True, False])
def test_words_are_text_whatever_they_contain(raw: bool) -> None:
    html = texts.side_by_side(_generation(EVIL, EVIL[::-1], prompt=tuple(EVIL)), raw, under_way=False)
    read = Reader(html)
    assert set(read.tags) <= {"div", "section", "header", "h2", "span", "p", "mark", "small"}
    for word in EVIL[:-2]:
        assert word in read.text.replace("“", '"')


def test_a_choice_stands_beside_the_baselines_word_and_an_own_way_is_marked_as_one() -> None:
    """Along fp32's words int8 chose otherwise at one place; its own text has another word at a second one too."""
    base, int8 = _sections("a b c d e".split(), "a x c y e".split())
    assert _marked(base) == ["b"]
    assert re.findall(r'<small class="chosen"[^>]*>(.*?)</small>', base) == ["x"]
    assert '<p dir="auto"><span class="prompt"></span>a <span class="own"><mark>x</mark> c y e</span></p>' in int8


def test_every_word_of_the_baseline_is_an_element_with_its_place() -> None:
    words = ["a", "b", ",", "<eos>", "c"]
    base, int8 = _sections(words, ["a", "x", ",", "<eos>", "c"])
    assert re.findall(r'data-word="(\d)"[^>]*>(?:<mark>)?(.*?)<', base) == [
        ("0", "a"),
        ("1", "b"),
        ("2", ","),
        ("3", "¶"),
        ("4", "c"),
    ]
    assert "data-word" not in int8


def test_of_several_variants_each_is_marked_where_it_leaves_the_first() -> None:
    base, int8, int4 = _sections("a b c".split(), "a b x".split(), "a y c".split())
    assert _marked(base) == ["b", "c"]
    assert re.findall(r"--variant:var\(--([\w-]+)\)[^>]*>(\w)</small>", base) == [
        ("int4-embedding", "y"),
        ("int8", "x"),
    ]
    assert _marked(int8) == ["x"]
    assert _marked(int4) == ["y"]


def test_a_paragraph_end_that_differs_can_be_seen() -> None:
    base, int8 = _sections(["a", "<eos>"], ["a", "b"])
    assert _marked(base) == ["¶"]
    assert _marked(int8) == ["b"]
    assert re.findall(r'<small class="chosen"[^>]*>(.*?)</small>', _sections(["a"], ["<eos>"])[0]) == ["¶"]


def test_raw_tokens_are_the_models_words() -> None:
    words = ["do", "n't", "@-@", "<eos>"]
    assert "do n't @-@ <eos>" in Reader(_sections(words, words, raw=True)[0]).text


def test_a_variant_that_writes_the_same_has_nothing_marked() -> None:
    assert _marked("".join(_sections(["a", "b"], ["a", "b"]))) == []
    (alone,) = _sections(["a", "b"])
    assert "legend" not in str(texts.side_by_side(_generation(["a", "b"]), raw=False, under_way=False))
    assert 'data-word="1"' in alone


@pytest.mark.parametrize(
    ("one", "other", "sentence"),
    [
        ("a b c", "a b c", "int8 chose another word at none of 3 places."),
        (
            "a b c",
            "a x y",
            "int8 chose another word at 1 of 3 places. Left to itself it goes another way from word 2.",
        ),
        ("", "", "fp32 and int8 are starting."),
    ],
)
def test_where_the_texts_part_is_a_sentence(one: str, other: str, sentence: str) -> None:
    generation = _generation(one.split(), other.split())
    assert choices.parting(generation) == sentence
    assert Reader(texts.verdict(generation)).text.strip() == sentence


def test_several_variants_get_a_line_each() -> None:
    generation = _generation("a b c".split(), "a b c".split(), "a y c".split())
    assert choices.parting(generation).splitlines() == [
        "int8 chose another word at none of 3 places.",
        "int4-embedding chose another word at 1 of 3 places. Left to itself it goes another way from word 2.",
    ]
    going = replace(generation, final=False, along={**generation.along, "int4-embedding": Along({1: "y"}, 2)})
    assert "at 1 of 2 places so far." in choices.parting(going)
    lines = re.findall("<li>.*?</li>", texts.verdict(generation))
    assert [" ".join(Reader(line).text.split()) for line in lines] == [
        "int8 none of 3 same text",
        "int4-embedding 1 of 3 own way from word 2",
    ]


def test_an_unknown_visitor_word_is_shown_as_text(tiny: lmdemo.LSTMModel, words: lmdemo.Vocabulary) -> None:
    *_, final = lmdemo.generate({"fp32": tiny, "int8": tiny}, words, "<b>bold", words=2)
    assert "<b>" not in markup.status(choices.parting(final), choices.unknown_words(final))
    assert "&lt;b&gt;" in markup.status(choices.parting(final), choices.unknown_words(final))


def test_a_word_from_right_to_left_does_not_turn_what_stands_around_it() -> None:
    assert [choices.isolated(word) for word in ("word", "12", "שלום", "٣")] == [
        "word",
        "12",
        "\u2068שלום\u2069",
        "\u2068٣\u2069",
    ]
