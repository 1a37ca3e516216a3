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


def test_size_bars_add_up_to_the_modules_and_end_in_the_total(tiny: lmdemo.LSTMModel) -> None:
    sizes = lmdemo.sizes(lmdemo.build_variants(tiny))
    *bars, ends = size_bars(sizes).data
    assert [trace.name for trace in bars] == ["embedding", "LSTM", "decoder"]
    assert len({trace.marker.color for trace in bars}) == 3  # one look a module, whatever the variant
    names = ["fp32, fp32-packed", "int8, int8-packed", "int8-per-channel", "int8-embedding", "int4-embedding"]
    assert list(bars[0].customdata) == names  # the same bytes are one bar
    for place, together in enumerate(names):
        size = sizes[together.split(",")[0]]
        assert [round(trace.x[place] * 1e3) for trace in bars] == list(size.modules.values())
        assert round(ends.x[place] * 1e3) == sum(size.modules.values())
        assert ends.text[place].endswith(f"kB<br> {size.ratio:.0%}")
        assert all(name in bars[0].y[place] for name in together.split(", "))


def test_what_stands_under_the_pointer_is_legible_and_has_no_stray_spaces(
    bundled: lmdemo.Checkpoint, tiny: lmdemo.LSTMModel
) -> None:
    run = compared(bundled, ["fp32", "int8"])
    charts = [size_bars(lmdemo.sizes(lmdemo.build_variants(tiny))), passage_dots(run)]
    charts.append(kl_course(run, [""] * len(run.results["int8"].course)))
    for chart in charts:
        label = chart.layout.hoverlabel
        dark, light = sorted(map(luminance, (label.bgcolor, label.font.color)))
        assert (light + 0.05) / (dark + 0.05) > 4.5
        assert chart.layout.yaxis.ticksuffix is None  # which would stand behind a name under the pointer


def luminance(colour: str) -> float:
    """WCAG's, of a colour #rrggbb."""
    parts = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


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
