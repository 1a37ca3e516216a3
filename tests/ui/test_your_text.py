"""A text of one's own on the page: what is marked, what is named, what is refused, and that nothing of it is logged."""

import json
import logging
import re
from dataclasses import replace

import pytest
import torch

import lmdemo
from little_text import little_text
from lmdemo.fidelity import WordByWord
from lmdemo.own_text import TextReading, take_text
from lmdemo.server.log import JsonLines
from lmdemo.server.service import Service
from lmdemo.ui import hesitation, your_text
from lmdemo.variants import TUTORIAL

EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture
def tiny_checkpoint(tiny: lmdemo.LSTMModel, words: lmdemo.Vocabulary) -> lmdemo.Checkpoint:
    return lmdemo.Checkpoint(tiny.config, tiny, words, torch.tensor([1, 2]), "none", "here")


def reading(checkpoint: lmdemo.Checkpoint, text: str, *kl: float) -> TextReading:
    """A text as it was read, with these divergences of int8's in place of those that were measured."""
    *_, found = lmdemo.read_text(checkpoint, lmdemo.build_variants(checkpoint.model, TUTORIAL), text)
    run = found.evaluation.fidelity
    told = WordByWord(run.words["int8"].losses, kl or run.words["int8"].kl)
    run = replace(run, words={**run.words, "int8": told})
    return replace(found, evaluation=replace(found.evaluation, fidelity=run))


def test_a_word_is_marked_by_one_scale_and_the_text_reads_on(tiny_checkpoint: lmdemo.Checkpoint) -> None:
    html = hesitation.marked(
        reading(tiny_checkpoint, "the word1 word2\nthe . the", 0.0049, 0.005, 0.02, 9, 0.01, 0, 0.3)
    )
    text = html.partition('<div class="read">')[2]
    found = re.findall(r'<mark class="(kl\d)" title="KL ([\d.]+)">(.*?)</mark>', text)
    assert found == [("kl1", "0.005", "word1"), ("kl3", "0.02", "word2"), ("kl2", "0.01", "the"), ("kl4", "0.3", "the")]
    assert re.sub("<.*?>", "", text.replace("</p>", "|")) == "the word1 word2|the. the|"
    assert [hesitation.level(each) for each in (*hesitation.SCALE, 0.0)] == [1, 2, 3, 4, 0]
    assert re.findall(r'<mark class="(kl\d)">([\d.]+)</mark>', html) == [
        ("kl1", "0.005"), ("kl2", "0.01"), ("kl3", "0.02"), ("kl4", "0.05"),
    ]  # fmt: skip


def test_the_farthest_words_are_named_each_once_and_no_end_of_a_line() -> None:
    words, kl = ("a", "<eos>", "b", "a", "c", "d"), (0.01, 0.9, 0.02, 0.03, 0.04, 0.001)
    told = hesitation.farthest("int8", words, kl)
    assert told == "Farthest from fp32 at “c” (0.04), “a” (0.03), “b” (0.02); on average KL is 0.17 nats a word."
    assert hesitation.farthest("x", words, (0.0,) * 6) == "x expects what fp32 expects, at every word."


def test_unknown_words_are_counted_named_and_text(tiny_checkpoint: lmdemo.Checkpoint) -> None:
    text = f"the . {EVIL} zz1 zz2 zz2 zz3 zz4"
    html = hesitation.marked(reading(tiny_checkpoint, text))
    assert "<img" not in html
    assert '<span class="lacking">zz1</span>' in html
    own = take_text(tiny_checkpoint.vocabulary, text)
    told = hesitation.unknown(own, tiny_checkpoint.vocabulary)
    named = "= (2×), zz2 (2×), <, img, src and 10 others."
    assert told == f"Not in the model’s vocabulary and read as <unk>, 17 in all: {named}"
    few = lmdemo.Vocabulary(["the", "."])
    told = hesitation.unknown(take_text(few, "the . zz \u05e9\u05dc"), few)
    assert told == "Not in the model’s vocabulary and left out, 2 in all: zz, \u2068\u05e9\u05dc\u2069."
    assert hesitation.unknown(take_text(few, "the ."), few) == ""


@pytest.fixture(scope="module")
def service() -> Service:
    with little_text():
        return Service()


def test_a_run_ends_with_the_card_and_the_marks_and_logs_no_word(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    text = "The old man did not answer Zyxqwv. Zyxqwv went to the window."
    first, *_, end = your_text.read(service, text)
    assert "words read." in first["status"]
    assert first["marked"] == ""
    assert "14 words measured." in end["status"]
    assert "1 in all" not in end["status"]
    assert "2 in all: Zyxqwv (2×)." in end["status"]
    assert "14% of your text’s words are not in the vocabulary" in end["doubts"]
    assert "Should I ship int8?" in end["card"]
    assert "14 words in windows of 200" in end["card"]
    assert "Where int8 hesitates" in end["marked"]
    (line,) = [json.loads(JsonLines().format(record)) for record in caplog.records if record.msg == "job"]
    assert (line["kind"], line["asked"]) == ("page/text", {"text": f"{len(text)} characters"})
    assert "zyxqwv" not in caplog.text.lower()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "The text is empty: paste at least two words."),
        (10_000_000, "The text must be text of at most 20,000 characters."),  # as a page sends one that is too long
        ("Zyxqwv qwvzyx", "This model knows fewer than two words of the text; paste one in its language."),
        (EVIL * 2_000, "The text has 56,000 characters; at most 20,000 are allowed."),
    ],
)
def test_what_is_refused_gets_a_sentence_and_nothing_else_stays(service: Service, text: object, sentence: str) -> None:
    (update,) = your_text.read(service, text)
    assert sentence in update.pop("status")
    assert set(update.values()) == {""}


def test_after_stop_nothing_of_the_text_is_there() -> None:
    update = your_text.stopped()
    assert "Stopped." in update.pop("status")
    assert set(update.values()) == {""}
