"""int8-packed is int8 by whichever way was fastest, and says which; both packed variants run without a compiler too."""

import threading
from collections.abc import Callable

import pytest
import torch

import lmdemo
from lmdemo import packed_fp32, packed_int8
from lmdemo.choosing import ROWS
from lmdemo.compiled import Compiled
from lmdemo.inference import Runner
from lmdemo.once import Once
from lmdemo.packed_fp32 import PIECES
from lmdemo.packed_int8 import OPERATORS, PackedInt8Model
from lmdemo.ways import MODULES

IDS = torch.arange(3, 3 + 13 * 231, 13)


def packed(model: lmdemo.LSTMModel) -> PackedInt8Model:
    return lmdemo.build_variants(model, ["int8-packed"])["int8-packed"]


def test_it_keeps_the_state_dict_and_the_bytes_of_int8(tiny: lmdemo.LSTMModel) -> None:
    int8, model = lmdemo.build_variants(tiny, ["int8"])["int8"], packed(tiny)
    assert list(model.state_dict()) == list(int8.state_dict())
    before = lmdemo.serialized_size(model)
    model.start().prepare_reading([25])
    assert lmdemo.serialized_size(model) == before == lmdemo.serialized_size(int8)


def test_it_chooses_when_it_is_run_once_for_windows_of_about_a_length(tiny: lmdemo.LSTMModel) -> None:
    model = packed(tiny)
    assert model.chosen_ways == ()
    threads = [threading.Thread(target=lambda: model.start().prepare_reading([1, 25, 32, 200, 1000])) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [choice.work for choice in model.chosen_ways] == ["int8, one word", "int8, 32 words", f"int8, {ROWS} words"]
    for choice in model.chosen_ways:
        assert MODULES in choice.seconds
        assert choice.seconds[choice.chosen] == min(choice.seconds.values())


def no_compiler(monkeypatch: pytest.MonkeyPatch) -> str:
    sentence = "There is no C compiler here to build the kernel with."
    monkeypatch.setattr(packed_int8, "compiled", Once(lambda: Compiled(None, sentence)))
    return sentence


def too_many_bits(monkeypatch: pytest.MonkeyPatch) -> str:
    sentence = "The kernel cannot hold this quantized engine's 8-bit activations on this processor."

    def refuses(*_: object) -> None:
        raise lmdemo.VariantError(sentence)

    monkeypatch.setattr(packed_int8, "Int8LM", refuses)
    return sentence


@pytest.mark.parametrize("lacks", [no_compiler, too_many_bits])
def test_without_the_kernel_the_other_ways_serve_and_a_sentence_says_so(
    tiny: lmdemo.LSTMModel,
    monkeypatch: pytest.MonkeyPatch,
    lacks: Callable[[pytest.MonkeyPatch], str],
) -> None:
    sentence = lacks(monkeypatch)
    model = packed(tiny)
    with torch.inference_mode():
        assert torch.equal(model.start().step(3), Runner(model).step(3))
    assert list(model.whole.ways()) == [MODULES, OPERATORS]
    assert model.problem == sentence


def test_fp32_too_is_served_without_a_compiler(tiny: lmdemo.LSTMModel, monkeypatch: pytest.MonkeyPatch) -> None:
    sentence = "There is no C compiler here to build the kernel with."
    monkeypatch.setattr(packed_fp32, "compiled", Once(lambda: Compiled(None, sentence)))
    model = lmdemo.build_variants(tiny, ["fp32-packed"])["fp32-packed"]
    assert model.problem == ""  # nobody has asked yet
    with torch.inference_mode():
        assert torch.allclose(model.start().step(3), Runner(tiny).step(3), atol=1e-5)
    assert list(model.whole.ways()) == [MODULES, PIECES]
    assert model.problem == sentence
