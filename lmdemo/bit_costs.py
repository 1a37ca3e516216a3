"""What fewer bits cost: perplexity and KL of a model whose weights are rounded, bits by bits, and matrix by matrix.

For each number of bits, with one scale a tensor and with one a row, all matrices are rounded, and then the embedding,
the LSTM and the decoder alone; each is held against fp32 on the same words (fidelity.py). Rounding is simulated
(rounding.py), so nothing here says how fast it would be. It says what it does to this text, and to no other.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from torch import Tensor, nn

from lmdemo.checkpoint import Checkpoint
from lmdemo.fidelity import Fidelity, fidelity
from lmdemo.inference import Pause, Runner, go_on
from lmdemo.inputs import whole_number
from lmdemo.model import LSTMModel
from lmdemo.rounding import (
    LEAST_BITS,
    MATRICES,
    MOST_BITS,
    Rounding,
    bytes_saved,
    kind_of,
    rounded_weights,
    stored_bytes,
    with_weights,
)
from lmdemo.variants import BASELINE

TOKENS = 1_500  # words of test text that are read, if it has as many
WINDOW = 200  # words read in one call; fp32's figures do not depend on it
DECODER = MATRICES[-1]
ALL = (MOST_BITS - LEAST_BITS + 1) * 2 * (1 + len(MATRICES))  # costs: bits, scales, and all matrices or one


@dataclass(frozen=True)
class Cost:
    """What one rounding of the weights did on the words that were read."""

    rounding: Rounding
    tokens: int  # words that were predicted
    fp32_perplexity: float
    perplexity: float
    kl: float  # KL(fp32 ‖ rounded), nats a word
    saved: int  # bytes of the matrices in fp32 less those with the rounded ones packed
    fp32_bytes: int  # of the matrices


@dataclass(frozen=True)
class Sensitivity:
    """A snapshot; the last one, with every cost, is `final`."""

    tokens: int  # words that are predicted
    costs: tuple[Cost, ...]  # so far
    final: bool

    @property
    def share(self) -> float:
        """How much of all costs is known, 0 to 1."""
        return len(self.costs) / ALL

    def cost(self, rounding: Rounding) -> Cost | None:
        """What that rounding costs; None where it is not known."""
        return next((cost for cost in self.costs if cost.rounding == rounding), None)

    def curve(self, per_row: bool) -> tuple[Cost, ...]:
        """What rounding all matrices costs, by the number of bits, the fewest first; as far as it is known."""
        found = [cost for cost in self.costs if cost.rounding.matrices == MATRICES]
        return tuple(
            sorted((one for one in found if one.rounding.per_row == per_row), key=lambda cost: cost.rounding.bits)
        )

    def ranked(self, bits: int, per_row: bool) -> tuple[Cost, ...]:
        """What one matrix alone costs, of that rounding, the one that hurts most first; as far as it is known."""
        alone = (self.cost(Rounding(bits, per_row, (matrix,))) for matrix in MATRICES)
        return tuple(sorted((cost for cost in alone if cost is not None), key=lambda cost: -cost.kl))


def sensitivity(checkpoint: Checkpoint, tokens: int | None = None, pause: Pause = go_on) -> Iterator[Sensitivity]:
    """The costs of all roundings, 8 bits first, on the first words of the test text; an iterator of snapshots.

    Args:
        checkpoint: as `load_checkpoint` gives it.
        tokens: how many words are predicted, 1 to what the text has; without it 1,500, or all of a shorter text.
        pause: called between pieces of some milliseconds; what it raises ends the run there.

    Raises:
        InputError: at once, for a number of words that the text does not have.
    """
    return _steps(checkpoint, check_tokens(checkpoint, tokens), pause)


def cost_of(
    checkpoint: Checkpoint, rounding: Rounding, rounded: LSTMModel, pause: Pause = go_on
) -> Iterator[Cost | None]:
    """What one rounding costs, on the words that `sensitivity` reads by itself; None until it is known.

    `rounded` is the model of `checkpoint` after it.
    """
    ids = checkpoint.test_ids[: check_tokens(checkpoint, None) + 1]
    for run in fidelity(_in_step(checkpoint.model, [(rounding, rounded)]), ids, WINDOW, pause):
        yield _cost(checkpoint.model, rounding, *run.results.values()) if run.final else None


def check_tokens(checkpoint: Checkpoint, tokens: object) -> int:
    """How many words are read; `InputError` where the text does not have them."""
    available = len(checkpoint.test_ids) - 1
    return min(TOKENS, available) if tokens is None else whole_number("Tokens", tokens, 1, available)


def _steps(checkpoint: Checkpoint, tokens: int, pause: Pause) -> Iterator[Sensitivity]:
    found = Sensitivity(tokens, (), final=False)
    for bits in range(MOST_BITS, LEAST_BITS - 1, -1):
        rounded = list(_models(checkpoint.model, bits, pause))
        for run in fidelity(_in_step(checkpoint.model, rounded), checkpoint.test_ids[: tokens + 1], WINDOW, pause):
            if run.final:
                base, *others = run.results.values()
                pairs = zip(rounded, others, strict=True)
                costs = tuple(_cost(checkpoint.model, rounding, base, other) for (rounding, _), other in pairs)
                found = Sensitivity(tokens, found.costs + costs, final=bits == LEAST_BITS)
            yield found


def _models(model: LSTMModel, bits: int, pause: Pause) -> Iterator[tuple[Rounding, LSTMModel]]:
    """With one scale a tensor and one a row: all matrices rounded, and each alone. They hold two models' memory."""
    for per_row in (False, True):
        pause()
        rounding = Rounding(bits, per_row)
        weights = rounded_weights(model, rounding)
        yield rounding, with_weights(model, weights)
        for matrix in MATRICES:
            alone = {name: weight for name, weight in weights.items() if kind_of(name) == matrix}
            yield replace(rounding, matrices=(matrix,)), with_weights(model, alone)


