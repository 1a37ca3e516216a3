"""A text of one's own: the words of text.py, the figures of fidelity.py, and what is refused."""

import math

import pytest
import torch
from torch import nn

import lmdemo
from lmdemo.fidelity import fidelity
from lmdemo.measured_text import doubt
from lmdemo.own_text import MAX_CHARACTERS, TextReading, take_text
from lmdemo.variants import TUTORIAL

TEXT = "It was a cold night. The old man didn't\nanswer at once; he went to the window."


def last(checkpoint: lmdemo.Checkpoint, models: dict[str, nn.Module], text: str, window: int = 200) -> TextReading:
    *before, final = lmdemo.read_text(checkpoint, models, text, window)
    assert final.final
    assert not any(snapshot.words for snapshot in before)
    return final


def test_the_same_model_under_two_names_parts_nowhere(bundled: lmdemo.Checkpoint) -> None:
    found = last(bundled, {"one": bundled.model, "two": bundled.model}, TEXT, window=7)
    one, two = found.words["one"], found.words["two"]
    assert set(one.kl) | set(two.kl) == {0.0}
    assert one.losses == two.losses
    assert len(one.losses) == len(found.text.words) == 22


class Fixed(lmdemo.LSTMModel):
    """A model of four words whose logits are its decoder's bias, whatever it reads."""

    def __init__(self, probabilities: list[float]) -> None:
        super().__init__(4, 2, 2, 1)
        nn.init.zeros_(self.decoder.weight)
        self.decoder.bias = nn.Parameter(torch.tensor(probabilities).log())


def test_each_word_has_the_figures_of_a_case_computed_by_hand() -> None:
    """p = (1/2, 1/4, 1/8, 1/8) against q = (1/4, 1/2, 1/8, 1/8): KL is 1/2 ln 2 - 1/4 ln 2 at each word."""
    one, other = Fixed([1 / 2, 1 / 4, 1 / 8, 1 / 8]), Fixed([1 / 4, 1 / 2, 1 / 8, 1 / 8])
    vocabulary = lmdemo.Vocabulary(["a", "b", "<eos>", "<unk>"])
    checkpoint = lmdemo.Checkpoint(one.config, one, vocabulary, torch.tensor([0, 1]), "none", "here")
    found = last(checkpoint, {"p": one, "q": other}, "a b\nzebra a", window=2)
    assert found.text.words == ("a", "b", "<eos>", "zebra", "a")
    p, q = found.words["p"], found.words["q"]
    assert p.losses == pytest.approx([math.log(n) for n in (2, 4, 8, 8, 2)])
    assert q.losses == pytest.approx([math.log(n) for n in (4, 2, 8, 8, 4)])
    assert p.kl == (0.0,) * 5
    assert q.kl == pytest.approx([0.25 * math.log(2)] * 5)
    assert (found.text.unknown, found.text.unknown_share) == ({"zebra": 1}, 0.25)


def test_its_figures_are_those_of_an_evaluation(bundled: lmdemo.Checkpoint) -> None:
    """Of the same words in the same windows; and the mean of what each word has is the figure of all."""
    models = lmdemo.build_variants(bundled.model, TUTORIAL)
    found = last(bundled, models, TEXT, window=9)
    *_, run = fidelity(models, found.text.ids, 9)
    assert found.evaluation.fidelity.results == run.results
    assert found.evaluation.comparison.results["int8"].loss == lmdemo.evaluate(models["int8"], found.text.ids, 9).loss
    for name, words in found.words.items():
        assert sum(words.losses) / len(words.losses) == pytest.approx(run.results[name].loss.value)
        assert sum(words.kl) / len(words.kl) == pytest.approx(run.results[name].kl.value)
    assert all(kl > 0 for kl in found.words["int8"].kl)
    assert found.evaluation.unknown_share == found.text.unknown_share == 0


def test_its_words_are_those_that_a_prompt_has(bundled: lmdemo.Checkpoint) -> None:
    vocabulary = bundled.vocabulary
    own = take_text(vocabulary, f"{TEXT} Zyxqwv met Qwvzyx, Zyxqwv.")
    assert own.ids.tolist() == [vocabulary.id("<eos>"), *vocabulary.encode(f"{TEXT} Zyxqwv met Qwvzyx, Zyxqwv.")]
    assert list(own.words) == vocabulary.tokenize(f"{TEXT} Zyxqwv met Qwvzyx, Zyxqwv.")
    assert list(own.unknown.items()) == [("Zyxqwv", 2), ("Qwvzyx", 1)]
    assert own.unknown_share == 3 / sum(word != "<eos>" for word in own.words)
    assert own.first is None


def test_a_vocabulary_without_marks_leaves_out_what_it_lacks_and_only_reads_the_first_word() -> None:
    own = take_text(lmdemo.Vocabulary(["a", "b"]), "zebra a b\nb zebra a")
    assert (own.first, own.words, own.ids.tolist()) == ("a", ("b", "b", "a"), [0, 1, 1, 0])
    assert (own.unknown, own.unknown_share) == ({"zebra": 2}, 1 / 3)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "The text is empty: paste at least two words."),
        (" \n\t\u200b", "The text is empty: paste at least two words."),
        ("night", "The text has one word: paste at least two."),
        ("Zyxqwv qwvzyx.", "This model knows fewer than two words of the text; paste one in its language."),
        ("a " * 10_001, f"The text has 20,002 characters; at most {MAX_CHARACTERS:,} are allowed."),
        (b"\x7fELF\x02\x01\x01\x00 the the".decode("latin-1"), "This is no text: too many"),
        (b"\x89PNG\xff\xfe the the the".decode(errors="replace"), "This is no text: too many"),
        (5, f"The text must be text of at most {MAX_CHARACTERS:,} characters."),
    ],
)
def test_what_cannot_be_measured_is_refused_at_once_and_not_repeated(
    text: object, sentence: str, bundled: lmdemo.Checkpoint
) -> None:
    with pytest.raises(lmdemo.InputError) as refused:
        lmdemo.read_text(bundled, {"fp32": bundled.model}, text)
    assert str(refused.value).startswith(sentence)
    assert "Zyxqwv" not in str(refused.value)


def test_a_tenth_of_unknown_words_is_warned_of() -> None:
    assert doubt(0.1, "your text") == "10% of your text’s words are not in the vocabulary: the loss on it says little."
    assert doubt(0.0999, "your text") == ""


def test_the_window_and_the_models_are_checked(bundled: lmdemo.Checkpoint) -> None:
    with pytest.raises(lmdemo.InputError, match="Window must be a whole number from 1 to 1,000"):
        lmdemo.read_text(bundled, {"fp32": bundled.model}, TEXT, window=0)
    with pytest.raises(lmdemo.InputError, match="Models must be one or more"):
        lmdemo.read_text(bundled, {}, TEXT)
