"""What fewer bits cost, against the engine's own evaluation and against figures of an earlier trial."""

from dataclasses import replace

import pytest
import torch

import lmdemo
from lmdemo.bit_costs import cost_of, sensitivity
from lmdemo.fidelity import Fidelity, fidelity
from lmdemo.rounding import MATRICES, Rounding, bytes_saved

# bits: perplexity and KL with one scale a tensor, then with one a row; 1,500 words, all matrices. An earlier trial, by
# other code, whose 8 bits had the range of the fewer.
TRIAL = {
    8: (55.0, 0.0035, 55.0, 0.0003),
    6: (58.8, 0.063, 55.3, 0.0050),
    5: (87.0, 0.44, 56.0, 0.024),
    4: (241, 1.55, 64.9, 0.18),
    3: (1518, 3.5, 122, 0.86),
    2: (4524, 4.7, 2458, 4.0),
}


ALONE = {"embedding": 0.0064, "LSTM": 0.099, "decoder": 1.48}  # KL at 4 bits with one scale a tensor


@pytest.fixture(scope="module")
def measured(bundled: lmdemo.Checkpoint) -> dict[Rounding | str, Fidelity]:
    """What roundings cost on 1,500 words; and int8's own weights of LSTM and decoder, put into fp32 by hand."""
    roundings = [Rounding(bits, per_row) for bits in TRIAL for per_row in (False, True)]
    roundings += [Rounding(4, False, (matrix,)) for matrix in ALONE] + [Rounding(8, False, ("LSTM", "decoder"))]
    models = {"fp32": bundled.model, "by hand": int8s_weights(bundled)}
    models |= {one: lmdemo.round_weights(bundled.model, one.bits, one.per_row, one.matrices) for one in roundings}
    *_, run = fidelity(models, bundled.test_ids[:1501], 200)
    return run.results


def int8s_weights(checkpoint: lmdemo.Checkpoint) -> lmdemo.LSTMModel:
    int8 = lmdemo.build_variants(checkpoint.model, ["int8"])["int8"]
    weights = {f"rnn.{key}": weight.dequantize() for key, weight in int8.rnn.get_weight().items()}
    weights["decoder.weight"] = int8.decoder.weight().dequantize()
    model = lmdemo.LSTMModel.from_config(checkpoint.config).eval()
    model.load_state_dict(checkpoint.model.state_dict() | weights)
    return model


@pytest.mark.parametrize("bits", TRIAL)
def test_the_figures_are_those_of_the_trial(measured: dict[Rounding, Fidelity], bits: int) -> None:
    one, many = (measured[Rounding(bits, per_row)] for per_row in (False, True))
    figures = (one.perplexity, one.kl, many.perplexity, many.kl)
    for found, expected in zip(figures, TRIAL[bits], strict=True):
        assert found.value == pytest.approx(expected, rel=0.03, abs=0.00005)


@pytest.mark.parametrize("matrix", ALONE)
def test_so_are_those_of_a_matrix_alone(measured: dict[Rounding, Fidelity], matrix: str) -> None:
    assert measured[Rounding(4, False, (matrix,))].kl.value == pytest.approx(ALONE[matrix], rel=0.01)


def test_at_8_bits_kl_is_that_of_int8s_own_weights_put_into_fp32_by_hand(
    measured: dict[Rounding | str, Fidelity],
) -> None:
    by_hand, rounded = measured["by hand"], measured[Rounding(8, False, ("LSTM", "decoder"))]
    assert rounded.kl == by_hand.kl
    assert rounded.perplexity == by_hand.perplexity


def test_snapshots_grow_to_every_cost_and_agree_with_evaluate(
    tiny: lmdemo.LSTMModel, words: lmdemo.Vocabulary, bundled: lmdemo.Checkpoint
) -> None:
    ids = torch.randint(50, (301,), generator=torch.Generator().manual_seed(0))
    checkpoint = replace(bundled, config=tiny.config, model=tiny, vocabulary=words, test_ids=ids)
    snapshots = list(sensitivity(checkpoint))
    counts = [len(snapshot.costs) for snapshot in snapshots]
    assert counts == sorted(counts)
    assert [snapshot.final for snapshot in snapshots] == [False] * (len(snapshots) - 1) + [True]
    assert len({cost.rounding for cost in snapshots[-1].costs}) == counts[-1] == 7 * 2 * 4
    assert {cost.tokens for cost in snapshots[-1].costs} == {snapshots[-1].tokens} == {300}
    fp32 = lmdemo.evaluate(tiny, ids, 200).perplexity
    assert [cost.fp32_perplexity for cost in snapshots[-1].costs] == pytest.approx([fp32] * counts[-1])
    for per_row in (False, True):
        curve = snapshots[-1].curve(per_row)
        assert [(cost.rounding.bits, cost.rounding.matrices) for cost in curve] == [(n, MATRICES) for n in range(2, 9)]
        rounded = lmdemo.round_weights(tiny, 3, per_row)
        assert curve[1].perplexity == pytest.approx(lmdemo.evaluate(rounded, ids, 200).perplexity)
        assert curve[1].saved == bytes_saved(tiny, Rounding(3, per_row))
    *_, one = cost_of(checkpoint, Rounding(3, True, ("LSTM",)), lmdemo.round_weights(tiny, 3, True, ["LSTM"]))
    assert one.kl == pytest.approx(snapshots[-1].cost(one.rounding).kl)
    ranked = snapshots[-1].ranked(3, True)
    assert sorted(cost.rounding.matrices for cost in ranked) == sorted((matrix,) for matrix in MATRICES)
    assert [cost.kl for cost in ranked] == sorted((cost.kl for cost in ranked), reverse=True)
    assert snapshots[-1].cost(Rounding(3, True, ("LSTM", "decoder"))) is None


def test_where_the_decoder_alone_is_rounded_the_lstm_is_not_run_again_for_the_same_numbers(
    tiny: lmdemo.LSTMModel, words: lmdemo.Vocabulary, bundled: lmdemo.Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = torch.randint(50, (301,), generator=torch.Generator().manual_seed(0))
    checkpoint = replace(bundled, config=tiny.config, model=tiny, vocabulary=words, test_ids=ids)
    alone = Rounding(3, False, ("decoder",))
    rounded = lmdemo.round_weights(tiny, 3, matrices=["decoder"])
    *_, apart = fidelity({"fp32": tiny, "rounded": rounded}, ids, 200)
    calls, forward = [], torch.nn.LSTM.forward
    monkeypatch.setattr(torch.nn.LSTM, "forward", lambda lstm, *given: calls.append(lstm) or forward(lstm, *given))
    *_, found = sensitivity(checkpoint)
    assert len(calls) == 7 * 2 * (1 + 2 * 3)  # bits, windows; fp32, and of each kind of scale all but the decoder
    *_, one = cost_of(checkpoint, alone, rounded)
    assert found.cost(alone).kl == one.kl == apart.results["rounded"].kl.value
    assert found.cost(alone).perplexity == one.perplexity == apart.results["rounded"].perplexity.value


@pytest.mark.parametrize("tokens", [0, 10**9, "all"])
def test_more_words_than_the_text_has_are_refused_in_a_sentence(bundled: lmdemo.Checkpoint, tokens: object) -> None:
    with pytest.raises(lmdemo.InputError, match=r"^Tokens must be a whole number from 1 to [\d,]+\.$"):
        sensitivity(bundled, tokens)
