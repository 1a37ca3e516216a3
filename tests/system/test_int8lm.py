"""The int8 kernel writes and reads what stock int8 does, for any shape; on other processors in test_processors.py."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

import lmdemo
from lmdemo.choosing import ROWS
from lmdemo.compiled import compiled
from lmdemo.inference import PREFILL, Runner, go_on
from lmdemo.int8lm import CHUNK, Int8LM, Int8LMRunner, Int8Product
from lmdemo.noise import Noise
from lmdemo.sampling import Sampler

KINDS = ("int8", "int8-per-channel", "int8-embedding")
SHAPES = [
    (50, 6, 8, 2),
    (33, 1, 1, 1),
    (300, 70, 37, 3),
    (128, 16, 32, 1),
    (1, 5, 130, 1),
]  # ntoken, ninp, nhid, nlayers


@pytest.fixture(scope="module")
def models(bundled: lmdemo.Checkpoint) -> dict[str, nn.Module]:
    return lmdemo.build_variants(bundled.model, KINDS)


@pytest.fixture(autouse=True)
def inference() -> Iterator[None]:
    with torch.inference_mode():
        yield


def kernel(model: nn.Module) -> Int8LM:
    found = compiled()
    assert found.library is not None, found.problem
    return Int8LM(model, found.library)


def in_kernel(model: nn.Module) -> Int8LMRunner:
    return Int8LMRunner(kernel(model))


def logits(model: nn.Module, ids: Tensor, window: int) -> Iterator[Tensor]:
    """Of the model's own forward, a window at a time."""
    hidden = model.init_hidden(1)
    for start in range(0, len(ids), window):
        output, hidden = model(ids[start : start + window].unsqueeze(1), hidden)
        yield output.squeeze(1)


def mean_losses(model: nn.Module, ids: Tensor, window: int) -> tuple[float, float]:
    """Of the model's own forward, and of the kernel's reading."""
    running, stock, ours = in_kernel(model), 0.0, 0.0
    for start, output in zip(range(0, len(ids), window), logits(model, ids[:-1], window), strict=False):
        data, targets = ids[start : start + len(output)], ids[start + 1 : start + 1 + len(output)]
        stock += nn.functional.cross_entropy(output.double(), targets, reduction="sum").item()
        ours += running.losses(data, targets).sum(dtype=torch.float64).item()
    return stock / (len(ids) - 1), ours / (len(ids) - 1)


@pytest.mark.parametrize("kind", KINDS[:2])
def test_it_writes_the_words_of_stock_int8(models: dict[str, nn.Module], kind: str) -> None:
    """Until a rounding flips, which the state then carries on: logits of as many texts are equal to 1e-4."""
    texts, sampler, whole = 0, Sampler(1.0, 0), kernel(models[kind])
    for seed in range(30):
        stock, ours = Runner(models[kind]), Int8LMRunner(whole)
        word, equal = 1, True
        for position in range(100):
            expected, found = stock.step(word).clone(), ours.step(word).clone()
            equal = equal and torch.allclose(found, expected, rtol=0, atol=1e-4)
            drawn = Noise(seed, position, len(expected))
            word, other = sampler.pick(expected, drawn), sampler.pick(found, drawn)
            equal = equal and word == other
        texts += equal
    assert texts >= 29


@pytest.mark.parametrize(("window", "bound"), [(1, 3e-4), (7, 3e-4), (25, 2e-5), (200, 2e-5)])
def test_its_loss_is_stock_int8s(
    models: dict[str, nn.Module], bundled: lmdemo.Checkpoint, window: int, bound: float
) -> None:
    for kind in KINDS[:2]:
        stock, ours = mean_losses(models[kind], bundled.test_ids[:1001], window)
        assert ours == pytest.approx(stock, abs=bound)


