"""What each model thought at one place of a text."""

import copy
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch

import lmdemo
from lmdemo.generation import Generation, GenerationSettings
from lmdemo.noise import Noise


def written(models: dict, vocabulary: lmdemo.Vocabulary, **settings: object) -> Generation:
    *_, final = lmdemo.generate(models, vocabulary, **settings)
    return final


@pytest.mark.parametrize(
    ("names", "how"),
    [
        (["fp32", "fp32-packed", "int8", "int8-packed", "int4-embedding"], {"seed": 1}),
        (["fp32", "int8"], {"seed": 1, "temperature": 0.8, "top_k": 40, "allow_unk": True}),
    ],
    ids=["all words", "top-k"],
)
def test_at_every_place_the_choices_are_those_of_the_run(
    bundled: lmdemo.Checkpoint, names: list[str], how: dict
) -> None:
    """Of int8 too, whose activations have a scale a window: it must read here in the windows that it wrote in."""
    models = lmdemo.build_variants(bundled.model, names)
    run = written(models, bundled.vocabulary, prompt="It was a cold night in November, and", words=80, **how)
    text = run.writings["fp32"].words
    assert run.choices("int8")
    for position, word in enumerate(text):
        found = lmdemo.inspect(models, bundled.vocabulary, run.settings, text, position)
        assert found.written == word
        assert found.chosen == {name: run.choices(name).get(position, word) for name in names}
        for name in names:
            best = max(found.candidates, key=lambda candidate, name=name: candidate.scores[name])
            assert best.word == found.chosen[name]


@pytest.fixture
def fixed(words: lmdemo.Vocabulary) -> Callable[..., lmdemo.LSTMModel]:
    """A model whose logits are the same at every place: those given, by word; of all other words −20."""

    def make(**logits: float) -> lmdemo.LSTMModel:
        model = lmdemo.LSTMModel(len(words), 2, 2, 1).eval()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.zero_()
            model.decoder.bias.fill_(-20.0)
            for word, logit in logits.items():
                model.decoder.bias[words.id(word)] = logit
        return model

    return make


def test_what_is_told_is_what_a_hand_computes(fixed: Callable, words: lmdemo.Vocabulary) -> None:
    """Odds of 4 to 2 to 1 against 2 to 2 to 1, at temperature ½ their squares; <unk>, likelier, is not drawn."""
    one = fixed(the=math.log(4), word0=math.log(2), word1=0.0)
    other = fixed(the=math.log(2), word0=math.log(2), word1=0.0)
    one.decoder.bias.data[words.id("<unk>")] = other.decoder.bias.data[words.id("<unk>")] = math.log(8)
    settings = GenerationSettings("word3", temperature=0.5, top_k=2, seed=7)
    found = lmdemo.inspect({"one": one, "other": other}, words, settings, ["word5", "the", "word5"], 1)
    assert (found.position, found.written) == (1, "the")
    assert [candidate.word for candidate in found.candidates] == ["the", "word0"]
    noise = Noise(7, 1, len(words)).values()
    for word, odds in (("the", {"one": 16, "other": 4}), ("word0", {"one": 4, "other": 4})):
        candidate = found.candidate(word)
        assert candidate.noise == pytest.approx(noise[words.id(word)])
        assert candidate.probabilities == pytest.approx({"one": odds["one"] / 20, "other": odds["other"] / 8})
        scores = {name: math.log(each) + noise[words.id(word)] for name, each in odds.items()}
        assert candidate.scores == pytest.approx(scores, rel=1e-5)
    for name in ("one", "other"):
        assert found.chosen[name] == max(("the", "word0"), key=lambda word: found.candidate(word).scores[name])
    assert found.lead("one", "the", "word0") - found.lead("other", "the", "word0") == pytest.approx(math.log(4))
    # of the whole distributions, <unk> among them: 8, 4, 2, 1 of 15 against 8, 2, 2, 1 of 13
    kl = 8 / 15 * math.log(13 / 15) + 4 / 15 * math.log(2 * 13 / 15) + 3 / 15 * math.log(13 / 15)
    assert found.kl == pytest.approx({"other": kl}, rel=1e-5)


