"""Variants writing side by side."""

import copy
import math
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

import lmdemo
from lmdemo.generation import Along, Generation, Writing
from lmdemo.inference import runner
from lmdemo.noise import Noise


def last(snapshots: Iterator[Generation]) -> Generation:
    *_, final = snapshots
    return final


def test_a_model_against_itself_never_differs(tiny: lmdemo.LSTMModel, words: lmdemo.Vocabulary) -> None:
    final = last(lmdemo.generate({"one": tiny, "two": tiny}, words, "the", words=1000, seed=5))
    assert final.final
    assert final.compared == 1000
    assert final.differences == ()
    assert final.first_difference is None
    assert final.along == {"two": Along({}, 1000)}


@pytest.mark.parametrize("greedy", [True, False])
def test_choices_are_those_of_a_model_put_along_the_baselines_words(
    tiny: lmdemo.LSTMModel, words: lmdemo.Vocabulary, greedy: bool
) -> None:
    """A model whose bias alone differs chooses that word wherever the bias tips it; its LSTM is the baseline's."""
    other = copy.deepcopy(tiny)
    favourite = words.id("word7")
    with torch.no_grad():
        other.decoder.bias[favourite] += 0.05 if greedy else 2.0
    settings = {"words": 200, "temperature": 0.0 if greedy else 1.0, "seed": 3}
    final = last(lmdemo.generate({"one": tiny, "other": other}, words, "the", **settings))
    ids = words.encode(" ".join(final.writings["one"].words))
    with torch.no_grad():
        logits, _ = tiny(torch.tensor([words.id("<eos>"), words.id("the"), *ids]).unsqueeze(1), tiny.init_hidden(1))
    expected = {}
    for position, row in enumerate(logits[1:-1, 0].numpy()):
        scores = row if greedy else row + Noise(3, position, len(words)).values()
        scores[words.id("<unk>")] = -math.inf
        best = scores[ids[position]]
        scores[favourite] += 0.05 if greedy else 2.0
        if ids[position] != favourite and scores[favourite] > best:
            expected[position] = "word7"
    assert final.choices("other") == expected
    assert final.choices("one") == {}
    assert final.along["other"].reached == 200
    if not greedy:
        assert 0 < len(expected) < 200


def test_choices_of_the_bundled_model_are_those_of_a_plain_loop(bundled: lmdemo.Checkpoint) -> None:
    names = ["fp32", "int8-per-channel", "int8", "int4-embedding"]
    models = lmdemo.build_variants(bundled.model, names)
    vocabulary, counts = bundled.vocabulary, dict.fromkeys(names, 0)
    for seed in range(1, 5):
        final = last(lmdemo.generate(models, vocabulary, "It was", words=60, seed=seed))
        written = final.writings["fp32"].words
        for name in names:
            running = runner(models[name])
            with torch.inference_mode():
                running.prefill(torch.tensor([vocabulary.id("<eos>"), vocabulary.id("It")]), lambda: None)
                expected = {}
                for position, before in enumerate(("was", *written[:-1])):
                    scores = (
                        running.step(vocabulary.id(before)).numpy() + Noise(seed, position, len(vocabulary)).values()
                    )
                    scores[vocabulary.id("<unk>")] = -math.inf
                    chosen = vocabulary.words[int(scores.argmax())]
                    if chosen != written[position]:
                        expected[position] = chosen
            assert final.choices(name) == expected
            counts[name] += len(expected)
    assert counts["fp32"] == 0
    assert counts["int8"] > 0


def test_the_text_is_a_literal_loop_over_the_model(tiny: lmdemo.LSTMModel, words: lmdemo.Vocabulary) -> None:
    final = last(lmdemo.generate({"fp32": tiny}, words, "the word3", words=30, temperature=0.8, seed=9))
    ids, written = [words.id("<eos>"), *words.encode("the word3")], []
    for position in range(30):
        logits = tiny(torch.tensor(ids).unsqueeze(1), tiny.init_hidden(1))[0][-1, 0]
        logits[words.id("<unk>")] = -math.inf
        ids.append(int((logits.detach().numpy() / 0.8 + Noise(9, position, 50).values()).argmax()))
        written.append(words.words[ids[-1]])
    assert final.writings["fp32"].words == tuple(written)


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1])
def test_a_seed_reproduces_its_text(tiny: lmdemo.LSTMModel, words: lmdemo.Vocabulary, seed: int) -> None:
    models = lmdemo.build_variants(tiny)
    once, again = (last(lmdemo.generate(models, words, "", words=40, seed=seed)) for _ in range(2))
    assert [w.words for w in once.writings.values()] == [w.words for w in again.writings.values()]


