"""What is shown is text, marked where it should be."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

import lmdemo
from lmdemo.evaluation import Comparison, EvalResult, Interval
from lmdemo.generation import Along, Generation, GenerationSettings, Writing
from lmdemo.latency import Latencies
from lmdemo.machine import Interference
from lmdemo.roofline import Limit
from lmdemo.ui import markup, prose, writing

EVIL = ["<img src=x onerror=alert(1)>", "</p>", "&lt;", "${alert(1)}", "{{value}}", '"quoted"', "<eos>"]


class Reader(HTMLParser):
    """The tags of a piece of HTML, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(str(html))  # of Markup, what is added to it would be escaped

    def handle_starttag(self, tag: str, attrs: list) -> None:  # noqa: ARG002
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


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


@pytest.mark.parametrize("raw", [True, False])
def test_words_are_text_whatever_they_contain(raw: bool) -> None:
    html = markup.texts(_generation(EVIL, EVIL[::-1], prompt=tuple(EVIL)), raw, {})
    read = Reader(html)
    assert set(read.tags) <= {"div", "section", "header", "h2", "span", "i", "p", "mark", "small"}
    for word in EVIL[:-2]:
        assert word in read.text.replace("“", '"')


def test_a_choice_is_marked_in_the_baseline_and_every_other_word_where_it_stands() -> None:
    """Along fp32's words int8 chose otherwise at one place; its own text has another word at a second one too."""
    html = markup.texts(_generation("a b c d e".split(), "a x c y e".split()), raw=False, limits={})
    base, int8 = html.split("<section")[1:]
    assert re.findall(r"<mark[^>]*>(.*?)</mark>", base) == ["b"]
    assert re.findall(r'<small class="chosen"[^>]*>(.*?)</small>', base) == ["x"]
    assert re.findall(r"<mark[^>]*>(.*?)</mark>", int8) == ["x", "y"]
    assert "</small>" not in int8.split("<p>")[1]
    assert html.count('<mark class="first">') == 2


def test_of_several_variants_each_is_marked_where_it_leaves_the_first() -> None:
    html = markup.texts(_generation("a b c".split(), "a b x".split(), "a y c".split()), raw=False, limits={})
    base, int8, int4 = html.split("<section")[1:]
    assert re.findall(r"<mark[^>]*>(.*?)</mark>", base) == ["b", "c"]
    assert re.findall(r"--variant:var\(--([\w-]+)\)[^>]*>(\w)</small>", base) == [
        ("int4-embedding", "y"),
        ("int8", "x"),
    ]
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
    assert prose.parting(_generation(one.split(), other.split())) == sentence


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Interval(3.0412, 2.91, 3.17, 40), "3.04 (2.91 to 3.17)"),
        (Interval(3.04121, 3.0402, 3.0422, 40), "3.041 (3.040 to 3.042)"),
        (Interval(1234.5, 1100, 1400, 40), "1,230 (1,100 to 1,400)"),
        (Interval(5000.0, 2000.0, 5000.0, 40), "5,000 (2,000 to 5,000)"),
        (Interval(2.345, float("nan"), float("nan"), 3), "about 2.3"),
    ],
)
def test_no_more_digits_than_the_interval_supports(value: Interval, text: str) -> None:
    assert prose.interval(value) == text


def test_several_variants_get_a_line_each() -> None:
    generation = _generation("a b c".split(), "a b c".split(), "a y c".split())
    assert prose.parting(generation).splitlines() == [
        "int8 chose another word at none of 3 places.",
        "int4-embedding chose another word at 1 of 3 places. Left to itself it goes another way from word 2.",
    ]
    going = replace(generation, final=False, along={**generation.along, "int4-embedding": Along({1: "y"}, 2)})
    assert "at 1 of 2 places so far." in prose.parting(going)


@pytest.mark.parametrize(
    ("value", "half", "text"),
    [
        (0.00429, 0.0001, "0.00429 (0.00419 to 0.00439)"),
        (-0.00041, 0.00019, "−0.00041 (−0.00060 to −0.00022)"),
        (1e-9, 1e-9, "0"),
        (0.001, 0.001, "0.0010 (0 to 0.0020)"),
        (1234.5, 100.0, "1,230 (1,130 to 1,330)"),
        (1.0, 0.0, "1"),
        (0.0276, 0.0, "0.0276"),
    ],
)
def test_an_estimate_carries_its_interval_in_the_same_notation(value: float, half: float, text: str) -> None:
    assert prose.ranged(value, value - half, value + half, most=5) == text


