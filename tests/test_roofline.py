"""The limit follows from counted work and measured rates."""

import torch

import lmdemo
from lmdemo.model import ModelConfig
from lmdemo.roofline import Limit, limits, measure_bandwidth, measure_peaks, operations_per_word


def test_operations_are_two_a_weight(tiny: lmdemo.LSTMModel) -> None:
    weights = sum(parameter.numel() for name, parameter in tiny.named_parameters() if "weight" in name)
    assert operations_per_word(tiny.config) == 2 * (weights - tiny.encoder.weight.numel())
    assert operations_per_word(ModelConfig(33278, 512, 256, 5)) == 22_805_504


def test_the_slower_of_memory_and_arithmetic_is_the_limit() -> None:
    assert Limit(1_000, 10, bandwidth=5_000.0, peak=1_000.0).writing == 5
    assert Limit(1_000, 10, bandwidth=5_000.0, peak=20.0).writing == 2
    assert Limit(1_000, 10, bandwidth=5_000.0, peak=20.0).reading == 2


def test_no_variant_is_faster_than_its_limit(bundled: lmdemo.Checkpoint) -> None:
    models = lmdemo.build_variants(bundled.model)
    found = limits(bundled.config, lmdemo.sizes(models))
    *_, comparison = lmdemo.compare(models, bundled.test_ids[:1001], 100)
    *_, generation = lmdemo.generate(models, bundled.vocabulary, "It was", words=100)
    for name, limit in found.items():
        assert generation.writings[name].words_per_second < limit.writing
        # rates are measured one after another on a noisy machine
        assert comparison.speed(name).median < 1.2 * limit.reading
    assert found["int8"].bytes_per_word < 0.3 * found["fp32"].bytes_per_word


def test_rates_are_those_of_a_computer() -> None:
    assert 1e8 < measure_bandwidth(10**7) < 1e12
    peaks = measure_peaks()
    assert 1e8 < peaks.fp32 < 1e13
    assert peaks.int8 > 1e8
    assert torch.get_num_threads() == 1  # which the rates are of