def test_unk_is_written_only_when_asked_for(tiny: lmdemo.LSTMModel, words: lmdemo.Vocabulary) -> None:
    with torch.no_grad():
        tiny.decoder.bias[words.id("<unk>")] = 50.0
    plain = last(lmdemo.generate({"fp32": tiny}, words, "", words=50))
    asked = last(lmdemo.generate({"fp32": tiny}, words, "", words=50, allow_unk=True))
    assert "<unk>" not in plain.writings["fp32"].words
    assert set(asked.writings["fp32"].words) == {"<unk>"}


def test_snapshots_grow_and_the_last_is_final(bundled: lmdemo.Checkpoint) -> None:
    models = lmdemo.build_variants(bundled.model)
    lengths, finals = [], []
    for snapshot in lmdemo.generate(models, bundled.vocabulary, "It was", words=200):
        lengths.append(tuple(len(writing.words) for writing in snapshot.writings.values()))
        finals.append(snapshot.final)
    assert lengths == sorted(lengths)
    assert set(lengths[-1]) == {200}
    assert finals == [False] * (len(finals) - 1) + [True]
    assert all(writing.seconds > 0 and writing.words_per_second > 0 for writing in snapshot.writings.values())


def test_variants_part_only_where_quantization_tips_the_choice(bundled: lmdemo.Checkpoint) -> None:
    """With shared noise fp32 and int8 go together for words, where independent noise parts them at once."""
    models = lmdemo.build_variants(bundled.model)
    firsts = []
    for seed in range(12):
        final = last(lmdemo.generate(models, bundled.vocabulary, "It was", words=60, seed=seed))
        firsts.append(60 if final.first_difference is None else final.first_difference)
    assert sorted(firsts)[len(firsts) // 2] >= 5


def test_where_texts_differ_and_meet_again() -> None:
    def writing(text: str) -> Writing:
        words = tuple(text.split())
        return Writing(words, tuple(0.1 * (n + 1) for n in range(len(words))), True)

    settings = lmdemo.generation.GenerationSettings()
    snapshot = Generation(settings, (), (), {"a": writing("x y z w"), "b": writing("x q z v u")}, True)
    snapshot = replace(snapshot, along={"b": Along({1: "q", 3: "v"}, 4)})
    assert snapshot.compared == 4
    assert snapshot.differences == (1, 3)
    assert snapshot.first_difference == 1
    earlier = snapshot.at(0.25)
    assert earlier.writings["b"].words == ("x", "q")
    assert earlier.choices("b") == {1: "q"}
    assert earlier.along["b"].reached == 2
    assert not earlier.final


def test_unknown_words_of_the_prompt_are_reported(tiny: lmdemo.LSTMModel, words: lmdemo.Vocabulary) -> None:
    first, *others = lmdemo.generate({"one": tiny, "two": tiny}, words, "the zebra zebra", words=1000)
    assert first.prompt == ("the", "<unk>", "<unk>")
    assert first.unknown == ("zebra",)
    assert others
    for other in others:  # found out once a run, not once a snapshot
        assert other.prompt is first.prompt
        assert other.unknown is first.unknown


@pytest.mark.parametrize(
    "prompt", ["", " \n ", "😀 שלום \u202e", "<script>alert(1)</script>", "</s>", "a\x00b", "x" * 2000]
)
def test_odd_prompts_work(bundled: lmdemo.Checkpoint, prompt: str) -> None:
    models = lmdemo.build_variants(bundled.model)
    final = last(lmdemo.generate(models, bundled.vocabulary, prompt, words=3))
    assert all(len(writing.words) == 3 for writing in final.writings.values())


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("prompt", "x" * 10_000, "Prompt has 10,000 characters; at most 2,000 are allowed."),
        ("prompt", 7, "Prompt must be text of at most 2,000 characters."),
        *[("words", bad, "Words must be a whole number from 1 to 1,000.") for bad in (0, -1, 10**9, "abc", math.nan)],
        *[("words", bad, "Words must be a whole number from 1 to 1,000.") for bad in (True, None, 1.5, math.inf)],
        *[
            ("temperature", bad, "Temperature must be a number from 0 to 5 (0 is greedy).")
            for bad in (-1, math.inf, math.nan, "hot", None, 10**400)
        ],
        *[
            ("top_k", bad, "Top-k must be a whole number from 0 to 1,000 (0 is all words).")
            for bad in (-1, 1001, 2.5, [])
        ],
        *[("seed", bad, "Seed must be a whole number from 0 to 4,294,967,295.") for bad in (-1, 2**32, 1e300, "1")],
        ("allow_unk", "yes", "Allow <unk> must be true or false."),
    ],
)
def test_bad_input_gets_a_sentence_at_once(
    tiny: lmdemo.LSTMModel, words: lmdemo.Vocabulary, field: str, value: object, sentence: str
) -> None:
    settings = {"prompt": "the", field: value}
    with pytest.raises(lmdemo.InputError) as caught:
        lmdemo.generate({"fp32": tiny}, words, **settings)
    assert str(caught.value) == sentence