def test_a_choice_beyond_the_likeliest_ten_is_told_too(tiny: lmdemo.LSTMModel, words: lmdemo.Vocabulary) -> None:
    other = copy.deepcopy(tiny)
    other.decoder.bias.data[words.id("word7")] += 50.0
    beside = set()
    for seed in range(20):
        found = lmdemo.inspect({"one": tiny, "other": other}, words, GenerationSettings(seed=seed), ["the"], 0)
        told = [candidate.word for candidate in found.candidates]
        chances = [candidate.probabilities["one"] for candidate in found.candidates[:10]]
        assert chances == sorted(chances, reverse=True)
        assert sum(chances) <= 1
        assert found.chosen["other"] == "word7"
        assert set(found.chosen.values()) | set(told[:10]) == set(told)
        assert len(set(told)) == len(told)
        beside.add(len(told) - 10)
    assert beside & {1, 2}


def test_where_the_likeliest_word_is_taken_there_is_no_noise(fixed: Callable, words: lmdemo.Vocabulary) -> None:
    """Chances are then at temperature 1 and of all words, whatever top-k says."""
    model = fixed(the=math.log(3), word0=0.0)
    settings = GenerationSettings(temperature=0.0, top_k=1)
    found = lmdemo.inspect({"one": model}, words, settings, ["the"], 0)
    assert found.chosen == {"one": "the"}
    assert found.kl == {}
    assert [candidate.word for candidate in found.candidates[:2]] == ["the", "word0"]
    assert found.candidate("word0").probabilities["one"] == pytest.approx(0.25)
    assert found.candidate("word0").noise is None
    assert found.lead("one", "the", "word0") == pytest.approx(math.log(3))


def test_a_word_that_may_not_be_drawn_has_no_chance_and_no_score(fixed: Callable, words: lmdemo.Vocabulary) -> None:
    """The other's likeliest word, which is beyond the baseline's top one."""
    models = {"one": fixed(the=1.0), "other": fixed(word0=1.0)}
    found = lmdemo.inspect(models, words, GenerationSettings(top_k=1), ["the"], 0)
    assert [candidate.word for candidate in found.candidates] == ["the", "word0"]
    assert found.candidate("word0").probabilities == {"one": 0.0, "other": 1.0}
    assert found.candidate("word0").scores["one"] == -math.inf
    assert np.isfinite(found.kl["other"])


@pytest.mark.parametrize(
    ("text", "position", "sentence"),
    [
        (["the"], 1, "Position must be a whole number from 0 to 0 (the text's last word)."),
        (["the", "word1"], -1, "Position must be a whole number from 0 to 1 (the text's last word)."),
        (["the"], True, "Position must be a whole number from 0 to 0 (the text's last word)."),
        (["the", "zebra"], 0, "The word at position 1 is none that this model has."),
        (["the", None], 0, "The word at position 1 is none that this model has."),
        ([], 0, "Words must be a list of 1 to 1,000 words."),
        ("the", 0, "Words must be a list of 1 to 1,000 words."),
        (["the"] * 1001, 0, "Words must be a list of 1 to 1,000 words."),
    ],
)
def test_bad_input_gets_a_sentence(
    tiny: lmdemo.LSTMModel, words: lmdemo.Vocabulary, text: object, position: object, sentence: str
) -> None:
    with pytest.raises(lmdemo.InputError) as caught:
        lmdemo.inspect({"fp32": tiny}, words, GenerationSettings(), text, position)
    assert str(caught.value) == sentence


def test_no_models_are_a_sentence(words: lmdemo.Vocabulary) -> None:
    with pytest.raises(lmdemo.InputError, match=r"^Models must be one or more"):
        lmdemo.inspect({}, words, GenerationSettings(), ["the"], 0)
