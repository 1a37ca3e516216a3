"""int8-packed with a C compiler: the kernel is among its ways, and a text goes on from one to another."""

import pytest
import torch

import lmdemo
from lmdemo.inference import Runner, go_on
from lmdemo.packed_int8 import OPERATORS, PackedInt8Model
from lmdemo.ways import KERNEL, MODULES

IDS = torch.arange(3, 3 + 13 * 231, 13)


def packed(model: lmdemo.LSTMModel) -> PackedInt8Model:
    return lmdemo.build_variants(model, ["int8-packed"])["int8-packed"]


def test_its_ways_are_the_modules_the_operators_and_the_kernel(tiny: lmdemo.LSTMModel) -> None:
    model = packed(tiny)
    assert list(model.whole.ways()) == [MODULES, OPERATORS, KERNEL]
    assert model.problem == ""
    assert model.whole.way(25) in model.whole.ways()
    (choice,) = model.chosen_ways
    assert KERNEL in choice.seconds  # its output is stock's


@pytest.mark.parametrize("ways", [(KERNEL, OPERATORS), (OPERATORS, KERNEL), (MODULES, KERNEL), (KERNEL, MODULES)])
def test_a_text_goes_on_in_another_way(
    bundled: lmdemo.Checkpoint, monkeypatch: pytest.MonkeyPatch, ways: tuple[str, str]
) -> None:
    model = packed(bundled.model)
    monkeypatch.setattr(model.whole, "way", lambda words: ways[words > 1])
    running, stock = model.start(), Runner(model)
    with torch.inference_mode():
        for turn in (0, 50, 100):
            running.prefill(IDS[turn : turn + 20], go_on)
            stock.prefill(IDS[turn : turn + 20], go_on)
            assert torch.allclose(running.step(7), stock.step(7), atol=1e-4)
            window = IDS[turn + 20 : turn + 45]
            after = IDS[turn + 21 : turn + 46]
            assert torch.allclose(running.losses(window, after), stock.losses(window, after), atol=1e-4)
            found, expected = (torch.cat([piece.clone() for piece in one.read(window)]) for one in (running, stock))
            assert torch.allclose(found, expected, atol=1e-4)
            assert all(map(torch.equal, running.hidden, stock.hidden))
