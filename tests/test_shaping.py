"""A shape is built, weighed and timed; nothing of it is left, however that ends."""

import gc
import io
import traceback
import weakref
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from torch import nn

import lmdemo
from lmdemo import shaping, sweeping
from lmdemo.errors import InputError
from lmdemo.model import LSTMModel
from lmdemo.shape import Shape
from lmdemo.shaping import CORNERS, ShapeRun, measure_shape
from lmdemo.size import exact_sizes
from lmdemo.sweeping import COMPARED, WORK, Point, Sweep, sweep
from lmdemo.timed import FEWEST_TURNS, Interval

SMALL = Shape(40, 6, 8, 2, window=5)


class EndedError(Exception):
    """What a pause raises."""


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[weakref.ref]]:
    """Every model that is built, as long as it lives; nothing but its last holder's leaving lets it go."""
    seen: list[weakref.ref] = []
    build = shaping.build_variants

    def built(model: nn.Module, names: list[str]) -> dict[str, nn.Module]:
        models = build(model, names)
        seen.extend(weakref.ref(each) for each in (model, *models.values()))
        return models

    monkeypatch.setattr(shaping, "build_variants", built)
    gc.collect()
    gc.disable()
    yield seen
    gc.enable()


def alive(built: list[weakref.ref]) -> int:
    return len({id(model()) for model in built if model() is not None})


def test_what_torch_leaves_in_circles_is_gone_with_the_run() -> None:
    """Of `quantize_dynamic` fp32's own weights would stay, and what `torch.save` was given."""

    def tensors() -> int:
        return sum(issubclass(type(each), torch.Tensor) for each in gc.get_objects())

    list(measure_shape(SMALL, read_seconds=0, write_seconds=0))
    gc.disable()
    try:
        before = tensors()
        list(measure_shape(SMALL, read_seconds=0, write_seconds=0))
        assert tensors() <= before
    finally:
        gc.enable()


@pytest.mark.parametrize("shape", [SMALL, Shape(300, 16, 16, 1, tied=True)], ids=["loose", "tied"])
def test_bytes_by_module_come_to_the_file_that_is_written(shape: Shape) -> None:
    models = lmdemo.build_variants(LSTMModel.from_config(shape.config).eval())
    for name, size in exact_sizes(models).items():
        file = io.BytesIO()
        torch.save(models[name].state_dict(), file)
        assert sum(size.modules.values()) == size.total == len(file.getvalue()) == lmdemo.serialized_size(models[name])
        assert size.parts == size.modules
        assert size.ratio == size.total / lmdemo.serialized_size(models["fp32"])


def test_a_shape_is_built_then_weighed_then_read_then_written(built: list[weakref.ref]) -> None:
    runs = list(measure_shape(SMALL, read_seconds=0, write_seconds=0))
    assert [run.built for run in runs[:5]] == [CORNERS[:count] for count in range(5)]
    assert [run.final for run in runs] == [False] * (len(runs) - 1) + [True]
    first = {
        what: next(number for number, run in enumerate(runs) if getattr(run, what))
        for what in ("built", "sizes", "reading", "writing")
    }
    assert list(first) == sorted(first, key=first.__getitem__)
    last = runs[-1]
    assert list(last.sizes) == ["fp32", "int8"]
    for timed in (last.reading, last.writing):
        for name in CORNERS:
            assert timed.speed(name).n == FEWEST_TURNS
            assert timed.speedup(name, over="fp32-packed").median > 0
    assert last.computed["words"] == len(CORNERS) * last.writing.words
    assert last.computed["tokens"] >= len(CORNERS) * FEWEST_TURNS * SMALL.window
    assert len(built) == 2 * len(CORNERS)
    assert alive(built) == 0


@pytest.mark.parametrize("stage", ["built", "reading", "writing"])
@pytest.mark.parametrize("how", ["stopped", "left"])
def test_however_a_run_ends_its_models_are_gone(built: list[weakref.ref], stage: str, how: str) -> None:
    """At Stop the steps are closed; where somebody left, a pause raises."""
    last = ShapeRun(SMALL, CORNERS)

    def pause() -> None:
        if how == "left" and getattr(last, stage):
            raise EndedError

    steps = measure_shape(SMALL, pause)
    with pytest.raises(EndedError) if how == "left" else nullcontext():
        for last in steps:
            if how == "stopped" and getattr(last, stage):
                break
        else:
            pytest.fail("The run came to its end.")
    assert built
    steps.close()
    assert alive(built) == 0


