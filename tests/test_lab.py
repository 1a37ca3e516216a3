"""What is computed of one checkpoint, for whoever asks."""

import threading
from contextlib import AbstractContextManager

import pytest
from torch import nn

import lmdemo
from lmdemo import variants
from lmdemo.evaluation import default_tokens
from lmdemo.generation import GenerationSettings
from lmdemo.lab import DEFAULT_MEASURED, Lab
from lmdemo.turns import Turns


@pytest.fixture(scope="module")
def lab() -> Lab:
    return Lab(lmdemo.load_checkpoint())


def test_each_variant_is_built_in_a_turn_of_its_own(
    bundled: lmdemo.Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[bool] = []

    class Turn(AbstractContextManager):
        taken, under_way = 0, False

        def __enter__(self) -> None:
            self.taken, self.under_way = self.taken + 1, True

        def __exit__(self, *_: object) -> None:
            self.under_way = False

    turn = Turn()
    build = variants._build
    monkeypatch.setattr(variants, "_build", lambda *what: held.append(turn.under_way) or build(*what))
    lab = Lab(bundled, Turns(turn))
    assert len(lab.sizes) == len(lmdemo.VARIANTS)
    assert all(held)
    assert turn.taken == len(lmdemo.VARIANTS) + 2  # one for what can be built here, and one for the sizes


def test_a_visitor_who_leaves_in_the_middle_holds_nothing(lab: Lab) -> None:
    left = lab.generate(GenerationSettings(words=1000))
    next(left)
    *_, other = lab.generate(GenerationSettings(words=5))
    assert other.final


def test_what_is_not_shown_first_is_built_when_it_is_needed_and_once(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[str] = []

    def recorded(model: lmdemo.LSTMModel, names: list[str]) -> dict[str, nn.Module]:
        built.extend(names)
        return lmdemo.build_variants(model, names)

    monkeypatch.setattr("lmdemo.lab.build_variants", recorded)
    monkeypatch.setattr("lmdemo.lab.sizes", lambda _: pytest.fail("sizes of all variants before anyone asks"))
    other = Lab(lab.checkpoint)
    *_, shown = other.generate(GenerationSettings(words=3), DEFAULT_MEASURED)
    assert list(shown.writings) == list(DEFAULT_MEASURED)
    assert built == list(DEFAULT_MEASURED)
    threads = [threading.Thread(target=lambda: list(other.evaluate(100, 25, ["int4-embedding"]))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert built == list(lmdemo.VARIANTS)
    assert list(other.models) == list(lmdemo.VARIANTS)


@pytest.mark.parametrize("tokens", [0, 99, 10**9, "abc", float("nan"), None])
def test_a_bad_slice_is_answered_with_its_range(lab: Lab, tokens: object) -> None:
    most = min(20_000, lab.available_tokens)
    with pytest.raises(lmdemo.InputError, match=f"^Tokens must be a whole number from 100 to {most:,}"):
        lab.compare(tokens)


def test_fp32_is_always_there_and_the_order_is_the_tables(lab: Lab) -> None:
    *_, generation = lab.generate(GenerationSettings(words=3), ["int8-embedding", "int8", "int8"])
    assert list(generation.writings) == ["fp32", "int8", "int8-embedding"]
    *_, alone = lab.generate(GenerationSettings(words=3), [])
    assert list(alone.writings) == ["fp32"]


@pytest.mark.parametrize("variants", [None, "int8", ["int9"], [None], [["int8"]], {"int8": 1}, 3])
def test_a_bad_choice_of_variants_is_answered_with_the_names(lab: Lab, variants: object) -> None:
    for call in (lambda: lab.evaluate(100, 25, variants), lambda: lab.generate(GenerationSettings(), variants)):
        with pytest.raises(lmdemo.InputError, match=r"^Variants must be a list of names among fp32, fp32-packed, int8"):
            call()


def test_an_evaluation_is_timed_then_compared_word_by_word(lab: Lab) -> None:
    snapshots = list(lab.evaluate(500, 25, ["int8"]))
    phases = [snapshot.fidelity is not None for snapshot in snapshots]
    assert phases == sorted(phases)
    assert [snapshot.final for snapshot in snapshots] == [False] * (len(snapshots) - 1) + [True]
    last = snapshots[-1]
    assert last.comparison.final
    assert last.checkpoint == "bundled"
    for name, result in last.comparison.results.items():
        assert last.fidelity.results[name].loss.value == pytest.approx(result.loss, abs=1e-6)


@pytest.mark.parametrize(("available", "tokens"), [(1, 1), (8_715, 8_715), (10_000, 10_000), (10_001, 4_000)])
def test_all_of_a_text_that_is_not_long_is_measured_where_nobody_says_how_much(available: int, tokens: int) -> None:
    assert default_tokens(available) == tokens


def test_the_bundled_text_is_read_as_a_whole(lab: Lab) -> None:
    assert lab.default_tokens == lab.available_tokens
