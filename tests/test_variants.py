"""Building variants, and their sizes against the tutorial's."""

import copy

import pytest
import torch
from torch import nn
from torch.ao.nn.quantized.dynamic import LSTM as DynamicQuantizedLSTM
from torch.ao.nn.quantized.dynamic import Linear as DynamicQuantizedLinear

import lmdemo
from lmdemo import roofline, variants
from lmdemo.variants import Variant, available, is_quantized, quantized_weights

NAMES = ["fp32", "fp32-packed", "int8", "int8-packed", "int8-per-channel", "int8-embedding", "int4-embedding"]


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


def test_a_module_that_quantize_dynamic_passes_over_is_an_error(tiny: lmdemo.LSTMModel) -> None:
    tiny.rnn = type("Mine", (nn.LSTM,), {})(6, 8, 2)
    with pytest.raises(lmdemo.VariantError, match="found no LSTM to replace"):
        lmdemo.build_variants(tiny, ["int8"])


@pytest.mark.parametrize("names", [[], ["int9"], ["fp32", "<b>"]])
def test_an_unknown_variant_is_named_by_what_there_is(tiny: lmdemo.LSTMModel, names: list[str]) -> None:
    with pytest.raises(lmdemo.VariantError, match=r"^Variants: choose one or more of fp32, fp32-packed, int8"):
        lmdemo.build_variants(tiny, names)


def test_every_variant_is_described() -> None:
    assert list(lmdemo.VARIANTS) == NAMES
    assert all(description.endswith(".") for description in lmdemo.VARIANTS.values())


def test_every_quantized_variant_multiplies_in_int8_and_no_other(tiny: lmdemo.LSTMModel) -> None:
    for name, model in lmdemo.build_variants(tiny).items():
        linear = any(isinstance(module, DynamicQuantizedLinear) for module in model.modules())
        assert linear == is_quantized(name)


def test_what_is_not_quantized_is_said_in_the_table_alone(
    tiny: lmdemo.LSTMModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variant in fp32 that is added is neither refused for want of int8 nor held against the peak of int8."""
    added = Variant("fp32-again", lambda model: model, quantized=False)
    monkeypatch.setattr(variants, "_TABLE", variants._TABLE | {added.name: added})
    monkeypatch.setattr(
        roofline, "measure", lambda sizes: roofline.Rates(dict.fromkeys(sizes, 1.0), fp32=1.0, int8=4.0)
    )
    models = lmdemo.build_variants(tiny, ["fp32", "fp32-again", "int8"])
    found = roofline.limits(tiny.config, lmdemo.sizes(models))
    assert {name: limit.peak for name, limit in found.items()} == {"fp32": 1.0, "fp32-again": 1.0, "int8": 4.0}


def test_scale_and_zero_point_give_the_weights_back(tiny: lmdemo.LSTMModel) -> None:
    int8 = lmdemo.build_variants(tiny)["int8"]
    rows = {row.name: row for row in quantized_weights(int8)}
    assert len(rows) == 2 * tiny.config.nlayers + 1
    row = rows["decoder.weight"]
    restored = int8.decoder.weight().int_repr().float() * row.scale
    assert row.zero_point == 0
    assert (restored - tiny.decoder.weight).abs().max() <= row.scale / 2 + 1e-6


def test_the_tutorials_model_has_the_tutorials_sizes_and_the_embedding_shrinks_on_request() -> None:
    models = lmdemo.build_variants(lmdemo.LSTMModel(33278, 512, 256, 5).eval())
    sizes = lmdemo.sizes(models)
    megabytes = {name: round(size.total / 1e6, 1) for name, size in sizes.items()}
    assert megabytes == {
        "fp32": 113.9,
        "fp32-packed": 113.9,
        "int8": 79.7,
        "int8-packed": 79.7,
        "int8-per-channel": 80.4,
        "int8-embedding": 28.9,
        "int4-embedding": 20.4,
    }
    for name, size in sizes.items():
        assert size.total == lmdemo.serialized_size(models[name])
        assert sum(size.modules.values()) == pytest.approx(size.total, rel=1e-3)
    assert sizes["int8"].ratio == sizes["int8"].total / sizes["fp32"].total


def test_the_embedding_variants_look_up_nearly_the_rows_of_fp32(bundled: lmdemo.Checkpoint) -> None:
    ids = torch.arange(0, 10_000, 7).unsqueeze(1)
    models = lmdemo.build_variants(bundled.model)
    with torch.inference_mode():
        rows = models["fp32"].encoder(ids)
        span = rows.amax(-1, keepdim=True) - rows.amin(-1, keepdim=True)
        for name, steps in (("int8-embedding", 255), ("int4-embedding", 15)):
            off = (models[name].encoder(ids) - rows).abs()
            assert rows.shape == off.shape
            assert (off <= 0.52 * span / steps + 1e-6).all(), name  # half a step of the row's own scale
            assert off.max() > 0


def test_a_scale_for_each_row_is_nearer_than_one_for_all(bundled: lmdemo.Checkpoint) -> None:
    models = lmdemo.build_variants(bundled.model, ["fp32", "int8", "int8-per-channel"])
    weight = models["fp32"].decoder.weight
    errors = {name: (models[name].decoder.weight().dequantize() - weight).norm() for name in list(models)[1:]}
    assert errors["int8-per-channel"] < 0.7 * errors["int8"]


def test_a_variant_that_the_engine_cannot_run_is_listed_with_the_reason(
    tiny: lmdemo.LSTMModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(model: lmdemo.LSTMModel) -> nn.Module:
        raise NotImplementedError("no kernel found")

    table = variants._TABLE | {"int4-embedding": Variant("int4-embedding", refuses, quantized=True)}
    monkeypatch.setattr(variants, "_TABLE", table)
    names, unavailable = available(tiny)
    assert list(names) == NAMES[:-1]
    engine = torch.backends.quantized.engine
    assert unavailable == {
        "int4-embedding": f"int4-embedding cannot run here: the quantized engine {engine} does not support it."
    }
    with pytest.raises(lmdemo.VariantError, match="does not support it"):
        lmdemo.build_variants(tiny, ["int4-embedding"])
