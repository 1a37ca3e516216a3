"""What a variant holds is counted whole, and no more than that."""

import pytest
from torch import nn

import lmdemo
from lmdemo import memory
from lmdemo.held import Held, held, warm_up
from lmdemo.inference import runner
from lmdemo.lab import Lab
from lmdemo.memory import Growth


@pytest.fixture(scope="module")
def lab(bundled: lmdemo.Checkpoint) -> Lab:
    lab = Lab(bundled)
    for model in lab.models.values():
        runner(model)
    return lab


def bytes_of(*modules: nn.Module) -> int:
    return sum(parameter.nbytes for module in modules for parameter in module.parameters())


def test_fp32_holds_its_tensors_and_its_packed_form_their_copies_too(lab: Lab, bundled: lmdemo.Checkpoint) -> None:
    model = bundled.model
    assert lab.held["fp32"] == Held(bytes_of(model), 0, 0)
    packed = lab.held["fp32-packed"]
    assert packed.tensors == bytes_of(model)
    assert packed.packed > bytes_of(model.rnn, model.decoder)  # the ways of reading a window
    assert packed.kernel in (
        0,
        pytest.approx(bytes_of(model.rnn, model.decoder), rel=0.05),
    )  # where there is a compiler


def test_int8_holds_the_embedding_in_fp32_and_each_other_weight_in_a_byte_or_two(
    lab: Lab, bundled: lmdemo.Checkpoint
) -> None:
    int8 = lab.held["int8"]
    weights = bytes_of(bundled.model.rnn, bundled.model.decoder) / 4
    assert int8.tensors == bytes_of(bundled.model.encoder)
    assert weights < int8.packed < 2.5 * weights
    assert int8.kernel == 0
    assert lab.held["int8-packed"].total > int8.total + weights
    assert lab.held["int4-embedding"].tensors == 0


def test_where_the_system_does_not_tell_what_was_built_is_left_out(
    tiny: lmdemo.LSTMModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "_glibc", lambda: False)
    growth = Growth()
    int8 = lmdemo.build_variants(tiny, ["int8"])["int8"]
    assert growth.read() is None
    assert held(int8, growth.read()) is None
    assert held(tiny, 0) == Held(bytes_of(tiny), 0, 0)


def test_the_heap_grows_by_what_is_kept_and_not_by_what_is_given_back() -> None:
    growth = Growth()
    kept = bytearray(10**7)
    assert growth.read() == pytest.approx(len(kept), rel=0.05)
    del kept
    assert growth.read() < 10**6


def test_a_warm_up_leaves_the_model_as_it_was(tiny: lmdemo.LSTMModel) -> None:
    before = {name: weight.clone() for name, weight in tiny.state_dict().items()}
    warm_up(tiny)
    assert all(before[name].equal(weight) for name, weight in tiny.state_dict().items())
