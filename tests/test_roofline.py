"""The limit follows from counted work and measured rates."""

from collections.abc import Callable, Iterable

import pytest
import torch

import lmdemo
from lmdemo import roofline
from lmdemo.model import ModelConfig
from lmdemo.roofline import Bound, Limit, Meter, Rates, limits, operations_per_word


def test_operations_are_two_a_weight(tiny: lmdemo.LSTMModel) -> None:
    weights = sum(parameter.numel() for name, parameter in tiny.named_parameters() if "weight" in name)
    assert operations_per_word(tiny.config) == 2 * (weights - tiny.encoder.weight.numel())
    assert operations_per_word(ModelConfig(33278, 512, 256, 5)) == 22_805_504


def test_the_slower_of_memory_and_arithmetic_is_the_limit() -> None:
    assert Limit(1_000, 10, bandwidth=5_000.0, peak=1_000.0).writing == 5
    assert Limit(1_000, 10, bandwidth=5_000.0, peak=20.0).writing == 2
    assert Limit(1_000, 10, bandwidth=5_000.0, peak=20.0).reading == 2


def test_a_variants_limit_is_of_its_own_bytes_and_of_the_kind_of_its_products(
    bundled: lmdemo.Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roofline, "measure", _of_known_rates(fp32=1e9, int8=4e9))
    sizes = lmdemo.sizes(lmdemo.build_variants(bundled.model))
    found = limits(bundled.config, sizes)
    operations = operations_per_word(bundled.config)
    for name, limit in found.items():
        assert limit.bytes_per_word == sizes[name].modules["rnn"] + sizes[name].modules["decoder"]
        assert limit.reading == (1e9 if name.startswith("fp32") else 4e9) / operations
        assert limit.bandwidth == (1e9 if name.startswith("fp32") else 2e9)
    assert found["int8"].bytes_per_word < 0.3 * found["fp32"].bytes_per_word


def test_a_limit_is_the_best_of_all_trials(bundled: lmdemo.Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the first was taken in a busy moment."""
    meter = Meter(bundled.config, lmdemo.sizes(lmdemo.build_variants(bundled.model, ["fp32", "int8"])))
    assert meter.limits() == {}
    peaks = []
    for fp32, int8 in ((2e6, 3e6), (80e9, 1e6), (1e6, 115e9)):
        monkeypatch.setattr(roofline, "measure", _of_known_rates(fp32, int8))
        meter.take()
        peaks.append(tuple(limit.peak for limit in meter.limits().values()))
    assert peaks == [(2e6, 3e6), (80e9, 3e6), (80e9, 115e9)]


def test_what_a_word_waits_for_follows_from_the_share_of_the_limit() -> None:
    """Bytes take 0.2 s a word here and products 0.05 s; or products 0.5 s."""
    limit = Limit(1_000, 10, bandwidth=5_000.0, peak=200.0)
    assert limit.writing_waits_for(4.9) is limit.writing_waits_for(2.5) is Bound.MEMORY
    assert limit.writing_waits_for(2.4) is Bound.CALLS
    assert Limit(1_000, 10, bandwidth=5_000.0, peak=20.0).writing_waits_for(1.9) is Bound.ARITHMETIC
    assert limit.reading_waits_for(19.0) is Bound.ARITHMETIC
    assert limit.reading_waits_for(9.0) is Bound.CALLS


def test_every_way_of_reading_reads_to_the_end() -> None:
    """A way that stopped early, or read less, would make bandwidths that do not exist."""
    total, product, rows, found = (way() for way in roofline.reading_ways(64_000))
    one = torch.frombuffer(bytearray(b"\x3f" * 4), dtype=torch.float32)
    assert float(total) == pytest.approx(16_000 * float(one), rel=1e-4)
    assert float(product) == pytest.approx(8_000 * float(one) ** 2, rel=1e-3)
    assert rows.tolist() == pytest.approx([1_000 * float(one)] * 16, rel=1e-4)
    assert found == -1


def test_rates_are_those_of_a_computer() -> None:
    rates = roofline.measure([10**7])
    assert 1e8 < rates.bandwidths[10**7] < 1e12
    assert 1e8 < rates.fp32 < 1e13
    assert rates.int8 > 1e8


def _of_known_rates(fp32: float, int8: float) -> Callable[[Iterable[int]], Rates]:
    """A measurement that finds large buffers read half as fast as small ones."""
    return lambda sizes: Rates({size: 1e9 if size > 5_000_000 else 2e9 for size in sizes}, fp32, int8)
