"""A model rounded to few bits at work, and what all roundings cost, found out behind the page."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

import lmdemo
from lmdemo import simulation
from lmdemo.bit_costs import Sensitivity
from lmdemo.generation import GenerationSettings
from lmdemo.inference import Pause
from lmdemo.report import answers
from lmdemo.rounding import MATRICES, Rounding
from lmdemo.simulation import Simulated, Simulation
from lmdemo.turns import Turns

SETTINGS = GenerationSettings("the", words=20, seed=3)


@pytest.fixture
def checkpoint(tiny: lmdemo.LSTMModel, words: lmdemo.Vocabulary, bundled: lmdemo.Checkpoint) -> lmdemo.Checkpoint:
    ids = torch.randint(50, (301,), generator=torch.Generator().manual_seed(0))
    return replace(bundled, config=tiny.config, model=tiny, vocabulary=words, test_ids=ids)


@pytest.fixture
def simulated(checkpoint: lmdemo.Checkpoint) -> Simulation:
    return Simulation(checkpoint, Turns(), checkpoint.model)


def last(simulation: Simulation, rounding: Rounding) -> Simulated:
    *_, found = simulation.run(SETTINGS, rounding)
    return found


def test_it_writes_as_generate_does_with_the_rounded_model(
    checkpoint: lmdemo.Checkpoint, simulated: Simulation
) -> None:
    models = {"fp32": checkpoint.model, "rounded": lmdemo.round_weights(checkpoint.model, 3, True, ["LSTM"])}
    *_, expected = lmdemo.generate(models, checkpoint.vocabulary, "the", words=20, seed=3)
    found = last(simulated, Rounding(3, True, ("LSTM",))).generation
    for name, writing in expected.writings.items():
        assert found.writings[name].words == writing.words
        assert found.choices(name) == expected.choices(name)


def test_a_cost_that_is_not_known_is_measured_for_who_asks_once(
    simulated: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshots = list(simulated.run(SETTINGS, Rounding(3)))
    assert [snapshot.final for snapshot in snapshots] == [False] * (len(snapshots) - 1) + [True]
    assert snapshots[-1].costs is None
    monkeypatch.setattr(simulation, "cost_of", lambda *_: pytest.fail("it is known"))
    assert last(simulated, Rounding(3)).cost == snapshots[-1].cost


def test_all_costs_are_found_behind_the_page(simulated: Simulation, monkeypatch: pytest.MonkeyPatch) -> None:
    assert simulated.to_come
    simulated.compute()
    assert not simulated.to_come
    assert simulated.costs.final
    assert simulated.costs.share == 1
    assert simulated.seconds_left == 0
    monkeypatch.setattr(simulation, "cost_of", lambda *_: pytest.fail("it is known"))
    found = last(simulated, Rounding(4))
    assert found.cost == simulated.costs.cost(Rounding(4))
    answer = answers.simulated(found)
    assert [cost["bits"] for cost in answer["curves"]["row"]] == list(range(2, 9))
    assert [cost["matrix"] for cost in answer["alone"]] == [
        cost.rounding.matrices[0] for cost in simulated.costs.ranked(4, False)
    ]
    assert sorted(cost["matrix"] for cost in answer["alone"]) == sorted(MATRICES)
    assert answer["cost"] == {key: value for key, value in answer["curves"]["tensor"][2].items() if key != "bits"}


def test_it_is_begun_once_and_ends_when_it_is_closed(simulated: Simulation, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[int] = []

    def counted(_checkpoint: lmdemo.Checkpoint, pause: Pause) -> Iterator[Sensitivity]:
        begun.append(1)
        while True:
            pause()
            yield Sensitivity(300, (), final=False)

    monkeypatch.setattr(simulation, "sensitivity", counted)
    for _ in range(3):
        simulated.start()
    simulated.close()
    simulated._ended.wait()
    assert begun == [1]


def test_one_that_fails_says_so_in_the_log_and_lets_no_page_wait(
    simulated: Simulation, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(simulation, "sensitivity", lambda _: 1 / 0)
    simulated.compute()
    assert not simulated.to_come
    assert "What fewer bits cost could not be measured." in caplog.text


def test_a_run_that_is_left_ends_between_pieces(simulated: Simulation) -> None:
    def pause() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        next(simulated.run(SETTINGS, Rounding(3), pause=pause))
