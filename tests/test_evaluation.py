"""The loss against a literal tutorial loop, and the comparison's bookkeeping."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch

import lmdemo
from lmdemo.bench.tutorial import tutorial_evaluate
from lmdemo.evaluation import _Reading, blocks
from lmdemo.fidelity import fidelity
from lmdemo.inference import Runner
from lmdemo.timed import median_interval


@pytest.mark.parametrize("window", [1, 25, 1000])
@pytest.mark.parametrize("name", list(lmdemo.VARIANTS))
def test_the_loss_is_the_tutorials(bundled: lmdemo.Checkpoint, name: str, window: int) -> None:
    model = lmdemo.build_variants(bundled.model, [name])[name]
    ids = bundled.test_ids[: 203 if window == 1 else 1203]
    result = lmdemo.evaluate(model, ids, window)
    assert result.loss == pytest.approx(tutorial_evaluate(model, ids.unsqueeze(1), window), abs=1e-5)
    assert result.tokens == len(ids) - 1
    assert result.perplexity == math.exp(result.loss)
    assert result.bits_per_word == result.loss / math.log(2)
    assert result.tokens_per_second == result.tokens / result.seconds


def test_the_fp32_loss_does_not_depend_on_the_window(bundled: lmdemo.Checkpoint) -> None:
    losses = [lmdemo.evaluate(bundled.model, bundled.test_ids[:501], window).loss for window in (1, 7, 500)]
    assert losses == pytest.approx([losses[0]] * 3, abs=1e-5)


def test_a_comparison_gives_each_variant_the_loss_of_its_own(bundled: lmdemo.Checkpoint) -> None:
    models = lmdemo.build_variants(bundled.model)
    ids = bundled.test_ids[:1013]
    snapshots = list(lmdemo.compare(models, ids, window=10))
    *early, final = snapshots
    assert final.final
    assert not any(snapshot.final for snapshot in early)
    for name, model in models.items():
        assert final.results[name].loss == pytest.approx(lmdemo.evaluate(model, ids, 10).loss, abs=1e-9)
        assert final.results[name].seconds == pytest.approx(sum(final.block_seconds[name]))
    assert sum(final.block_tokens) == final.tokens == 1012
    assert final.baseline == "fp32"
    ratios = np.divide(final.block_seconds["fp32"], final.block_seconds["int8"])
    speedup = final.speedup("int8")
    assert speedup.median == np.median(ratios)
    assert speedup.low <= speedup.median <= speedup.high
    assert final.speedup("fp32").median == final.speedup("fp32").high == 1
    assert final.speedup("int8", over="int8").median == 1
    assert final.interference.seconds >= sum(final.block_seconds["fp32"])


def test_what_is_read_so_far_is_a_result(bundled: lmdemo.Checkpoint) -> None:
    first = next(lmdemo.compare({"fp32": bundled.model}, bundled.test_ids[:2001]))
    assert 0 < first.results["fp32"].tokens < 2000
    assert math.isnan(first.speed("fp32").low)


def test_the_interval_covers_the_true_median() -> None:
    draw = np.random.default_rng(4)
    covered = 0
    for _ in range(200):
        interval = median_interval(draw.lognormal(1.0, 0.3, 40))
        covered += interval.low <= math.exp(1.0) <= interval.high
    assert 0.88 < covered / 200 <= 1


def test_an_untrained_model_is_as_unsure_as_its_vocabulary_is_large() -> None:
    torch.manual_seed(0)
    result = lmdemo.evaluate(lmdemo.LSTMModel(50, 6, 8, 2).eval(), torch.randint(0, 50, (2001,)))
    assert result.perplexity == pytest.approx(50, rel=0.02)


@pytest.mark.parametrize("window", [0, -5, 1001, 2.5, "25", math.nan, None, True])
def test_a_bad_window_gets_a_sentence_at_once(tiny: lmdemo.LSTMModel, window: object) -> None:
    for call in (lambda ids: lmdemo.evaluate(tiny, ids, window), lambda ids: lmdemo.compare({"a": tiny}, ids, window)):
        with pytest.raises(lmdemo.InputError, match=r"^Window must be a whole number from 1 to 1,000\.$"):
            call(torch.zeros(10, dtype=torch.int64))


def test_one_word_is_not_a_text(tiny: lmdemo.LSTMModel) -> None:
    with pytest.raises(lmdemo.InputError, match="number of test words"):
        lmdemo.evaluate(tiny, torch.zeros(1, dtype=torch.int64))


class LeftError(Exception):
    pass


@pytest.mark.parametrize("measure", [lmdemo.compare, fidelity])
@pytest.mark.parametrize("after", [0, 7, 300])
def test_a_pause_ends_it_wherever_it_is(
    tiny: lmdemo.LSTMModel, monkeypatch: pytest.MonkeyPatch, measure: Callable, after: int
) -> None:
    """At a window of one word: the first block, and what is read before it, have hundreds."""
    read: list[int] = []
    pauses = iter(range(after + 1))
    whole = Runner.read
    monkeypatch.setattr(Runner, "read", lambda self, ids: read.append(len(ids)) or whole(self, ids))

    def pause() -> None:
        if next(pauses) == after:
            raise LeftError

    with pytest.raises(LeftError):
        list(measure({"fp32": tiny, "int8": tiny}, torch.arange(2_000) % 50, 1, pause))
    assert sum(read) <= after + 2  # no more than a piece of each between two pauses


@pytest.mark.parametrize(
    ("words", "window", "turns"),
    [
        (1_001, 200, [200, 200, 200, 200, 201]),  # a last turn of one word would count as much as any other
        (4_000, 200, [200] * 20),
        (17_430, 200, [400] * 42 + [630]),
        (30, 50, [30]),
        (1, 25, [1]),
    ],
)
def test_turns_are_whole_windows_and_a_short_rest_joins_the_last(words: int, window: int, turns: list[int]) -> None:
    found = blocks(words, window)
    assert [len(turn) for turn in found] == turns
    assert [word for turn in found for word in turn] == list(range(words))


def test_the_order_of_turns_is_drawn_anew_and_its_seed_kept(
    tiny: lmdemo.LSTMModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = lmdemo.build_variants(tiny, ["fp32", "int8", "int8-per-channel", "int8-embedding"])
    ids = torch.arange(401) % tiny.config.ntoken
    turns: list[torch.nn.Module] = []
    read = _Reading.read
    monkeypatch.setattr(_Reading, "read", lambda self, *asked: turns.append(self.runner.model) or read(self, *asked))

    def order(seed: int | None) -> tuple[int, list[torch.nn.Module]]:
        turns.clear()
        *_, final = lmdemo.compare(models, ids, 10, order_seed=seed)
        return final.order_seed, turns[len(models) :]  # the first are the warm-up

    (one, first), (other, second) = order(None), order(None)
    assert one != other
    assert first != second
    assert order(one) == (one, first)
    blocks_of_turns = [first[start : start + 4] for start in range(0, len(first), 4)]
    assert len(blocks_of_turns) == 40
    assert all(set(block) == set(first) for block in blocks_of_turns)
    assert len({block.index(first[0]) for block in blocks_of_turns}) == 4  # every variant is first, and last, somewhere


def test_what_is_measured_beside_is_called_after_each_block_outside_its_times(
    tiny: lmdemo.LSTMModel,
) -> None:
    called: list[int] = []
    snapshots = lmdemo.compare({"fp32": tiny}, torch.arange(101) % 50, 10, beside=lambda: called.append(1))
    assert [len(called) for _ in snapshots] == list(range(1, 11))
