"""Building variants, and their sizes against the tutorial's."""

import copy

import pytest
import torch
from torch import nn
from torch.ao.nn.quantized.dynamic import LSTM as DynamicQuantizedLSTM
from torch.ao.nn.quantized.dynamic import Linear as DynamicQuantizedLinear

import lmdemo
from lmdemo.variants import quantized_weights


def test_int8_replaces_lstm_and_linear_and_leaves_the_embedding(tiny: lmdemo.LSTMModel) -> None:
    int8 = lmdemo.build_variants(tiny, ["int8"])["int8"]
    assert type(int8.rnn) is DynamicQuantizedLSTM
    assert type(int8.decoder) is DynamicQuantizedLinear
    assert type(int8.encoder) is nn.Embedding
    assert int8.encoder.weight.dtype == torch.float32


def test_building_leaves_fp32_untouched(tiny: lmdemo.LSTMModel) -> None:
    before = copy.deepcopy(tiny.state_dict())
    variants = lmdemo.build_variants(tiny, ["int8", "fp32"])
    assert list(variants) == ["int8", "fp32"]
    assert type(variants["fp32"].rnn) is nn.LSTM
    assert all(torch.equal(before[name], tensor) for name, tensor in variants["fp32"].state_dict().items())


def test_nothing_to_quantize_is_an_error(tiny: lmdemo.LSTMModel) -> None:
    tiny.rnn = nn.GRU(6, 8, 2)
    with pytest.raises(lmdemo.VariantError, match="no LSTM to replace"):
        lmdemo.build_variants(tiny, ["int8"])


@pytest.mark.parametrize("names", [[], ["int9"], ["fp32", "<b>"]])
def test_an_unknown_variant_is_named_by_what_there_is(tiny: lmdemo.LSTMModel, names: list[str]) -> None:
    with pytest.raises(lmdemo.VariantError, match=r"^Variants: choose one or more of fp32, int8\.$"):
        lmdemo.build_variants(tiny, names)


def test_every_variant_is_described() -> None:
    assert list(lmdemo.VARIANTS) == ["fp32", "int8"]
    assert all(description.endswith(".") for description in lmdemo.VARIANTS.values())


def test_scale_and_zero_point_give_the_weights_back(tiny: lmdemo.LSTMModel) -> None:
    int8 = lmdemo.build_variants(tiny)["int8"]
    rows = {row.name: row for row in quantized_weights(int8)}
    assert len(rows) == 2 * tiny.config.nlayers + 1
    row = rows["decoder.weight"]
    restored = int8.decoder.weight().int_repr().float() * row.scale
    assert row.zero_point == 0
    assert (restored - tiny.decoder.weight).abs().max() <= row.scale / 2 + 1e-6


def test_the_tutorials_model_has_the_tutorials_sizes() -> None:
    models = lmdemo.build_variants(lmdemo.LSTMModel(33278, 512, 256, 5).eval())
    sizes = lmdemo.sizes(models)
    assert round(sizes["fp32"].total / 1e6, 1) == 113.9
    assert round(sizes["int8"].total / 1e6, 1) == 79.7
    for name, size in sizes.items():
        assert size.total == lmdemo.serialized_size(models[name])
        assert sum(size.modules.values()) == pytest.approx(size.total, rel=1e-3)
    assert sizes["int8"].ratio == sizes["int8"].total / sizes["fp32"].total
