"""A shape on the page: its fields and what they come to, what is said of a measurement, and what is drawn."""

import re
from collections.abc import Mapping

import pytest

from little_text import little_text
from lmdemo.report import shapes
from lmdemo.server.service import Service
from lmdemo.shape import FIELDS, PRESETS, TUTORIAL_SHAPE, Shape
from lmdemo.shaping import CORNERS, ShapeRun, measure_shape
from lmdemo.size import Size
from lmdemo.sweeping import COMPARED, WORK, Point, Sweep
from lmdemo.timed import Interval
from lmdemo.ui import your_shape
from lmdemo.ui.plots import size_bars
from lmdemo.ui.shape_plots import shape_speeds, sweep_lines

SMALL = {"ntoken": 40, "ninp": 6, "nhid": 8, "nlayers": 2, "window": 5, "tied": False}


@pytest.fixture(scope="module")
def run() -> ShapeRun:
    """A small shape, measured."""
    *_, run = measure_shape(Shape(**SMALL), read_seconds=0, write_seconds=0)
    return run


@pytest.fixture(scope="module")
def service() -> Service:
    with little_text():
        return Service()


def test_the_line_says_what_a_shape_comes_to_or_why_it_is_none() -> None:
    assert (
        "28,484,606 parameters, 113.9 MB as fp32, 79.7 MB as int8."
        in your_shape.look(**{name: getattr(TUTORIAL_SHAPE, name) for name in FIELDS})["line"]
    )
    assert "30,500 parameters, 122 kB as fp32, 47 kB as int8." in your_shape.look(**SMALL_PRESET)["line"]
    assert 'role="alert"' in your_shape.look(**SMALL | {"nhid": None})["line"]


SMALL_PRESET = {name: getattr(PRESETS["A small one"], name) for name in FIELDS}


def test_a_run_goes_on_and_ends_with_all_of_it(service: Service) -> None:
    *early, last = your_shape.measure(service, **SMALL)
    assert all(list(update) == ["status"] and "under-way" in update["status"] for update in early)
    assert "At this shape" in last["status"]
    assert {"found", "weighed", "size", "speeds", "table", "doubts"} < last.keys()


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"nhid": 0}, "Hidden must be a whole number from 1 to 4,096."),
        ({"nhid": "<b>8</b>"}, "Hidden must be a whole number from 1 to 4,096."),
        ({"ntoken": 300_000, "ninp": 4_000}, "at most 160 MB are built here."),
    ],
)
def test_what_is_no_shape_is_refused_before_anything_is_built(
    service: Service, wrong: dict[str, object], sentence: str
) -> None:
    (update,) = your_shape.measure(service, **SMALL | wrong)
    assert list(update) == ["status"]
    assert sentence in update["status"]
    assert 'role="alert"' in update["status"]


