"""Weights rounded in simulation: torch's own arithmetic to the last bit, and what is left alone."""

import math
import warnings

import pytest
import torch
from torch import Tensor
from torch.ao.quantization import default_dynamic_qconfig, per_channel_dynamic_qconfig

import lmdemo
from lmdemo.errors import InputError
from lmdemo.rounding import MATRICES, Rounding, bytes_saved, matrices_of, round_matrix, round_row

WIDTHS = "encoder.weight rnn.weight_ih_l0 rnn.weight_hh_l0 rnn.weight_ih_l1 rnn.weight_hh_l1 decoder.weight".split()


def by_torch(weight: Tensor, scales: Tensor) -> Tensor:
    """A quantized tensor of torch's own with these scales, (1, 1) or (rows, 1)."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "torch.quantize_per_tensor, .* are deprecated", UserWarning)
        if len(scales) == 1 < len(weight):
            return torch.quantize_per_tensor(weight, scales.item(), 0, torch.qint8)
        zeros = torch.zeros(len(weight), dtype=torch.int64)
        return torch.quantize_per_channel(weight, scales[:, 0].double(), zeros, 0, torch.qint8)


def stock(model: lmdemo.LSTMModel, variant: str) -> dict[str, Tensor]:
    """The quantized weights of a variant, by the name that each has in the state dict."""
    quantized = lmdemo.build_variants(model, [variant])[variant]
    return {f"rnn.{key}": weight for key, weight in quantized.rnn.get_weight().items()} | {
        "decoder.weight": quantized.decoder.weight()
    }


@pytest.mark.parametrize("bits", range(2, 9))
@pytest.mark.parametrize("per_row", [False, True])
def test_integers_and_weights_are_those_of_torchs_arithmetic_to_the_last_bit(
    bundled: lmdemo.Checkpoint, bits: int, per_row: bool
) -> None:
    rounding = Rounding(bits, per_row)
    rounded = lmdemo.round_weights(bundled.model, bits, per_row).state_dict()
    for name, weight in matrices_of(bundled.model).items():
        found = round_matrix(weight, rounding)
        expected = by_torch(weight, found.scales)
        held = expected.int_repr().clamp(*rounding.range)
        assert torch.equal(found.integers, held)
        assert torch.equal(rounded[name], held * found.scales)
        if bits < 8:  # the greatest weight is on the grid, and nothing had to be held within it
            assert torch.equal(rounded[name], expected.dequantize())


@pytest.mark.parametrize(("per_row", "variant"), [(False, "int8"), (True, "int8-per-channel")])
def test_at_8_bits_weights_are_those_of_stock_int8(bundled: lmdemo.Checkpoint, per_row: bool, variant: str) -> None:
    rounded = lmdemo.round_weights(bundled.model, 8, per_row)
    for name, weight in stock(bundled.model, variant).items():
        assert torch.equal(rounded.get_parameter(name), weight.dequantize())
        assert torch.equal(
            round_matrix(bundled.model.get_parameter(name), Rounding(8, per_row)).integers, weight.int_repr()
        )


@pytest.mark.parametrize(("per_row", "config"), [(False, default_dynamic_qconfig), (True, per_channel_dynamic_qconfig)])
def test_the_scale_at_8_bits_is_that_of_torchs_observer(tiny: lmdemo.LSTMModel, per_row: bool, config: object) -> None:
    weight = torch.cat([tiny.decoder.weight.detach(), torch.zeros(1, 8)])  # a row of zeros has a scale too
    observer = config.weight()
    observer(weight)
    scales, _ = observer.calculate_qparams()
    assert torch.equal(round_matrix(weight, Rounding(8, per_row)).scales.flatten(), scales.flatten())


@pytest.mark.parametrize(
    ("bits", "weights", "integers"),
    [
        (8, [127.5, -127.5, 0.5, 1.5, 2.5], [127, -128, 0, 2, 2]),
        (3, [3.0, -3.0, 0.5, 1.5, 2.5], [3, -3, 0, 2, 2]),
        (2, [1.0, -1.0, 0.5, -0.5, 0.75], [1, -1, 0, 0, 1]),
    ],
)
def test_ties_go_to_the_even_integer_and_the_greatest_weight_to_the_end(
    bits: int, weights: list[float], integers: list[int]
) -> None:
    found = round_matrix(torch.tensor([weights]), Rounding(bits))
    assert found.scales.item() == 1
    assert found.integers.tolist() == [integers]


@pytest.mark.parametrize("matrices", [["embedding"], ["LSTM"], ["decoder"], ["embedding", "decoder"], list(MATRICES)])
def test_what_is_not_named_stays_the_models_own(tiny: lmdemo.LSTMModel, matrices: list[str]) -> None:
    before = {name: weight.clone() for name, weight in tiny.state_dict().items()}
    rounded = lmdemo.round_weights(tiny, 4, matrices=matrices)
    modules = {"embedding": "encoder", "LSTM": "rnn", "decoder": "decoder"}
    changed = {name for name in WIDTHS if name.partition(".")[0] in {modules[matrix] for matrix in matrices}}
    for name, weight in rounded.state_dict().items():
        assert torch.equal(weight, before[name]) == (name not in changed)
        assert weight.is_set_to(tiny.state_dict()[name]) == (name not in changed)
    assert all(torch.equal(weight, before[name]) for name, weight in tiny.state_dict().items())
    assert not rounded.training


def test_a_tie_holds_while_both_are_rounded() -> None:
    model = lmdemo.LSTMModel(40, 8, 8, 1, tied=True).eval()
    matrix = 40 * 8
    both, one = (lmdemo.round_weights(model, 4, matrices=names) for names in (["embedding", "decoder"], ["decoder"]))
    assert both.tied
    assert both.config.tied
    assert not one.tied
    assert not one.config.tied
    assert torch.equal(one.encoder.weight, model.encoder.weight)
    assert bytes_saved(model, Rounding(4, False, ("embedding", "decoder"))) == 4 * matrix - (matrix // 2 + 4)
    assert bytes_saved(model, Rounding(4, False, ("decoder",))) == -(matrix // 2 + 4)


def test_bytes_saved_count_the_scales(tiny: lmdemo.LSTMModel) -> None:
    weights = 50 * 8
    assert bytes_saved(tiny, Rounding(3, False, ("decoder",))) == 4 * weights - (weights * 3 // 8 + 4)
    assert bytes_saved(tiny, Rounding(3, True, ("decoder",))) == 4 * weights - (weights * 3 // 8 + 4 * 50)


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ((1,), "Bits must be a whole number from 2 to 8."),
        ((9,), "Bits must be a whole number from 2 to 8."),
        ((True,), "Bits must be a whole number from 2 to 8."),
        (("4",), "Bits must be a whole number from 2 to 8."),
        ((4, 1), "Per_row must be true or false."),
        ((4, False, []), "Matrices must be one or more of embedding, LSTM, decoder."),
        ((4, False, ["<b>"]), "Matrices must be a list of names among embedding, LSTM, decoder."),
        ((4, False, "LSTM"), "Matrices must be a list of names among embedding, LSTM, decoder."),
    ],
)
def test_a_rounding_that_is_none_is_refused_in_a_sentence(tiny: lmdemo.LSTMModel, asked: tuple, sentence: str) -> None:
    with pytest.raises(InputError) as refused:
        lmdemo.round_weights(tiny, *asked)
    assert str(refused.value) == sentence


def test_a_quantized_model_is_refused(tiny: lmdemo.LSTMModel) -> None:
    with pytest.raises(lmdemo.VariantError, match="none of them quantized"):
        lmdemo.round_weights(lmdemo.build_variants(tiny, ["int8"])["int8"], 4)


@pytest.mark.parametrize("per_row", [False, True])
def test_a_row_and_its_matrix(bundled: lmdemo.Checkpoint, per_row: bool) -> None:
    weight = bundled.model.decoder.weight.detach()
    found = round_row(bundled.model, "decoder.weight", 17, Rounding(8, per_row))
    rounded = round_matrix(weight, found.rounding)
    assert found.weights == tuple(weight[17].tolist())
    assert found.integers == tuple(rounded.integers[17].tolist())
    assert torch.allclose(torch.tensor(found.errors), rounded.weights[17] - weight[17], atol=1e-7)
    assert max(map(abs, found.errors)) <= found.scale * 0.51
    integers, counts = rounded.integers.unique(return_counts=True)
    assert list(found.counts.items()) == list(zip(integers.tolist(), counts.tolist(), strict=True))
    assert found.zero == pytest.approx((rounded.integers == 0).float().mean().item())
    power = weight.var(correction=0) + weight.mean() ** 2
    assert found.snr == pytest.approx(10 * math.log10(power / (rounded.weights - weight).square().mean()), abs=1e-3)
    distances = rounded.integers.int().abs()
    assert (distances <= found.within).float().mean() >= 0.99 > (distances < found.within).float().mean()


def test_most_integers_of_the_decoder_lie_near_0_with_one_scale(bundled: lmdemo.Checkpoint) -> None:
    """The reason why a scale a row is better."""
    one, many = (round_row(bundled.model, "decoder.weight", 0, Rounding(8, per_row)) for per_row in (False, True))
    assert one.within < many.within
    assert one.snr < many.snr


@pytest.mark.parametrize(
    ("name", "row", "sentence"),
    [
        ("decoder.bias", 0, f"Matrix must be one of {', '.join(WIDTHS)}."),
        (["decoder.weight"], 0, f"Matrix must be one of {', '.join(WIDTHS)}."),
        ("decoder.weight", 50, "Row must be a whole number from 0 to 49."),
        ("decoder.weight", 0.5, "Row must be a whole number from 0 to 49."),
    ],
)
def test_a_row_that_is_none_is_refused_in_a_sentence(
    tiny: lmdemo.LSTMModel, name: object, row: object, sentence: str
) -> None:
    with pytest.raises(InputError) as refused:
        round_row(tiny, name, row, Rounding(4))
    assert str(refused.value) == sentence
