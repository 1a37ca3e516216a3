"""What 8 bits changed, in three numbers: as they come, where they lead, and when they are in doubt."""

import asyncio
import re
from concurrent.futures import Future
from dataclasses import replace
from types import SimpleNamespace

import pytest

from lmdemo.first_results import FirstResults
from lmdemo.machine import Interference
from lmdemo.measured import Evaluation
from lmdemo.server.service import Service
from lmdemo.size import Size
from lmdemo.ui import tiles
from reader import Reader
from threads import in_a_thread


def _come(result: object) -> Future:
    future: Future = Future()
    future.set_result(result)
    return future


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    """A real one, of the variants that are measured first."""
    service = Service()
    *_, measured = service.lab.evaluate(400, 25)
    quiet = Interference(1.0, 0.0, 0.0)
    seconds = {"fp32": 0.4, "fp32-packed": 0.2, "int8": 0.2, "int8-packed": 0.16}
    steady = {name: (each,) * 16 for name, each in seconds.items()}
    comparison = replace(measured.comparison, interference=quiet, block_seconds=steady, block_tokens=(25,) * 16)
    return replace(measured, comparison=comparison)


def _texts(first_sizes: Future, evaluation: Future) -> list[str]:
    """What each tile says."""
    html = tiles.draw(SimpleNamespace(first_sizes=first_sizes, evaluation=evaluation))
    found = re.findall(r'<a class="tile.*?</a>', html)
    assert [re.search(r'href="\?tab=(\w+)"', tile).group(1) for tile in found] == ["size", "evaluate", "evaluate"]
    return [" ".join(Reader(tile).text.split()) for tile in found]


SIZES = {"fp32": Size(19_100_000, {}, 1.0), "int8": Size(8_700_000, {}, 0.455)}


def test_tiles_are_there_before_anything_is_measured_and_fill_in(evaluation: Evaluation) -> None:
    waiting = [
        "… of the size being measured",
        "… as fast at reading being measured",
        "… likeliest words the same being measured",
    ]
    assert _texts(Future(), Future()) == waiting
    size, *rest = _texts(_come(SIZES), Future())
    assert size == "46% of the size: 19.1 → 8.7 MB on disk, by torch.save"
    assert rest == waiting[1:]
    _, speed, choices = _texts(_come(SIZES), _come(evaluation))
    assert speed == "2× as fast at reading both packed: 1.25×"
    assert choices.startswith(f"{100 * evaluation.fidelity.results['int8'].top_1.value:.0f} of 100 likeliest words the")
    assert choices.endswith("over 400 words")
    assert re.search(r"loss [±+−]\d\.\d\d%,", choices)


def test_where_the_fair_ratio_cannot_be_measured_its_tile_says_what_is_missing(evaluation: Evaluation) -> None:
    results = {name: one for name, one in evaluation.comparison.results.items() if name != "int8-packed"}
    without = replace(evaluation, comparison=replace(evaluation.comparison, results=results))
    assert _texts(_come(SIZES), _come(without))[1] == "2× as fast at reading both packed: measure int8-packed"


def test_a_measurement_in_doubt_says_so(evaluation: Evaluation) -> None:
    disturbed = replace(evaluation.comparison, interference=Interference(1.0, 0.5, 0.0))
    _, speed, choices = _texts(_come(SIZES), _come(replace(evaluation, comparison=disturbed)))
    assert speed.endswith("in doubt: busy machine")
    assert "doubt" not in choices  # which no clock can disturb
    _, speed, choices = _texts(_come(SIZES), _come(replace(evaluation, unknown_share=0.5)))
    assert choices.endswith("in doubt: unknown words")
    assert "doubt" not in speed


def test_what_could_not_be_measured_is_told() -> None:
    assert _texts(_come(None), _come(None))[1:] == [
        "– as fast at reading could not be measured",
        "– likeliest words the same could not be measured",
    ]


@pytest.mark.parametrize("sound", [True, False])
def test_a_page_looks_again_until_its_figures_are_sound(
    evaluation: Evaluation, monkeypatch: pytest.MonkeyPatch, sound: bool
) -> None:
    monkeypatch.setattr(Evaluation, "sound", sound)
    lab = SimpleNamespace(first_sizes=_come(SIZES), evaluation=_come(evaluation))
    service = SimpleNamespace(lab=lab, start=lambda: None)
    found = in_a_thread(asyncio.run, tiles.complete(service))
    assert found["clock"].active is not sound
    assert found["tiles"] == tiles.draw(lab)


def test_the_size_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FirstResults, "find_example", lambda _: None)
    monkeypatch.setattr(FirstResults, "_first_evaluation", lambda _: None)
    found = in_a_thread(asyncio.run, tiles.arrive(Service()))
    assert re.search(r"<b>\d\d%</b>", found["tiles"])
