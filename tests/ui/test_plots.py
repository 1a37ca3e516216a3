"""Charts draw what was measured, a variant in one colour, and every variant has one."""

import lmdemo
from lmdemo.roofline import Limit
from lmdemo.ui.plots import COLOURS, size_bars, speed_bars


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
