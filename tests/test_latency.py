"""Words written one at a time, in turns."""

from contextlib import nullcontext

import numpy as np
import pytest

import lmdemo
from lmdemo import writers
from lmdemo.latency import SEED, TURN, TURNS, Latencies, write_in_turns
from lmdemo.machine import Interference, Watch


def test_every_variant_writes_as_many_words_in_turns(bundled: lmdemo.Checkpoint) -> None:
    models = lmdemo.build_variants(bundled.model, ["fp32", "int8"])
    *early, final = write_in_turns(models, bundled.vocabulary, 3)
    assert [snapshot.words for snapshot in early] == [TURN * turn for turn in range(1, TURNS)]
    assert final.final
    assert not any(snapshot.final for snapshot in early)
    assert final.words == TURN * TURNS
    assert all(seconds > 0 for times in final.seconds.values() for seconds in times)
    assert final.seconds["int8"][: early[0].words] == early[0].seconds["int8"]


def test_what_is_timed_is_the_text_that_is_written(bundled: lmdemo.Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """The words are those of the same run as texts, so noise and choice are in the time."""
    made = []
    begin = writers.Writer.__init__
    monkeypatch.setattr(writers.Writer, "__init__", lambda self, *asked: made.append(self) or begin(self, *asked))
    models = lmdemo.build_variants(bundled.model, ["fp32", "int8"])
    list(write_in_turns(models, bundled.vocabulary, 3))
    timed = [tuple(writer.words) for writer in made]
    words = TURN * (TURNS + 1)
    *_, texts = lmdemo.generate(models, bundled.vocabulary, "", words, seed=SEED, allow_unk=True)
    assert timed == [writing.words for writing in texts.writings.values()]


def test_only_what_is_timed_counts_as_computing(bundled: lmdemo.Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every turn that counts is within the watch's account; what else ran since is interference."""
    told = Interference(3.0, 0.2, 0.0)
    turns = []
    monkeypatch.setattr(Watch, "computing", lambda _: turns.append(1) or nullcontext())
    monkeypatch.setattr(Watch, "read", lambda _: told)
    *_, final = write_in_turns({"fp32": bundled.model}, bundled.vocabulary, 0)
    assert len(turns) == TURNS
    assert final.interference is told
    assert not final.sound


def test_figures_are_of_turns_and_of_words() -> None:
    slow, fast = np.full(4 * TURN, 0.02), np.full(4 * TURN, 0.005)
    fast[3] = 0.5
    measured = Latencies({"fp32": tuple(slow), "int8": tuple(fast)}, Interference(2.0, 0.0, 0.0), True)
    assert measured.speed("fp32").median == pytest.approx(50)
    assert measured.speedup("int8").median == pytest.approx(4)
    assert measured.speedup("fp32", over="int8").median == pytest.approx(0.25)
    assert measured.percentile("int8", 50) == 0.005
    assert measured.percentile("int8", 95) == 0.005
    assert measured.percentile("int8", 100) == 0.5


def test_a_pause_ends_it_between_two_turns(tiny: lmdemo.LSTMModel, words: lmdemo.Vocabulary) -> None:
    calls = iter(range(1_000))

    def pause() -> None:
        if next(calls) == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(write_in_turns({"fp32": tiny, "int8": tiny}, words, 0, pause))
    assert next(calls) == 6


def test_no_models_are_a_sentence(words: lmdemo.Vocabulary) -> None:
    with pytest.raises(lmdemo.InputError):
        write_in_turns({}, words, 0)