@pytest.mark.parametrize("window", [1, 7, CHUNK + 1, ROWS, 230])
@pytest.mark.parametrize("shape", SHAPES)
def test_any_shape_and_window_is_read_as_stock_reads_it(shape: tuple[int, int, int, int], window: int) -> None:
    torch.manual_seed(0)
    fp32 = lmdemo.LSTMModel(*shape).eval()
    for parameter in fp32.parameters():
        nn.init.normal_(parameter, std=0.3)
    ids = torch.randint(shape[0], (min(230, 40 * window) + 1,))
    for model in lmdemo.build_variants(fp32, KINDS).values():
        whole = kernel(model)
        running, summing, prefilled = Int8LMRunner(whole), Int8LMRunner(whole), Int8LMRunner(whole)
        start = 0
        for expected in logits(model, ids[:-1], window):
            data, targets = ids[start : start + len(expected)], ids[start + 1 : start + 1 + len(expected)]
            pieces = [piece.clone() for piece in running.read(data)]
            assert max(map(len, pieces)) <= ROWS
            assert torch.allclose(torch.cat(pieces), expected, atol=2e-5)
            losses = nn.functional.cross_entropy(expected, targets, reduction="none")
            assert torch.allclose(summing.losses(data, targets), losses, atol=2e-5)
            prefilled.prefill(data, go_on)
            start += len(expected)
        if window <= PREFILL:  # in one piece
            assert all(map(torch.equal, prefilled.hidden, running.hidden))


@pytest.mark.parametrize("value", [0.0, 1e-7, -1e-7, 50.0, -1e30])
def test_extreme_activations_are_those_of_stock(tiny: lmdemo.LSTMModel, value: float) -> None:
    """Nothing at all, a range below the least scale, gates that are fully open or shut."""
    tiny.encoder.weight.data.fill_(value)
    model = lmdemo.build_variants(tiny, ["int8"])["int8"]
    (expected,) = logits(model, torch.tensor([1]), 1)
    assert torch.allclose(in_kernel(model).step(1), expected.view(-1), atol=1e-6)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("weights", [[127, 127, 1], [127, 127, 2], [127] * 4, [127] * 16])
def test_sums_at_the_edge_of_16_bits_are_exact(weights: list[int], sign: int) -> None:
    """Two of every four columns meet in 16 bits on AVX2, as long as these hold 128 times the sum of such weights."""
    torch.manual_seed(0)
    fp32 = lmdemo.LSTMModel(20, 16, 16, 1).eval()
    meeting = [column for column in range(16) if column % 4 < 2]
    meeting += [column for column in range(16) if column % 4 >= 2]
    matrix = fp32.rnn.weight_ih_l0.data.fill_(0)  # (64, 16)
    matrix[:, meeting[: len(weights)]] = sign * torch.tensor(weights) / 1000
    matrix[-1, -1] = -sign * 0.1275  # for a scale of a thousandth
    fp32.rnn.weight_hh_l0.data.fill_(0.01)
    # a zero point of 1.5 becomes 2, and the greatest activation with it 127.5, then 128: all but the last are
    fp32.encoder.weight.data.fill_(125.5 / 2**7)[:, -1] = -1.5 / 2**7
    model = lmdemo.build_variants(fp32, ["int8"])["int8"]
    assert set(weights) <= set((sign * model.rnn.get_weight()["weight_ih_l0"].int_repr()).flatten().tolist())
    (expected,) = logits(model, torch.tensor([1, 2, 3]), 3)
    assert torch.allclose(torch.cat(list(in_kernel(model).read(torch.tensor([1, 2, 3])))), expected, atol=1e-6)


def test_the_peak_is_measured_with_all_products() -> None:
    """Fewer would make a rate that does not exist."""
    product = Int8Product(112, compiled().library)
    assert product() == 112 * product._words.sum(dtype=torch.int64)


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_what_is_no_number_stays_in_bounds(tiny: lmdemo.LSTMModel, value: float) -> None:
    model = lmdemo.build_variants(tiny, ["int8"])["int8"]
    model.encoder.weight.data[1].fill_(value)
    running = in_kernel(model)
    assert running.step(1).shape == (50,)
    assert running.losses(torch.tensor([1, 2]), torch.tensor([2, 1])).shape == (2,)


@pytest.mark.parametrize("word", [-1, 50, 10**12])
def test_what_the_kernel_cannot_check_is_refused(tiny: lmdemo.LSTMModel, word: int) -> None:
    running = in_kernel(lmdemo.build_variants(tiny, ["int8"])["int8"])
    words, one = torch.tensor([0, word]), torch.tensor([0, 1])
    for read in (
        lambda: running.step(word),
        lambda: running.prefill(words, go_on),
        lambda: list(running.read(words)),
        lambda: running.losses(words, one),
        lambda: running.losses(one, words),
        lambda: running.losses(one, one[:1]),
        lambda: running.prefill(one[:0], go_on),
        lambda: running.prefill(one.int(), go_on),
        lambda: running.prefill(one.unsqueeze(1), go_on),
    ):
        with pytest.raises(ValueError, match=r"^(A word is not in|Words are their ids|There is one target)"):
            read()
    assert running.hidden[0].count_nonzero() == 0