def test_an_unknown_visitor_word_is_shown_as_text(tiny: lmdemo.LSTMModel, words: lmdemo.Vocabulary) -> None:
    *_, final = lmdemo.generate({"fp32": tiny, "int8": tiny}, words, "<b>bold", words=2)
    assert "<b>" not in markup.status(prose.parting(final), prose.unknown_words(final))
    assert "&lt;b&gt;" in markup.status(prose.parting(final), prose.unknown_words(final))


def _comparison(seconds: dict[str, list[float]], others: float | None = 0.0, stolen: float | None = 0.0) -> Comparison:
    blocks = len(seconds["fp32"])
    return Comparison(
        window=25,
        tokens=25 * blocks,
        results={name: EvalResult(4.0, 25 * blocks, sum(times)) for name, times in seconds.items()},
        block_tokens=(25,) * blocks,
        block_seconds={name: tuple(times) for name, times in seconds.items()},
        interference=Interference(sum(map(sum, seconds.values())), others, stolen),
        order_seed=0,
        final=True,
    )


STEADY = {"fp32": [0.20, 0.21] * 10, "fp32-packed": [0.10, 0.11] * 10, "int8": [0.05, 0.051] * 10}


def test_a_steady_run_on_a_quiet_machine_raises_no_doubt() -> None:
    assert prose.doubts(_comparison(STEADY)) == ""
    assert prose.doubts(_comparison(STEADY, None, None)) == ""  # where the system does not tell
    assert markup.warning("") == ""


@pytest.mark.parametrize(
    ("comparison", "sentence"),
    [
        (
            _comparison(STEADY | {"int8": [0.02, 0.2] * 10}),
            r"The spread is wide, [\d,]+ \([\d,]+ to [\d,]+\) words/s for int8: measure more words",
        ),
        (
            _comparison(STEADY, others=0.4),
            r"^Other work, with this app’s for others, took 40% of the processors meanwhile\.$",
        ),
        (_comparison(STEADY, stolen=0.05), r"^The host of this virtual machine took 5% of its processor time away\.$"),
    ],
)
def test_what_makes_a_timing_doubtful_is_told(comparison: Comparison, sentence: str) -> None:
    assert re.search(sentence, prose.doubts(comparison))


def test_the_verdict_names_both_baselines() -> None:
    assert prose.speed_verdict(_comparison(STEADY)) == (
        "int8 reads at 4.06× (4.00 to 4.12) the speed of fp32, 2.08× (2.00 to 2.16) that of fp32-packed."
    )


def test_a_difference_within_the_noise_is_not_claimed() -> None:
    same = {"fp32": [0.1, 0.2] * 10, "int8": [0.2, 0.1] * 10}
    assert prose.speed_verdict(_comparison(same)).startswith("The noise on this machine hides any difference in speed")


def test_why_a_variant_is_not_to_be_had_is_told_as_text() -> None:
    html = markup.variants_list({"fp32": "As trained.", "int9": "Odd."}, "", {"int9": "int9 cannot run here: <b>."})
    assert Reader(html).tags.count("b") == 0
    assert "Odd. int9 cannot run here: <b>." in Reader(html).text
    assert prose.unavailable({}) == ""
    assert prose.unavailable({"int9": "int9 cannot run here."}) == "Not available here: int9 cannot run here."


def test_what_words_wait_for_is_said_from_the_share_of_the_limit() -> None:
    """At 250 words a block: fp32 reads about 122 words/s, int8 495."""
    comparison = _comparison({"fp32": [0.20, 0.21] * 10, "int8": [0.05, 0.051] * 10})
    limits = {"fp32": Limit(1, 1, bandwidth=1e9, peak=200.0), "int8": Limit(1, 1, bandwidth=1e9, peak=5_000.0)}
    assert prose.why(comparison, limits) == (
        "Read 25 at a time, most of a word’s time goes into multiplying with fp32 (61% of its limit); the calls"
        " themselves and what else a word needs with int8 (10% of its limit)."
    )
    assert prose.why(comparison, {}) == ""


def test_writing_is_a_table_and_a_sentence_of_its_own() -> None:
    measured = Latencies({"fp32": (0.02, 0.021) * 100, "fp32-packed": (0.01,) * 200, "int8": (0.005,) * 200}, True)
    assert writing.verdict(measured) == (
        "A word at a time, it writes at 4.1× the speed of fp32, 2× that of fp32-packed."
    )
    assert writing.rows(measured)["int8"] == {
        "× fp32": "4.1",
        "× fp32-packed": "2",
        "words/s": "200",
        "ms a word, median": "5",
        "95% take at most": "5 ms",
    }
    assert writing.verdict(replace(measured, final=False)) == writing.verdict(None) == ""
    even = Latencies({"fp32": (0.02, 0.021) * 100, "int8": (0.021, 0.02) * 100}, True)
    assert writing.verdict(even).startswith("Written one at a time, words show no difference in speed")
