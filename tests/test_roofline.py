"""The limit follows from counted work and measured rates."""

import pytest

import lmdemo
from lmdemo import roofline
from lmdemo.model import ModelConfig
from lmdemo.roofline import Limit, Peaks, limits, measure_bandwidth, measure_peaks, operations_per_word


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
    monkeypatch.setattr(roofline, "measure_peaks", lambda: Peaks(fp32=1e9, int8=4e9))
    monkeypatch.setattr(roofline, "measure_bandwidth", lambda size: 1e9 if size > 5_000_000 else 2e9)
    sizes = lmdemo.sizes(lmdemo.build_variants(bundled.model))
    found = limits(bundled.config, sizes)
    operations = operations_per_word(bundled.config)
    for name, limit in found.items():
        assert limit.bytes_per_word == sizes[name].modules["rnn"] + sizes[name].modules["decoder"]
        assert limit.reading == (1e9 if name.startswith("fp32") else 4e9) / operations
        assert limit.bandwidth == (1e9 if name.startswith("fp32") else 2e9)
    assert found["int8"].bytes_per_word < 0.3 * found["fp32"].bytes_per_word


def test_rates_are_those_of_a_computer() -> None:
    assert 1e8 < measure_bandwidth(10**7) < 1e12
    peaks = measure_peaks()
    assert 1e8 < peaks.fp32 < 1e13
    assert peaks.int8 > 1e8
