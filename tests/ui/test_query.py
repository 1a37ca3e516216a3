"""What a page is asked for survives the way through an address, and what is wrong with one is a sentence."""

from contextlib import suppress
from functools import partial
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lmdemo
from lmdemo.errors import InputError
from lmdemo.generation import MAX_PROMPT, MAX_SEED, MAX_TEMPERATURE, MAX_TOP_K, MAX_WORDS, GenerationSettings
from lmdemo.rounding import MATRICES, Rounding
from lmdemo.ui import query

OFFERED = tuple(lmdemo.VARIANTS)
HOSTS = ["http://127.0.0.1:7860/", "https://example.org/models/lstm/", "https://example.org/?seed=7&tab=size#top"]

chosen = st.lists(st.sampled_from(OFFERED[1:]), unique=True).map(
    lambda names: tuple(name for name in OFFERED if name in names)
)
settings = st.builds(
    GenerationSettings,
    prompt=st.text(max_size=MAX_PROMPT // 10),
    words=st.integers(1, MAX_WORDS),
    temperature=st.floats(0, MAX_TEMPERATURE),
    top_k=st.integers(0, MAX_TOP_K),
    seed=st.integers(0, MAX_SEED),
    allow_unk=st.booleans(),
)


@pytest.mark.parametrize("name", query.TABS)
def test_a_tab_is_named_by_an_address(name: str) -> None:
    assert query.tab(f"http://host/?tab={name}") == name


@pytest.mark.parametrize(("view", "tab"), query.VIEWS.items())
def test_an_exhibit_is_on_its_tab_and_what_is_asked_of_it_runs_at_once(view: str, tab: str) -> None:
    address = f"http://host/?tab=about&view={view}&words=12&tokens=300"
    assert query.tab(address) == tab
    written, measured = (
        query.writing(address, OFFERED, "It was"),
        query.measuring(address, OFFERED, 4000),
    )
    assert (written is None, measured is None) == (tab != "generate", tab != "evaluate")
    assert all(asked is None or asked.run for asked in (written, measured))
    assert query.writing(f"http://host/?view={view}&guess=1", OFFERED, "It was") is None


@pytest.mark.parametrize(("string", "guesses"), [("", False), ("guess=0", False), ("guess=1", True)])
def test_an_address_may_let_its_reader_guess_first(string: str, guesses: bool) -> None:
    assert query.guessing(f"http://host/?{string}") is guesses


def test_any_other_guess_is_a_sentence() -> None:
    with pytest.raises(InputError, match="Guess must be 0 or 1"):
        query.guessing("http://host/?guess=<b>")


@given(st.builds(query.GenerateQuery, settings, chosen, st.booleans()), st.sampled_from(HOSTS))
def test_what_is_to_be_written_comes_back_from_its_address(asked: query.GenerateQuery, host: str) -> None:
    address = query.join(host, asked.parameters())
    assert query.writing(address, OFFERED, "It was") == asked
    assert query.tab(address) == "generate"
    assert query.measuring(address, OFFERED, 20_000) is None


@given(
    st.builds(query.EvaluateQuery, st.integers(100, 20_000), st.integers(1, 1000), chosen, st.booleans()),
    st.sampled_from(HOSTS),
)
def test_what_is_to_be_measured_comes_back_from_its_address(asked: query.EvaluateQuery, host: str) -> None:
    address = query.join(host, asked.parameters())
    assert query.measuring(address, OFFERED, 20_000) == asked
    assert query.writing(address, OFFERED, "It was") is None


roundings = st.builds(
    Rounding,
    bits=st.integers(2, 8),
    per_row=st.booleans(),
    matrices=st.lists(st.sampled_from(MATRICES), min_size=1, unique=True),
)


@given(st.builds(query.BitsQuery, roundings, st.none() | settings), st.sampled_from(HOSTS))
def test_what_is_to_be_rounded_comes_back_from_its_address(asked: query.BitsQuery, host: str) -> None:
    address = query.join(host, asked.parameters())
    assert query.rounding(address, "It was") == asked
    assert query.tab(address) == "bits"
    assert query.writing(address, OFFERED, "It was") is None


@pytest.mark.parametrize("string", ["tab=bits", "view=bits", "tab=about&view=bits"])
def test_bits_that_are_not_named_are_those_that_the_page_begins_with(string: str) -> None:
    assert query.rounding(f"http://host/?{string}", "It was") == query.BitsQuery(Rounding(query.BITS), None)


@pytest.mark.parametrize(
    ("string", "sentence"),
    [
        ("bits=1", "Bits must be a whole number from 2 to 8."),
        ("bits=<b>", "Bits must be a whole number from 2 to 8."),
        ("scale=<b>", "Scale must be tensor or row."),
        ("matrices=", "Matrices must be one or more of embedding, LSTM, decoder."),
        ("matrices=LSTM,<b>", "Matrices must be a list of names among embedding, LSTM, decoder."),
        ("words=0", "Words must be a whole number from 1 to 1,000."),
    ],
)
def test_bad_bits_are_a_sentence(string: str, sentence: str) -> None:
    with pytest.raises(InputError) as refused:
        query.rounding(f"http://host/?tab=bits&{string}", "It was")
    assert str(refused.value) == sentence


@given(st.text(max_size=200))
def test_any_query_is_read_or_refused(string: str) -> None:
    reads = (query.tab, query.guessing, partial(query.rounding, prompt="It was"))
    for read in (*reads, lambda address: query.writing(address, OFFERED, "It was")):
        with suppress(InputError):  # nothing else
            read(f"http://host/?{string}")


@pytest.mark.parametrize("host", HOSTS)
def test_a_link_stays_on_its_host_and_path_whatever_the_prompt(host: str) -> None:
    prompt = "“A & B”? #1 + 100% of <i>\n../\\ 'it' 😀"
    address = query.join(host, query.GenerateQuery(GenerationSettings(prompt), ("int8",), True).parameters())
    before, after = urlsplit(host), urlsplit(address)
    assert (after.scheme, after.netloc, after.path) == (before.scheme, before.netloc, before.path)
    assert address.isascii()
    assert not set(address) & set(" +\"'<>\\#")
    assert "variants=int8&run=1" in address


def test_what_is_not_named_is_as_on_the_page() -> None:
    asked = query.writing("http://host/?words=12", OFFERED, "It was")
    assert asked == query.GenerateQuery(GenerationSettings("It was", 12), ("int8",), False)
    assert query.writing("http://host/?variants=", OFFERED, "It was").variants == ()
    assert query.measuring("http://host/?tab=evaluate&run=1", OFFERED, 900) == query.EvaluateQuery(
        900, 200, ("fp32-packed", "int8", "int8-packed"), True
    )


@pytest.mark.parametrize(
    "string", ["", "?", "?tab=size", "?tab=generate", "?embed=1&__theme=dark", "?tab=about&words=0"]
)
def test_an_address_may_ask_for_nothing(string: str) -> None:
    assert query.writing(f"http://host/{string}", OFFERED, "It was") is None
    assert query.measuring(f"http://host/{string}", OFFERED, 4000) is None


@pytest.mark.parametrize(
    ("string", "sentence"),
    [
        ("tab=<b>", "The tab of an address must be one of generate, size, evaluate, bits, model, about."),
        ("view=<b>", "The view of an address must be one of tiles, texts, size, evaluate, bits, shape."),
        ("words=0", "Words must be a whole number from 1 to 1,000."),
        ("words=many", "Words must be a whole number from 1 to 1,000."),
        ("words=" + "9" * 5000, "Words must be a whole number from 1 to 1,000."),
        ("temperature=nan", "Temperature must be a number from 0 to 5 (0 is greedy)."),
        ("top_k=", "Top-k must be a whole number from 0 to 1,000 (0 is all words)."),
        ("seed=1.5", "Seed must be a whole number from 0 to 4,294,967,295."),
        ("run=yes", "Run must be 0 or 1."),
        ("allow_unk=true", "Allow_unk must be 0 or 1."),
        ("variants=int8,<b>", "Variants must be a list of names among fp32, fp32-packed, int8,"),
        ("prompt=" + "x" * 3000, "Prompt has 3,000 characters; at most 2,000 are allowed."),
        ("a=1&" * 100, "An address has at most 64 parameters."),
    ],
)
def test_a_bad_value_is_a_sentence(string: str, sentence: str) -> None:
    with pytest.raises(InputError) as refused:
        query.writing(f"http://host/?{string}", OFFERED, "It was")
    assert str(refused.value).startswith(sentence)
    assert "<b>" not in str(refused.value)


@pytest.mark.parametrize(
    ("string", "sentence"),
    [("tokens=99", "Tokens must be a whole number from 100 to 4,000."), ("window=", "Window must be a whole number")],
)
def test_a_bad_slice_is_a_sentence(string: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence.split(" from")[0]):
        query.measuring(f"http://host/?tab=evaluate&{string}", OFFERED, 4000)
