"""Runners give what the model's own forward gives, and fp32-packed what fp32 gives."""

import warnings
from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import lmdemo
from lmdemo import onednn
from lmdemo.choosing import ROWS, pieces
from lmdemo.inference import Runner, engine_decode, go_on, runner, scales_windows
from lmdemo.onednn import Int8Linear, activation_scale
from lmdemo.packed import PackedLSTMModel
from lmdemo.ways import ChosenRunner

IDS = torch.arange(3, 3 + 13 * 230, 13)


@pytest.fixture(scope="module")
def models(bundled: lmdemo.Checkpoint) -> dict[str, torch.nn.Module]:
    return lmdemo.build_variants(bundled.model)


def test_each_kind_of_model_has_its_runner(models: dict[str, torch.nn.Module]) -> None:
    kinds = {name: type(runner(model)) for name, model in models.items()}
    assert kinds.pop("fp32") is Runner
    assert kinds.pop("fp32-packed") is ChosenRunner
    assert kinds.pop("int8-packed") is ChosenRunner
    assert set(kinds.values()) == {Runner}


@pytest.mark.parametrize("name", list(lmdemo.VARIANTS))
def test_words_one_at_a_time_are_the_forwards(models: dict[str, torch.nn.Module], name: str) -> None:
    model = models[name]
    running, hidden = runner(model), model.init_hidden(1)
    with torch.inference_mode():
        for word in IDS[:40]:
            expected, hidden = model(word.view(1, 1), hidden)
            assert torch.allclose(running.step(int(word)), expected.view(-1), atol=1e-5)


@pytest.mark.parametrize("window", [1, 7, ROWS, ROWS + 1, 230])
@pytest.mark.parametrize("name", list(lmdemo.VARIANTS))
def test_windows_in_pieces_are_the_forwards(models: dict[str, torch.nn.Module], name: str, window: int) -> None:
    """Also for int8, whose activations have one scale for the whole window."""
    model = models[name]
    running, hidden = runner(model), model.init_hidden(1)
    with torch.inference_mode():
        for start in range(0, len(IDS), window):
            ids = IDS[start : start + window]
            expected, hidden = model(ids.unsqueeze(1), hidden)
            read = [piece.clone() for piece in running.read(ids)]
            assert max(map(len, read)) <= ROWS
            assert torch.allclose(torch.cat(read), expected.squeeze(1), atol=2e-5)


def test_one_hidden_unit_is_enough() -> None:
    torch.manual_seed(0)
    fp32 = lmdemo.LSTMModel(50, 6, 1, 1).eval()
    model = lmdemo.build_variants(fp32, ["int8"])["int8"]
    ids = IDS % 50
    with torch.inference_mode():
        outputs, _ = model.rnn(model.encoder(ids.unsqueeze(1)), model.init_hidden(1))
        expected, window = model.decoder(outputs).squeeze(1), outputs.squeeze(1)
        ways = [partial(engine_decode, model.decoder)]
        if onednn.available():  # not on a Mac
            ways.append(Int8Linear(model.decoder, ROWS))
        for decode in ways:
            found = torch.cat([decode(window[piece], window) for piece in pieces(len(window))])
            assert torch.allclose(found, expected, atol=2e-5)


