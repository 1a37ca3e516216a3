"""Of several ways the clock chooses one, and only among those that give the same numbers."""

import math
import time
from collections.abc import Callable, Mapping

import pytest
import torch
from torch import Tensor, nn

import lmdemo
from lmdemo import choosing
from lmdemo.choosing import FEWEST, MOST, ROWS, TRIALS, RowsDecoder, choose, is_clear, is_far, pieces
from lmdemo.inference import QuantizedRunner, Runner, int8_rows_decoder, runner
from lmdemo.packed import PackedLSTMModel, sample_run
from lmdemo.pausing import interruptible

Force = Callable[[str], None]


@pytest.fixture
def force(monkeypatch: pytest.MonkeyPatch) -> Force:
    """Let the clock prefer a way wherever it takes part."""

    def force(way: str) -> None:
        def seconds(ways: Mapping[str, Callable], *_: object) -> dict[str, float]:
            return {name: 0.0 if name == way else 1.0 for name in ways}

        monkeypatch.setattr(choosing, "_median_seconds", seconds)

    return force


def test_the_least_median_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    medians = {"stock": 3.0, "another": 1.0, "a third": 2.0}
    monkeypatch.setattr(choosing, "_median_seconds", lambda *_: medians)
    way, choice = choose("work", dict.fromkeys(medians, abs), torch.ones(3))
    assert (choice.work, choice.chosen, choice.seconds) == ("work", "another", medians)
    assert way is abs


@pytest.mark.parametrize(
    ("seconds", "clear"),
    [
        ({"stock": [1.0]}, True),
        ({"stock": [3.0, 3.0, 3.0, 3.0], "another": [1.0, 1.0, 1.0, 9.0]}, True),  # disturbed once in four
        ({"stock": [3.0, 3.0, 3.0, 3.0], "another": [1.0, 1.0, 9.0, 9.0], "a third": [4.0, 4.0, 4.0, 4.0]}, False),
        ({"stock": [2.0, 2.0, 2.0, 2.0], "another": [2.0, 2.0, 2.0, 2.0]}, False),
    ],
)
def test_it_is_clear_which_is_fastest_when_it_beats_each_other_way_nearly_always(
    seconds: dict[str, list[float]], clear: bool
) -> None:
    assert is_clear(seconds) == clear


@pytest.mark.parametrize(("clear_after", "trials"), [(1, TRIALS), (TRIALS + 1, 2 * TRIALS), (10**6, MOST)])
def test_it_is_tried_on_until_it_is_clear_but_not_for_ever(
    clear_after: int, trials: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choosing, "is_far", lambda _: False)
    monkeypatch.setattr(choosing, "is_clear", lambda seconds: len(seconds["stock"]) >= clear_after)
    monkeypatch.setattr(choosing, "ENOUGH", math.inf)
    calls = []

    def work(x: Tensor) -> Tensor:
        calls.append(x)
        return x

    choose("work", {"stock": work}, torch.ones(3))
    assert len(calls) == 1 + trials  # one for what is right, which is the warm-up too


def test_what_takes_long_is_tried_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choosing, "is_far", lambda _: False)
    monkeypatch.setattr(choosing, "ENOUGH", 0.0)
    calls = []
    choose("work", {"stock": lambda x: calls.append(x) or x}, torch.ones(3))
    assert len(calls) == FEWEST  # with the first, which is its warm-up


@pytest.mark.parametrize(
    ("seconds", "far"),
    [
        ({"stock": [1.0, 2.0]}, True),
        ({"stock": [4.0, 9.0], "another": [2.0, 1.0], "a third": [4.0, 4.0]}, True),
        ({"stock": [9.0, 9.0], "another": [2.0, 1.0], "a third": [3.9, 9.0]}, False),
        ({"stock": [9.0, 9.0], "another": [5.0, 1.0]}, False),  # disturbed once
    ],
)
def test_what_takes_twice_as_long_each_time_needs_no_more_trials(seconds: dict[str, list[float]], far: bool) -> None:
    assert is_far(seconds) == far


def test_of_two_trials_one_may_be_disturbed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choosing, "ENOUGH", 0.0)
    times = iter([0.0, 1.0, 0.0, 2.0, 0.0, 9.0, 0.0, 2.0])  # of the clock, around each call of each way in turns
    monkeypatch.setattr(choosing.time, "perf_counter", lambda: next(times))
    way, choice = choose("work", {"stock": torch.abs, "another": torch.positive}, torch.ones(3))
    assert (way, choice.seconds) == (torch.abs, {"stock": 1.0, "another": 2.0})


@pytest.mark.parametrize("after", range(1 + FEWEST))
def test_a_choice_ends_before_the_next_call_where_a_pause_says_so(after: int) -> None:
    class EndedError(Exception):
        pass

    calls = []

    def pause() -> None:
        if len(calls) == after:
            raise EndedError

    with pytest.raises(EndedError), interruptible(pause):
        choose("work", {"stock": lambda x: calls.append(x) or x}, torch.ones(3))
    assert len(calls) == after
    choose("work", {"stock": lambda x: calls.append(x) or x}, torch.ones(3))
    assert len(calls) > after  # outside it nothing is asked


