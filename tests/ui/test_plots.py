"""Charts draw what was measured, a variant in one colour, and every variant has one."""

import re
from html import unescape

import lmdemo
from lmdemo.fidelity import FidelityRun, fidelity
from lmdemo.roofline import Limit
from lmdemo.ui.plots import COLOURS, LABEL, kl_course, passage_dots, size_bars, speed_bars


def test_every_variant_has_a_colour_of_its_own() -> None:
    assert list(COLOURS) == list(lmdemo.VARIANTS)
    assert len(set(COLOURS.values())) == len(COLOURS)


def test_size_bars_add_up_to_the_modules(tiny: lmdemo.LSTMModel) -> None:
    sizes = lmdemo.sizes(lmdemo.build_variants(tiny))
    figure = size_bars(sizes)
    assert [trace.name for trace in figure.data] == ["embedding", "LSTM", "decoder"]
    for place, (name, size) in enumerate(sizes.items()):
        assert figure.data[0].y[place] == name
        assert [round(trace.x[place] * 1e6) for trace in figure.data] == list(size.modules.values())


def test_speed_bars_lie_on_their_limits(bundled: lmdemo.Checkpoint) -> None:
    models = lmdemo.build_variants(bundled.model, ["fp32", "int8"])
    *_, comparison = lmdemo.compare(models, bundled.test_ids[:401], 25)
    limit = Limit(1, 2, bandwidth=1.0, peak=20_000.0)
    limits = dict.fromkeys(models, limit)
    track, mark, bars = speed_bars(comparison, limits).data
    assert list(track.x) == list(mark.x) == [10_000.0] * 2
    assert list(bars.x) == [comparison.speed(name).median for name in models]
    assert list(bars.marker.color) == list(track.marker.color) == [COLOURS[name] for name in models]
    assert len(speed_bars(comparison, {}).data) == 1


def test_a_dot_is_a_passage_and_a_stroke_the_mean(bundled: lmdemo.Checkpoint) -> None:
    run = compared(bundled, ["fp32", "int8", "int8-per-channel"])
    figure = passage_dots(run)
    drawn = {(trace.xaxis, trace.y[0], len(trace.x)): list(trace.x) for trace in figure.data}
    for name in ("int8", "int8-per-channel"):
        found = run.results[name]
        assert drawn["x", name, 16] == [passage.kl for passage in found.passages]
        assert drawn["x2", name, 16] == [passage.perplexity_change for passage in found.passages]
        assert drawn["x", name, 1] == [found.kl.value]
    assert {trace.marker.color for trace in figure.data} == {COLOURS["int8"], COLOURS["int8-per-channel"], None}


def test_the_course_of_kl_has_the_text_under_the_pointer_as_text(bundled: lmdemo.Checkpoint) -> None:
    run = compared(bundled, ["fp32", "int8"])
    evil = '<b>bold</b> <a href="javascript:alert(1)">x</a> %{x} &lt; ' + "x" * 200
    words, line = kl_course(run, [evil] * len(run.results["int8"].course)).data
    assert list(line.y) == list(run.results["int8"].course)
    assert line.x[0] == 50.5  # the middle of the first hundred words, counted from 1
    label = words.text[0]
    assert re.findall("<[^>]*>", label) == ["<br>"] * label.count("<br>")
    assert unescape(label.replace("<br>", "")).startswith("<b>bold</b> <a")
    assert max(len(unescape(part)) for part in label.split("<br>")) <= LABEL


def compared(checkpoint: lmdemo.Checkpoint, names: list[str]) -> FidelityRun:
    *_, run = fidelity(lmdemo.build_variants(checkpoint.model, names), checkpoint.test_ids[:401], 50)
    return run
