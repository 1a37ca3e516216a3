"""What is shown is text, marked where it should be."""

import re
from html.parser import HTMLParser

import pytest

import lmdemo
from lmdemo.evaluation import Interval
from lmdemo.fidelity import Estimate
from lmdemo.generation import Generation, GenerationSettings, Writing
from lmdemo.limits import Limit
from lmdemo.ui import markup, prose

EVIL = ["<img src=x onerror=alert(1)>", "</p>", "&lt;", "${alert(1)}", "{{value}}", '"quoted"', "<eos>"]


class Reader(HTMLParser):
    """The tags of a piece of HTML, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list) -> None:  # noqa: ARG002
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def _generation(*texts: list[str], prompt: tuple[str, ...] = ()) -> Generation:
    writings = {
        name: Writing(tuple(words), tuple(0.01 * (n + 1) for n in range(len(words))), True)
        for name, words in zip(("fp32", "int8", "int4-embedding"), texts, strict=False)
    }
    return Generation(GenerationSettings(), prompt, (), writings, True)


@pytest.mark.parametrize("raw", [True, False])
def test_words_are_text_whatever_they_contain(raw: bool) -> None:
    html = markup.texts(_generation(EVIL, EVIL[::-1], prompt=tuple(EVIL)), raw, {})
    read = Reader(html)
    assert set(read.tags) <= {"div", "section", "header", "h2", "span", "i", "p", "mark"}
    for word in EVIL[:-2]:
        assert word in read.text.replace("“", '"')


def test_every_position_that_differs_is_marked_and_the_first_stands_out() -> None:
    html = markup.texts(_generation("a b c d e".split(), "a x c y e".split()), raw=False, limits={})
    assert html.count("<mark") == 4
    assert html.count('<mark class="first">') == 2
    assert '<mark class="first">b</mark>' in html
    assert "<mark>y</mark>" in html


def test_of_several_variants_each_is_marked_where_it_leaves_the_first() -> None:
    html = markup.texts(_generation("a b c".split(), "a b x".split(), "a y c".split()), raw=False, limits={})
    base, int8, int4 = html.split("<section")[1:]
    assert re.findall(r"<mark[^>]*>(.*?)</mark>", base) == ["b", "c"]
    assert re.findall(r"<mark[^>]*>(.*?)</mark>", int8) == ["x"]
    assert re.findall(r"<mark[^>]*>(.*?)</mark>", int4) == ["y"]
    assert html.count('class="first"') == 3


def test_the_limit_is_marked_on_the_meter_or_at_its_end() -> None:
    generation = _generation(["a"], ["b"])  # 100 words/s each
    near, far = (Limit(1, 1, bandwidth=speed, peak=1e9) for speed in (125.0, 2000.0))
    html = markup.texts(generation, raw=False, limits={"fp32": near, "int8": far})
    assert html.count('class="limit beyond" style="left:100.0%"') == 2
    assert "80% of the limit" in html
    assert "5% of the limit" in html
    slow = Limit(1, 1, bandwidth=50.0, peak=1e9)
    assert 'class="limit" style="left:50.0%"' in markup.texts(generation, raw=False, limits={"fp32": slow})


def test_a_paragraph_end_that_differs_can_be_seen() -> None:
    html = markup.texts(_generation(["a", "<eos>"], ["a", "b"]), raw=False, limits={})
    assert '<mark class="first">¶</mark>' in html


def test_raw_tokens_are_the_models_words() -> None:
    words = ["do", "n't", "@-@", "<eos>"]
    assert "do n't @-@ <eos>" in Reader(markup.texts(_generation(words, words), raw=True, limits={})).text


@pytest.mark.parametrize(
    ("one", "other", "sentence"),
    [
        ("a b c", "a b c", "No word of 3 differs."),
        ("a b c", "a x y", "2 of 3 words differ, first at word 2."),
        ("a b c", "a x c", "1 of 3 words differs, at word 2."),
        ("", "", "fp32 and int8 are starting."),
    ],
)
def test_where_the_texts_part_is_a_sentence(one: str, other: str, sentence: str) -> None:
    assert prose.parting(_generation(one.split(), other.split())) == sentence


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Interval(3.0412, 2.91, 3.17, 40), "3.0 (2.9 – 3.2)"),
        (Interval(3.04121, 3.0402, 3.0422, 40), "3.041 (3.040 – 3.042)"),
        (Interval(1234.5, 1100, 1400, 40), "1,200 (1,100 – 1,400)"),
        (Interval(2.345, float("nan"), float("nan"), 3), "about 2.3"),
    ],
)
def test_no_more_digits_than_the_interval_supports(value: Interval, text: str) -> None:
    assert prose.interval(value) == text


def test_several_variants_get_a_sentence_with_where_each_parts() -> None:
    generation = _generation("a b c".split(), "a b c".split(), "a y c".split())
    assert prose.parting(generation) == "First word that differs from fp32: int8 none, int4-embedding 2."


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Estimate(0.00429, 0.0001), "0.0043 ± 0.0001"),
        (Estimate(-0.00041, 0.0002), "−0.0004 ± 0.0002"),
        (Estimate(1e-9, 1e-9), "0"),
        (Estimate(-1e-9, 0.001), "0.0000 ± 0.0010"),
        (Estimate(1234.5, float("nan")), "1,234.5000"),
    ],
)
def test_an_estimate_carries_its_error(value: Estimate, text: str) -> None:
    assert prose.estimate(value, 4) == text


def test_an_unknown_visitor_word_is_shown_as_text(tiny: lmdemo.LSTMModel, words: lmdemo.Vocabulary) -> None:
    *_, final = lmdemo.generate({"fp32": tiny, "int8": tiny}, words, "<b>bold", words=2)
    assert "<b>" not in markup.status(prose.parting(final), prose.unknown_words(final))
    assert "&lt;b&gt;" in markup.status(prose.parting(final), prose.unknown_words(final))