@given(st.lists(st.integers(-(10**6), 10**6).map(lambda value: value / 128), min_size=1, max_size=20))
def test_the_scale_of_activations_is_torchs(values: list[float]) -> None:
    """Of a zero point halfway between two integers, as of a range as wide below 0 as above it, either will do."""
    inputs = torch.tensor([values])
    scale, zero_point = activation_scale(inputs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = torch.quantize_per_tensor_dynamic(inputs, torch.quint8, True)
    assert scale == pytest.approx(expected.q_scale(), rel=1e-6)
    exact = -min(min(values), 0.0) / scale
    halfway = abs(exact % 1 - 0.5) < 1e-3
    assert abs(zero_point - expected.q_zero_point()) <= (1 if halfway else 0)


def test_what_was_found_out_is_not_part_of_the_model(bundled: lmdemo.Checkpoint) -> None:
    model = lmdemo.build_variants(bundled.model, ["int8"])["int8"]
    before = lmdemo.serialized_size(model)
    runner(model).prepare_reading([25, 230])
    assert lmdemo.serialized_size(model) == before


def test_prefilling_leaves_the_state_that_reading_leaves(models: dict[str, torch.nn.Module]) -> None:
    for model in models.values():
        prefilled, read = runner(model), runner(model)
        with torch.inference_mode():
            prefilled.prefill(IDS[:20], go_on)
            list(read.read(IDS[:20]))
            assert all(map(torch.equal, prefilled.hidden, read.hidden))


def test_words_passed_one_by_one_leave_the_state_that_steps_leave(models: dict[str, torch.nn.Module]) -> None:
    for model in filter(scales_windows, models.values()):
        passed, stepped = runner(model), runner(model)
        with torch.inference_mode():
            passed.prefill(IDS[:20], go_on, 1)
            for word in IDS[:20].tolist():
                stepped.step(word)
            assert all(map(torch.equal, passed.hidden, stepped.hidden))


@pytest.mark.parametrize("shape", [(1, 1), (9, 1), (1, 3), (9, 3)])
def test_packed_equals_fp32_for_any_shape(models: dict[str, torch.nn.Module], shape: tuple[int, int]) -> None:
    fp32, packed = models["fp32"], models["fp32-packed"]
    ids = torch.randint(0, 10_000, shape, generator=torch.Generator().manual_seed(1))
    hidden = other = fp32.init_hidden(shape[1])
    with torch.inference_mode():
        for _ in range(3):  # the state that one call leaves is the next one's
            expected, hidden = fp32(ids, hidden)
            decoded, other = packed(ids, other)
            assert decoded.shape == (*shape, 10_000)
            assert torch.allclose(decoded, expected, atol=1e-5)
            assert all(torch.allclose(one, two, atol=1e-5) for one, two in zip(hidden, other, strict=True))


def test_packed_has_the_weights_of_fp32_and_says_what_it_chose(tiny: lmdemo.LSTMModel) -> None:
    packed = PackedLSTMModel(tiny)
    assert packed.state_dict().keys() == tiny.state_dict().keys()
    assert all(packed.state_dict()[name] is not None for name in tiny.state_dict())
    assert packed.decoder.weight.data_ptr() == tiny.decoder.weight.data_ptr()
    assert len(packed.chosen_ways) == 3
    for choice in packed.chosen_ways:
        assert choice.chosen in choice.seconds
        assert choice.seconds[choice.chosen] == min(choice.seconds.values())
        assert "stock" in choice.seconds


def test_a_window_is_read_as_the_lstm_reads_it_whichever_way_is_fastest(models: dict[str, torch.nn.Module]) -> None:
    packed = models["fp32-packed"]
    lstm = packed.read_window
    assert list(lstm._ways) == ["stock", *(["packed by oneDNN"] if onednn.available() else [])]
    hidden = packed.init_hidden(1)
    with torch.inference_mode():
        for start, length in ((0, 1), (1, 7), (8, 25), (33, 190)):  # a text goes on
            embedded = packed.encoder(IDS[start : start + length].unsqueeze(1))
            expected = packed.rnn(embedded, hidden)
            for way in lstm._ways.values():
                output, after = way(embedded, hidden)
                for one, other in zip((output, *after), (expected[0], *expected[1]), strict=True):
                    assert torch.allclose(one, other, atol=1e-6)
            hidden = expected[1]
            lstm(embedded, hidden)
    assert {choice.work for choice in lstm.chosen_ways} >= {f"LSTM, {count} words" for count in (1, 8, 32, ROWS)}
