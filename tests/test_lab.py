"""One computation at a time, and first results without anyone asking."""

import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace

import pytest
from torch import nn

import lmdemo
from lmdemo import variants
from lmdemo.evaluation import Comparison
from lmdemo.generation import Generation, GenerationSettings
from lmdemo.lab import DEFAULT_MEASURED, EXAMPLE_PARTS, Lab
from lmdemo.machine import Interference
from lmdemo.measured import Evaluation


@pytest.fixture(scope="module")
def lab() -> Lab:
    return Lab(lmdemo.load_checkpoint())


@pytest.fixture(scope="module")
def started(lab: Lab) -> Lab:
    """Another, whose first results are on their way."""
    another = Lab(lab.checkpoint)
    assert not another.example.done()
    another.start()
    return another


def test_steps_of_two_computations_never_overlap(lab: Lab) -> None:
    running, most = 0, 0

    def steps() -> Iterator[int]:
        nonlocal running, most
        for step in range(1, 40):
            running += 1
            most = max(most, running)
            time.sleep(0.001)
            running -= 1
            yield step

    threads = [threading.Thread(target=lambda: list(lab._exclusive(steps()))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


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
    lab = Lab(bundled, turn)
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
    assert list(shown.writings) == ["fp32", "fp32-packed", "int8"]
    assert built == ["fp32", "fp32-packed", "int8"]
    threads = [threading.Thread(target=lambda: list(other.evaluate(100, 25, ["int4-embedding"]))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert built == list(lmdemo.VARIANTS)
    assert list(other.models) == list(lmdemo.VARIANTS)


def test_first_results_are_there_without_anyone_asking(started: Lab) -> None:
    assert started.example.result(timeout=120).final
    evaluation = started.evaluation.result(timeout=120)
    assert evaluation.final
    assert list(evaluation.comparison.results) == ["fp32", "fp32-packed", "int8"]
    assert evaluation.comparison.tokens == evaluation.fidelity.tokens == 4000
    assert started.limits.keys() == started.models.keys()
    for name, limit in evaluation.limits.items():  # the limit of now may be the better for a run since
        assert limit.bandwidth <= started.limits[name].bandwidth
        assert limit.peak <= started.limits[name].peak


def test_the_example_is_the_first_seed_whose_texts_part_where_a_reader_can_follow(lab: Lab, started: Lab) -> None:
    example = started.example.result(timeout=120)
    settings = example.settings
    assert example.first_difference in EXAMPLE_PARTS
    for seed in range(1, settings.seed):
        *_, other = lab.generate(GenerationSettings(settings.prompt, settings.words, seed=seed))
        assert other.first_difference not in EXAMPLE_PARTS


@pytest.mark.parametrize("error", [IndexError, ValueError, lmdemo.InputError, RuntimeError])
def test_a_first_result_that_fails_is_logged_and_the_page_starts_without_it(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: type[Exception]
) -> None:
    def fails(*_: object) -> Generation:
        raise error("no example")

    monkeypatch.setattr(Lab, "_find_example", fails)
    other = Lab(lab.checkpoint)
    other.start()
    assert other.example.result(timeout=60) is None
    assert other.evaluation.result(timeout=60).final
    (record,) = (record for record in caplog.records if record.name == "lmdemo.lab")
    assert record.getMessage() == "A first result could not be computed; the page starts without it."
    assert record.exc_info[0] is error


def test_first_results_in_doubt_are_measured_again_when_the_machine_rests(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twice in doubt, and once a visitor computes while it waits: the third evaluation is the one that stays."""
    rests, doubtful = iter([False, True, True, True]), iter([True, True, False])
    evaluations = []

    def evaluate() -> Evaluation:
        *_, evaluation = other.evaluate(100, 25, ["int8"])
        share = 0.9 if next(doubtful) else 0.0
        watched = Interference(seconds=2.0, others=share, stolen=0.0)
        ratios = dict.fromkeys(evaluation.comparison.results, (1.0,) * 8)
        evaluations.append(
            replace(
                evaluation,
                comparison=replace(
                    evaluation.comparison, interference=watched, block_seconds=ratios, block_tokens=(12,) * 8
                ),
            )
        )
        return evaluations[-1]

    other = Lab(lab.checkpoint)
    monkeypatch.setattr(other, "_evaluate_defaults", evaluate)
    monkeypatch.setattr(other, "_rested", lambda _: next(rests))
    other._compute_first()
    assert len(evaluations) == 3
    assert next(rests)  # three looks: a busy one, after which nothing was measured, and two quiet ones
    assert other.evaluation.result() is evaluations[-1]
    assert other.evaluation.result().comparison.sound
    assert other.example.result().final


def test_a_lab_that_was_closed_measures_no_more(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Comparison, "sound", False)
    other = Lab(lab.checkpoint)
    other.close()
    other._compute_first()  # comes to its end, however long it would have to wait
    assert not other.evaluation.result().comparison.sound


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
