"""What is typed becomes the corpus's words, and its words become text to read."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lmdemo
from lmdemo.measured_text import SAMPLE
from lmdemo.text import EOS, UNK, Vocabulary, detokenize, most_frequent, read_corpus, spaced, tokenize

PENN = Vocabulary(
    "<unk> <eos> , . \" ' ? ! ; : ( ) — @-@ @,@ @.@ ... = do n't 's 'll ca Mr. Holmes he said it half mad the The cost"
    " 4 700 3 5 o clock boys hats £ I am cross I'm not here And you Well".split()
)
MOSES = Vocabulary("<unk> <eos> don 't it 's he said .".split())


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("“Don’t,” he said.", '" do n\'t , " he said .'),
        ("Mr. Holmes is half-mad.", "Mr. Holmes is half @-@ mad ."),
        ("mr. holmes", "Mr. Holmes"),
        ("THE cost: £4,700", "the cost : £ 4 @,@ 700"),
        ("3.5", "3 @.@ 5"),
        ("o’clock", "o ' clock"),
        ("he can't… I'm", "he ca n't ... I'm"),
        ("here--not here", "here — not here"),
        ("(not it?)", "( not it ? )"),
        ("it's", "it 's"),
        ("<unk>, he said", "<unk> , he said"),
        ("half @-@ mad", "half @-@ mad"),
        ("</s>", "< / s >"),
        ("it\x00 \u200bsaid\u202e", "it said"),
        ("\ud800it", "it"),
        ("it'he'said", "it ' he ' said"),
        ("it'n't", "it ' n't"),  # no empty word where the suffix was
        ("a'" * 1000, "a ' " * 999 + "a '"),  # as long as a prompt may be
    ],
)
def test_tokenize(typed: str, words: str) -> None:
    assert " ".join(tokenize(typed, PENN)) == words


def test_contractions_follow_the_vocabulary() -> None:
    assert MOSES.tokenize("he don't") == ["he", "don", "'t"]
    assert PENN.tokenize("he don't") == ["he", "do", "n't"]


def test_unknown_words_become_unk_and_are_reported() -> None:
    assert PENN.encode("he said zyx 😀") == [PENN.id("he"), PENN.id("said"), 0, 0]
    assert PENN.unknown("he said zyx 😀, zyx") == ["zyx", "😀"]
    assert Vocabulary(["a", "b"]).encode("a z b") == [0, 1]


def test_a_new_line_ends_a_paragraph() -> None:
    assert PENN.tokenize("  he said\n\r\n it \n") == ["he", "said", EOS, "it"]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ('" do n\'t , " he said .', "“Don’t,” he said.".replace("D", "d")),
        ("half @-@ mad , £ 4 @,@ 700 ( 3 @.@ 5 )", "half-mad, £4,700 (3.5)"),
        ("he said — not here", "he said—not here"),
        ("\" I said , ' it ' , \" he said", "“I said, ‘it’,” he said"),
        ("the boys ' hats at o ' clock", "the boys’ hats at o’clock"),
        ('he said . <eos> " it "', "he said.\n\n“it”"),
    ],
)
def test_detokenize(words: str, text: str) -> None:
    assert detokenize(words.split()) == text


@given(st.lists(st.sampled_from(PENN.words), max_size=40))
def test_there_is_one_piece_for_each_word_and_they_join_to_the_text(words: list[str]) -> None:
    pieces = spaced(words)
    assert len(pieces) == len(words)
    assert "".join(pieces).strip() == detokenize(words)


@given(st.text(max_size=200))
def test_any_text_encodes_and_what_was_read_once_reads_the_same_again(text: str) -> None:
    words = PENN.tokenize(text)
    assert all(word and word.split() == [word] for word in words)
    assert len(PENN.encode(text)) == len(words)
    assert tokenize(" ".join(words), set(words)) == words


def test_every_paragraph_of_the_sample_reads_back(bundled: lmdemo.Checkpoint) -> None:
    paragraphs = [line for line in SAMPLE.read_text(encoding="utf-8").splitlines() if line.strip()]
    known = [line for line in paragraphs if not bundled.vocabulary.unknown(line)]
    assert len(known) > len(paragraphs) / 4
    for line in known:
        # but for case: "guinea" is how the corpus writes Guinea
        assert bundled.vocabulary.decode(bundled.vocabulary.encode(line)).casefold() == line.casefold()


def test_the_sample_is_long_enough_and_known_enough(bundled: lmdemo.Checkpoint) -> None:
    text = SAMPLE.read_text(encoding="utf-8")
    ids = bundled.vocabulary.encode(text)
    assert len(text.split()) >= 6_000
    assert ids.count(bundled.vocabulary.id(UNK)) / len(ids) < 0.04


def test_reading_a_corpus_ends_every_line_blank_ones_too(tmp_path: Path) -> None:
    path = tmp_path / "train.txt"
    path.write_text(" \n = A title = \n \n he said it . \n", encoding="utf-8")
    assert read_corpus(path) == "<eos> = A title = <eos> <eos> he said it . <eos>".split()


def test_the_most_frequent_words_are_kept_most_frequent_first() -> None:
    vocabulary = most_frequent("a b a c a b <eos> d <eos>".split(), 4)
    assert vocabulary.words == ("a", EOS, "b", UNK)