@pytest.mark.parametrize(
    ("ahead", "sentence"),
    [
        ((True, True), "At this shape int8 is faster than fp32 done well, in writing and in reading."),
        ((False, False), "At this shape int8 is slower than fp32 done well, in writing and in reading."),
        ((True, False), "At this shape, against fp32 done well, int8 is faster in writing and slower in reading."),
        (
            (None, True),
            "At this shape, against fp32 done well, int8 is faster in reading; in writing no difference shows, the"
            " interval holds 1.",
        ),
        ((None, None), "At this shape no difference shows between int8 and fp32 done well: both intervals hold 1."),
    ],
)
def test_the_sentence_is_what_was_measured(
    run: ShapeRun, ahead: tuple[bool | None, ...], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter(ahead)
    monkeypatch.setattr(shapes, "above", lambda *_: next(answers))
    said, figures = shapes.verdict(run)
    assert said == sentence
    assert re.fullmatch(
        r"It writes at .*× .* and reads at .*× .* the speed of fp32-packed\."
        r" Packed, it writes at .*× .* and reads at .*× .* the speed of fp32-packed\.",
        figures,
    )


def sizes(fp32: Mapping[str, int], int8: Mapping[str, int]) -> dict[str, Size]:
    whole = sum(fp32.values())
    return {
        name: Size(sum(parts.values()), parts, sum(parts.values()) / whole)
        for name, parts in (("fp32", fp32), ("int8", int8))
    }


@pytest.mark.parametrize(
    ("measured", "sentence"),
    [
        (
            sizes({"encoder": 60, "rnn": 20, "decoder": 20}, {"encoder": 60, "rnn": 5, "decoder": 5}),
            "int8’s file is 70% of fp32’s: 70 MB instead of 100 MB. The largest part, the embedding, stays as it is.",
        ),
        (
            sizes({"encoder": 10, "rnn": 20, "decoder": 70}, {"encoder": 10, "rnn": 5, "decoder": 18}),
            "int8’s file is 33% of fp32’s: 33 MB instead of 100 MB."
            " The largest part, the decoder, shrinks to about a quarter.",
        ),
        (
            sizes({"encoder": 90, "rnn": 9, "decoder": 1}, {"encoder": 90, "rnn": 3, "decoder": 24}),
            "int8’s file is larger: 117 MB instead of 100 MB."
            " In fp32 embedding and decoder are one matrix; quantizing makes a second one of the decoder, 24 MB.",
        ),
    ],
)
def test_what_became_of_the_file_is_said(measured: dict[str, Size], sentence: str) -> None:
    in_megabytes = {
        name: Size(size.total * 10**6, {module: part * 10**6 for module, part in size.modules.items()}, size.ratio)
        for name, size in measured.items()
    }
    assert shapes.bytes_sentence(in_megabytes).replace(".0 MB", " MB") == sentence


def test_the_table_and_the_bars_have_every_corner(run: ShapeRun) -> None:
    rows = shapes.rows(run)
    assert list(rows) == list(CORNERS)
    assert all(list(row) == list(shapes.MEANINGS) for row in rows.values())
    figure = shape_speeds(run)
    assert [list(bar.y) for bar in figure.data] == [list(CORNERS)] * 2
    assert [list(bar.x) for bar in figure.data] == [
        [timed.speed(name).median for name in CORNERS] for timed in (run.writing, run.reading)
    ]
    assert figure.data[0].hovertemplate == "%{y}, writing: %{x:,.0f} words/s<extra></extra>"


def test_bars_of_a_small_file_are_in_kilobytes(run: ShapeRun) -> None:
    bars = size_bars(run.sizes)
    assert sum(bar.x[0] for bar in bars.data[:3]) == pytest.approx(run.sizes["fp32"].total / 1e3)
    assert bars.layout.xaxis.title.text == "kB on disk, as torch.save writes it"


def swept(*medians: float, left: int = 0) -> Sweep:
    """A sweep in which both variants were as fast as these, at 32, 64 …, packed ten times that; so many left out."""
    shapes = tuple(Shape(50, 32 * 2**number, 32 * 2**number, 1) for number in range(len(medians) + left))
    points = tuple(
        Point(
            shape.nhid,
            {
                work: {
                    name: Interval(ratio, ratio * 0.95, ratio * 1.05, 9)
                    for name, ratio in zip(COMPARED, (median, 10 * median), strict=True)
                }
                for work in WORK
            },
        )
        for shape, median in zip(shapes, medians, strict=False)
    )
    return Sweep(shapes, points, final=True)


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (
            swept(0.3, 0.6, 1.0, 1.4),
            "int8 is surely faster than fp32 done well from 256 on, in writing and in reading. Packed int8 is at all of"
            " these sizes, in writing and in reading.",
        ),
        (
            swept(0.05, 0.6, left=2),
            "int8 is surely faster than fp32 done well at none of these sizes, in writing and in reading."
            " Packed int8 is from 64 on, in writing and in reading. There was no time for 128, 256.",
        ),
        (swept(left=1), "Nothing was measured."),
    ],
)
def test_from_which_width_on_is_said(found: Sweep, sentence: str) -> None:
    assert shapes.sweep_sentence(found) == sentence


def test_a_sweep_is_a_line_a_variant_and_work_over_a_line_at_one() -> None:
    figure = sweep_lines(swept(0.3, 0.6, 1.4, left=1))
    assert [line.name for line in figure.data] == [f"{name}, {work}" for name in COMPARED for work in WORK]
    assert [list(line.x) for line in figure.data] == [[32, 64, 128]] * 4
    assert [line.y0 for line in figure.layout.shapes] == [1]
    assert "above the line: int8 is faster" in [each.text for each in figure.layout.annotations]


def test_a_sweep_is_drawn_anew_when_there_is_one_width_more() -> None:
    going = Sweep(swept(0.3, left=1).shapes, swept(0.3).points, run=ShapeRun(Shape(**SMALL), CORNERS))
    assert list(your_shape.draw_sweep(going, anew=False)) == ["status"]
    assert "Hidden 8, 2 of 2. Building fp32, 1 of 4 …" in your_shape.draw_sweep(going, anew=True)["status"]
    assert "lines" in your_shape.draw_sweep(going, anew=True)
    assert list(your_shape.draw_sweep(swept(left=1), anew=False)) == ["status"]


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        ("tab=model&ntoken=40&ninp=6&nhid=8&nlayers=2&window=5&run=1", {**SMALL, "asked": 1}),
        ("view=shape&ntoken=40&ninp=6&nhid=8&nlayers=2&window=5", {**SMALL, "asked": 1}),
        ("tab=model&nhid=512&tied=1", {"ninp": 512, "nhid": 512, "tied": True, "window": 25, "asked": 0}),
    ],
)
def test_an_address_fills_the_fields(query: str, asked: dict[str, object]) -> None:
    update = your_shape.arrive(f"http://host/?{query}")
    assert update.items() >= asked.items()
    assert "parameters" in update["line"]


@pytest.mark.parametrize("query", ["", "tab=model", "view=shape", "tab=evaluate&window=5&run=1"])
def test_an_address_that_asks_for_no_shape_changes_nothing(query: str) -> None:
    assert your_shape.arrive(f"http://host/?{query}") == {}


def test_a_bad_address_is_a_sentence() -> None:
    update = your_shape.arrive("http://host/?tab=model&nhid=<b>")
    assert list(update) == ["status"]
    assert "In this page’s address: Hidden must be a whole number from 1 to 4,096." in update["status"]