@pytest.mark.parametrize(
    "wrong",
    [lambda x: x * 1.001, lambda x: x[:1], lambda x: x * torch.nan, lambda x: x + (x == x.max()) * 1e-3],
    ids=["a thousandth", "another shape", "no number", "one number"],
)
def test_a_way_that_gives_other_numbers_is_refused_however_fast(wrong: Callable[[Tensor], Tensor]) -> None:
    def stock(x: Tensor) -> Tensor:
        time.sleep(0.002)
        return x.sin()

    way, choice = choose("work", {"stock": stock, "wrong": lambda x: wrong(x.sin())}, torch.arange(1.0, 50.0))
    assert way is stock
    assert list(choice.seconds) == ["stock"]


def test_every_number_of_rows_has_a_choice_of_its_own_and_they_are_bounded(force: Force) -> None:
    force("twice the half")
    ways = {"stock": lambda rows, _: rows.sin(), "twice the half": lambda rows, _: (rows.sin() / 2) * 2}
    decoder = RowsDecoder("work", ways, torch.rand(ROWS, 3))
    decoder.prepare([25, 230, 7])
    works = {"work, 25 words", f"work, {ROWS} words of a longer window", "work, 30 words of a longer window"}
    assert {choice.work for choice in decoder.chosen_ways} == works | {"work, 7 words"}
    assert {choice.chosen for choice in decoder.chosen_ways} == {"twice the half"}
    decoder.prepare(range(1, 1_001))
    assert len(decoder.chosen_ways) == 2 * ROWS
    rows = torch.rand(3 * ROWS, 3)
    assert torch.equal(torch.cat([decoder(rows[piece], rows) for piece in pieces(len(rows))]), rows.sin())


def by_operators(model: nn.Module) -> Runner:
    return QuantizedRunner(model, int8_rows_decoder(model))


@pytest.mark.parametrize("window", [25, 230])
@pytest.mark.parametrize(
    ("name", "run"), [("fp32-packed", runner), ("int8", by_operators), ("int8-per-channel", by_operators)]
)
def test_the_losses_are_the_same_whichever_way_wins(
    bundled: lmdemo.Checkpoint, name: str, run: Callable[[nn.Module], Runner], window: int, force: Force
) -> None:
    losses = []
    for way in ("stock", "packed by oneDNN"):
        force(way)
        model = lmdemo.build_variants(bundled.model, [name])[name]
        with torch.inference_mode():
            losses.append(run(model).losses(bundled.test_ids[:window], bundled.test_ids[1 : window + 1]))
    assert torch.allclose(*losses, atol=2e-5)


@pytest.mark.parametrize(
    ("piece", "way"),
    [
        (0, "stock"),
        (0, "a transposed product a layer"),
        (0, "a product in panels of 16 a layer"),
        (1, "matrix × vector"),
        (1, "transposed weight"),
        (1, "panels of 16"),
    ],
)
def test_every_step_and_every_decoder_of_a_word_are_the_forwards(
    bundled: lmdemo.Checkpoint, piece: int, way: str, force: Force
) -> None:
    force(way)
    packed = PackedLSTMModel(bundled.model)
    assert packed.chosen_ways[piece].chosen == way
    one, other = runner(bundled.model), runner(packed)
    with torch.inference_mode():
        for word in range(3, 23):
            assert torch.allclose(one.step(word), other.step(word), atol=1e-5)


def test_where_the_engine_has_other_integers_its_own_kernel_is_the_only_way(
    bundled: lmdemo.Checkpoint, force: Force, monkeypatch: pytest.MonkeyPatch
) -> None:
    """qnnpack quantizes activations to 8 bits where the others, and oneDNN's kernel here, use 7."""
    force("packed by oneDNN")
    monkeypatch.setattr(torch.backends.quantized, "engine", "qnnpack")
    model = lmdemo.build_variants(bundled.model, ["int8"])["int8"]
    ids = bundled.test_ids[:231]
    with torch.inference_mode():
        expected, _ = model(ids.unsqueeze(1), model.init_hidden(1))
        found = torch.cat(list(by_operators(model).read(ids)))
    assert torch.allclose(found, expected.squeeze(1), atol=2e-5)


def test_the_numbers_that_stand_for_the_real_ones_are_a_models_own_and_take_no_others_luck(
    tiny: lmdemo.LSTMModel,
) -> None:
    before = torch.get_rng_state()
    embedded, outputs, hidden = sample_run(tiny)
    assert torch.equal(torch.get_rng_state(), before)
    assert (embedded.shape, outputs.shape, hidden[0].shape) == ((ROWS, 6), (ROWS, 8), (2, 1, 8))
    assert torch.equal(outputs[-1], hidden[0][-1, 0])