def _in_step(model: LSTMModel, rounded: Iterable[tuple[Rounding, LSTMModel]]) -> dict[str, nn.Module]:
    """fp32 and what is held against it, as `fidelity` takes them; where the decoder alone is rounded, fp32's LSTM is
    not run again.
    """
    shared = _SharedOutputs()
    models: dict[str, nn.Module] = {BASELINE: _Started(partial(_Giving, model, shared))}
    for rounding, other in rounded:
        alone = rounding.matrices == (DECODER,)
        models[str(rounding)] = _Started(partial(_Taking, other, shared)) if alone else other
    return models


class _SharedOutputs:
    """What fp32's LSTM gave for the window that all are reading, (T, nhid)."""

    outputs: Tensor


class _Giving(Runner):
    """fp32, the first to read a window."""

    def __init__(self, model: LSTMModel, shared: _SharedOutputs) -> None:
        super().__init__(model)
        self._shared = shared

    def _lstm_outputs(self, ids: Tensor) -> Tensor:
        self._shared.outputs = super()._lstm_outputs(ids)
        return self._shared.outputs


class _Taking(Runner):
    """A model with fp32's embedding and LSTM, and a decoder of its own."""

    def __init__(self, model: LSTMModel, shared: _SharedOutputs) -> None:
        super().__init__(model)
        self._shared = shared

    def _lstm_outputs(self, _ids: Tensor) -> Tensor:
        return self._shared.outputs


class _Started(nn.Module):
    """A model with a runner of its own."""

    def __init__(self, start: Callable[[], Runner]) -> None:
        super().__init__()
        self.start = start


def _cost(model: LSTMModel, rounding: Rounding, base: Fidelity, found: Fidelity) -> Cost:
    return Cost(
        rounding=rounding,
        tokens=found.tokens,
        fp32_perplexity=base.perplexity.value,
        perplexity=found.perplexity.value,
        kl=found.kl.value,
        saved=bytes_saved(model, rounding),
        fp32_bytes=stored_bytes(model),
    )
