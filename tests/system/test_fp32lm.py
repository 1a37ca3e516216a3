"""The fp32 kernel writes and reads what fp32 does, for any shape; on other processors in test_processors.py."""

from collections.abc import Iterator

import pytest
import torch
from torch import nn

import lmdemo
from lmdemo.choosing import ROWS
from lmdemo.compiled import compiled
from lmdemo.fp32lm import Fp32LM, Fp32LMRunner
from lmdemo.inference import PREFILL, Runner, go_on
from lmdemo.noise import Noise
from lmdemo.packed import PackedLSTMModel
from lmdemo.packed_fp32 import PIECES
from lmdemo.sampling import Sampler
from lmdemo.ways import KERNEL, MODULES

# ntoken, ninp, nhid, nlayers
SHAPES = [(50, 6, 8, 2), (33, 1, 1, 1), (300, 70, 37, 3), (128, 16, 32, 1), (1, 5, 130, 1)]


@pytest.fixture(autouse=True)
def inference() -> Iterator[None]:
    with torch.inference_mode():
        yield


def kernel(model: lmdemo.LSTMModel) -> Fp32LM:
    found = compiled()
    assert found.library is not None, found.problem
    return Fp32LM(PackedLSTMModel(model), found.library)


def in_kernel(model: lmdemo.LSTMModel) -> Fp32LMRunner:
    return Fp32LMRunner(kernel(model))


def test_it_writes_the_words_of_fp32(bundled: lmdemo.Checkpoint) -> None:
    sampler, whole = Sampler(1.0, 0), kernel(bundled.model)
    for seed in range(10):
        stock, ours, word = Runner(bundled.model), Fp32LMRunner(whole), 1
        for position in range(100):
            expected, found = stock.step(word).clone(), ours.step(word).clone()
            assert torch.allclose(found, expected, rtol=0, atol=1e-4)
            drawn = Noise(seed, position, len(expected))
            word = sampler.pick(expected, drawn)
            assert sampler.pick(found, drawn) == word


@pytest.mark.parametrize("window", [1, 25, 230])
@pytest.mark.parametrize("shape", SHAPES)
def test_any_shape_and_window_is_read_as_fp32_reads_it(shape: tuple[int, int, int, int], window: int) -> None:
    torch.manual_seed(0)
    model = lmdemo.LSTMModel(*shape).eval()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3)
    ids = torch.randint(shape[0], (min(230, 40 * window) + 1,))
    whole = kernel(model)
    stock, running, summing, prefilled, stepping = Runner(model), *(Fp32LMRunner(whole) for _ in range(4))
    for data, targets in zip(ids[:-1].split(window), ids[1:].split(window), strict=True):
        expected = torch.cat([piece.clone() for piece in stock.read(data)])
        pieces = [piece.clone() for piece in running.read(data)]
        assert max(map(len, pieces)) <= ROWS
        assert torch.allclose(torch.cat(pieces), expected, atol=2e-5)
        losses = nn.functional.cross_entropy(expected, targets, reduction="none")
        assert torch.allclose(summing.losses(data, targets), losses, atol=2e-5)
        for word, logits in zip(data.tolist()[:2], expected, strict=False):
            assert torch.allclose(stepping.step(word), logits, atol=2e-5)
        stepping.hidden = stock.hidden  # in which a difference in the order of sums may grow
        prefilled.prefill(data, go_on)
        if window <= PREFILL:  # in one piece
            assert all(map(torch.equal, prefilled.hidden, running.hidden))


@pytest.mark.parametrize("value", [float("inf"), float("nan"), -1e30])
def test_what_is_no_number_stays_in_bounds(tiny: lmdemo.LSTMModel, value: float) -> None:
    tiny.encoder.weight.data[1].fill_(value)
    running = in_kernel(tiny)
    assert running.step(1).shape == (50,)
    assert running.losses(torch.tensor([1, 2]), torch.tensor([2, 1])).shape == (2,)


@pytest.mark.parametrize("word", [-1, 50, 10**12])
def test_what_the_kernel_cannot_check_is_refused(tiny: lmdemo.LSTMModel, word: int) -> None:
    running = in_kernel(tiny)
    one = torch.tensor([0, 1])
    with pytest.raises(ValueError, match=r"^A word is not in"):
        running.step(word)
    for targets in (one[:1], one.int()):
        with pytest.raises(ValueError, match=r"^There is one target"):
            running.losses(one, targets)
    assert running.hidden[0].count_nonzero() == 0


def test_it_is_among_the_ways_of_fp32_packed(tiny: lmdemo.LSTMModel) -> None:
    model = lmdemo.build_variants(tiny, ["fp32-packed"])["fp32-packed"]
    model.start().prepare_reading([25])
    assert list(model.whole.ways()) == [MODULES, PIECES, KERNEL]
    assert model.problem == ""
    choices = {choice.work: choice for choice in model.chosen_ways}
    for work in ("fp32, one word", "fp32, 32 words"):
        assert KERNEL in choices[work].seconds  # its output is stock's