@pytest.mark.parametrize(
    "part",
    ["model.py", "quantize.py", "packed.py", "choosing.py", "size.py"],
    ids=lambda part: part.removesuffix(".py"),
)
def test_building_can_be_ended_in_each_of_its_parts(built: list[weakref.ref], part: str) -> None:
    """Of a large shape all of them together take some seconds, in which whoever waits would not be heard."""
    last = ShapeRun(SMALL, CORNERS)

    def pause() -> None:
        if part in {Path(frame.filename).name for frame in traceback.extract_stack()}:
            raise EndedError

    with pytest.raises(EndedError):
        for last in measure_shape(SMALL, pause):  # noqa: B007 - the last one is looked at
            pass
    assert last.reading is None
    assert alive(built) == 0


def test_the_same_weights_and_words_each_time_and_nobody_elses_random_numbers() -> None:
    before = torch.get_rng_state()
    one, other = (list(measure_shape(SMALL, read_seconds=0, write_seconds=0))[-1].reading for _ in range(2))
    assert torch.equal(torch.get_rng_state(), before)
    assert one.results["fp32"].loss == other.results["fp32"].loss


def test_a_sweep_measures_one_width_after_another_and_never_two(built: list[weakref.ref]) -> None:
    counts = []

    def pause() -> None:
        counts.append(alive(built))

    *early, last = sweep(40, 1, 5, widths=(4, 8), seconds=60, pause=pause)
    assert [point.hidden for point in last.points] == [4, 8]
    assert last.left_out == ()
    assert {run.run.shape.nhid for run in early} == {4, 8}
    for point in last.points:
        assert {(work, name) for work in point.speedups for name in point.speedups[work]} == {
            (work, name) for work in WORK for name in COMPARED
        }
    assert max(counts) == 1 + len(COMPARED) + 1  # fp32, and of it what is compared
    assert alive(built) == 0


def test_a_width_for_which_there_is_no_time_is_left_out_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeping, "_growth", lambda _, shape: float("inf") if shape.nhid == 8 else 0.0)
    *_, last = sweep(40, 1, 5, widths=(4, 6, 8, 10))
    assert [point.hidden for point in last.points] == [4, 6]
    assert last.left_out == (8, 10)
    assert last.final


def point(hidden: int, low: float, high: float) -> Point:
    ratio = Interval((low + high) / 2, low, high, 10)
    return Point(hidden, {work: dict.fromkeys(COMPARED, ratio) for work in WORK})


@pytest.mark.parametrize(
    ("ratios", "width"),
    [
        ([(0.4, 0.6), (0.9, 1.1), (1.2, 1.4), (2.0, 3.0)], 64),
        ([(1.2, 1.4), (0.4, 0.6), (1.2, 1.4), (0.9, 1.1)], None),
        ([(1.1, 1.2), (1.3, 1.4)], 16),
        ([], None),
    ],
)
def test_int8_pays_from_the_width_on_above_which_it_is_always_surely_faster(
    ratios: list[tuple[float, float]], width: int | None
) -> None:
    points = tuple(point(16 * 2**number, *ratio) for number, ratio in enumerate(ratios))
    assert Sweep((), points).pays_from("writing", "int8") == width


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: sweep(seconds=0), "Seconds must be a number from 1 to 60."),
        (lambda: sweep(widths=(8, 8)), "Widths must be 1 to 12 numbers that grow."),
        (lambda: sweep(widths=()), "Widths must be 1 to 12 numbers that grow."),
        (lambda: sweep(ntoken=0), "Vocabulary must be a whole number from 2 to 300,000 (words)."),
    ],
)
def test_a_bad_sweep_is_refused_at_once(call: Callable, sentence: str) -> None:
    with pytest.raises(InputError) as refused:
        call()
    assert str(refused.value) == sentence
