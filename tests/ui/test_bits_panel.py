"""What the Bits tab sends, called as plain functions: texts, curves, weights, and which matrix hurts."""

import re
from dataclasses import replace

import pytest
import torch

import lmdemo
from lmdemo.bit_costs import Sensitivity, sensitivity
from lmdemo.generation import GenerationSettings
from lmdemo.report import fewer_bits
from lmdemo.rounding import MATRICES, Rounding, round_row
from lmdemo.server.service import Service
from lmdemo.simulation import Simulated
from lmdemo.ui import bits, hurting, rounding
from lmdemo.ui.bits_charts import SCALE_COLOURS, bits_curves
from reader import Reader

SETTINGS = {"prompt": "It was", "words": 5, "temperature": 1.0, "top_k": 0, "seed": 2, "allow_unk": False}
ASKED = {"matrix": "decoder.weight", "row": 3, "bits": 4, "scale": "tensor", "matrices": list(MATRICES), **SETTINGS}


@pytest.fixture(scope="module")
def service(bundled: lmdemo.Checkpoint) -> Service:
    """A page's service whose costs are found out when a test says so; its test text is little."""
    service = Service()
    simulation = service.lab.simulation
    simulation._checkpoint = replace(bundled, test_ids=bundled.test_ids[:41])
    simulation._unstarted.acquire()
    return service


@pytest.fixture(scope="module")
def costs(tiny_checkpoint: lmdemo.Checkpoint) -> Sensitivity:
    *_, last = sensitivity(tiny_checkpoint)
    return last


@pytest.fixture(scope="module")
def tiny_checkpoint(bundled: lmdemo.Checkpoint) -> lmdemo.Checkpoint:
    torch.manual_seed(0)
    model = lmdemo.LSTMModel(50, 6, 8, 2).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return replace(bundled, config=model.config, model=model, test_ids=torch.randint(50, (101,)))


def test_a_run_ends_with_texts_dot_and_weights(service: Service) -> None:
    updates = list(bits.run(service, **ASKED))
    first, second, end = updates[0], updates[1], updates[-1]
    assert first.keys() == {"status", "texts", "last", "origin"}  # what takes longer to draw is not waited for
    assert {"drawing", "curves", "hurt"} <= second.keys()
    assert end["last"].final
    assert re.search(r"4 bits, one scale a tensor: perplexity [\d,.]+ instead of [\d,.]+<", end["status"])
    assert "of 5 places." in end["status"]
    assert "under-way" not in end["texts"]
    assert "words/s" not in end["texts"]  # a simulation has no speed
    assert "data-word" not in end["texts"]
    assert "tap a word" not in end["texts"]
    assert "--rounded:var(--int8)" in end["texts"]
    (dot,) = end["curves"].data[-1].x
    assert dot == 4


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"bits": 9}, "Bits must be a whole number from 2 to 8."),
        ({"scale": "<b>"}, "Scale must be tensor or row."),
        ({"matrices": []}, "Matrices must be one or more of embedding, LSTM, decoder."),
        ({"words": 0}, "Words must be a whole number from 1 to 1,000."),
        ({"matrix": "<b>"}, "Matrix must be one of encoder.weight, rnn.weight_ih_l0"),
        ({"row": -1}, "Row must be a whole number from 0 to 1,000,000,000."),
    ],
)
def test_what_cannot_be_gets_a_sentence_and_leaves_the_rest(service: Service, wrong: dict, sentence: str) -> None:
    (update,) = bits.run(service, **ASKED | wrong)
    assert sentence in update.pop("status")
    assert update == {}
    if not wrong.keys() & SETTINGS.keys():
        place = {key: value for key, value in (ASKED | wrong).items() if key not in SETTINGS}
        assert sentence in bits.look_at_row(service, **place)["drawing"]


def test_another_row_is_one_of_any_matrix(service: Service) -> None:
    row = bits.another_row()["row"]
    place = {"bits": 3, "scale": "row", "matrices": ["LSTM"]}
    for name, rows in (("decoder.weight", 10_000), ("rnn.weight_hh_l1", 1_024)):
        drawing = bits.look_at_row(service, name, row, **place)["drawing"]
        assert f"Row {row % rows:,}" in drawing
        assert f"of {name} became 0" in drawing
    assert "--rounded:var(--int8-per-channel)" in drawing
    assert "It is not rounded now" not in drawing
    assert "It is not rounded now" in bits.look_at_row(service, "decoder.weight", row, **place)["drawing"]


def test_the_curves_come_while_they_are_found_out(service: Service, costs: Sensitivity) -> None:
    *_, end = bits.run(service, **ASKED)
    simulation, last, origin = service.lab.simulation, end["last"], end["origin"]
    assert bits.look_again(service, last, origin) == {}
    some = replace(costs, costs=costs.costs[:24], final=False)
    simulation._costs = some
    update = bits.look_again(service, last, origin)
    assert update["last"].costs == some
    assert [list(trace.x) for trace in update["curves"].data[1:3]] == [[6, 7, 8], [6, 7, 8]]
    assert "being measured" in update["hurt"]
    assert bits.look_again(service, update["last"], origin) == {}
    assert list(bits.look_again(service, last, "another model")) == ["clock"]
    simulation._costs = None


def test_a_run_that_was_stopped_says_so_and_stands_still(service: Service) -> None:
    run = service.lab.simulation.run(GenerationSettings("It was", 400), Rounding(3), ("decoder.weight", 0))
    update = bits.stopped(next(run))
    assert "Stopped. 3 bits, one scale a tensor" in update["status"]
    assert "under-way" not in update["status"] + update["texts"]
    assert "Stopped." in bits.stopped(None)["status"]


def test_an_address_fills_the_fields_and_runs(service: Service) -> None:
    found = bits.arrive(service, "http://host/?tab=bits&bits=3&scale=row&matrices=LSTM&words=12")
    settings = {**SETTINGS, "prompt": service.lab.prompt, "words": 12, "seed": 1}
    assert found == {"bits": 3, "scale": "row", "matrices": ["LSTM"], **settings, "asked": 1}
    assert bits.arrive(service, "http://host/?tab=size&bits=3") == {}
    assert "In this page’s address: Bits must be" in bits.arrive(service, "http://host/?view=bits&bits=1")["status"]


@pytest.mark.parametrize("per_row", [False, True])
def test_the_chart_has_both_curves_and_a_dot_on_its_own(costs: Sensitivity, per_row: bool) -> None:
    cost = costs.cost(Rounding(3, per_row))
    fp32, tensor, row, dot = bits_curves(costs, cost).data
    assert set(fp32.y) == {cost.fp32_perplexity}
    for curve, each in ((tensor, False), (row, True)):
        assert list(curve.x) == list(range(2, 9))
        assert list(curve.y) == [one.perplexity for one in costs.curve(each)]
    assert (*dot.x, *dot.y) == (3, cost.perplexity)
    assert dot.marker.color == SCALE_COLOURS[per_row]
    assert dot.text[0].startswith(f"3 bits, one scale a {'row' if per_row else 'tensor'}<br>perplexity")
    alone = costs.cost(Rounding(3, per_row, ("LSTM",)))
    assert ", LSTM alone<br>" in bits_curves(costs, alone).data[-1].text[0]


def test_the_grid_has_each_weight_its_integer_and_its_error(bundled: lmdemo.Checkpoint) -> None:
    found = round_row(bundled.model, "decoder.weight", 17, Rounding(4))
    drawn = str(rounding.row(found, "Row 17"))
    told = re.findall(r'data-meaning="(Weight [^"]+)"', drawn)
    assert len(told) == rounding.MANY
    for number, sentence in enumerate(told):
        value, integer, stands_for, error = (
            float(part.replace("−", "-")) for part in re.findall(r"[+−]?\d+(?:\.\d+)?", sentence)[1:]
        )
        assert value == pytest.approx(found.weights[number], abs=5e-5)
        assert integer == found.integers[number]
        assert stands_for == pytest.approx(integer * found.scale, abs=5e-5)
        assert error == pytest.approx(found.errors[number], abs=5e-5)
    bars = re.findall(r'data-meaning="Integer (−?\d+): ([\d,]+) of 2,560,000 weights', drawn)
    assert [int(integer.replace("−", "-")) for integer, _ in bars] == list(range(-7, 8))
    assert {int(integer.replace("−", "-")): int(count.replace(",", "")) for integer, count in bars} == {
        integer: found.counts.get(integer, 0) for integer in range(-7, 8)
    }


@pytest.mark.parametrize("bits_", [2, 8])
def test_what_is_drawn_of_any_row_lies_within_the_picture(bundled: lmdemo.Checkpoint, bits_: int) -> None:
    for name in ("encoder.weight", "rnn.weight_hh_l1", "decoder.weight"):
        for per_row in (False, True):
            drawn = str(rounding.row(round_row(bundled.model, name, 5, Rounding(bits_, per_row)), "Row 5"))
            grid = drawn.split("</svg>")[2]
            places = [float(y) for y in re.findall(r' c?y1?="(-?[\d.]+)"', grid)]
            assert min(places) >= 0
            assert max(places) <= rounding.HIGH


def test_the_matrix_that_hurts_most_stands_first_in_sentence_and_table(costs: Sensitivity) -> None:
    drawn = str(hurting.ranked(costs, Rounding(3), "not yet"))
    names = [cost.rounding.matrices[0] for cost in costs.ranked(3, False)]
    assert re.findall(r'<th scope="row">(.*?)</th>', drawn) == names
    read = Reader(drawn).text
    assert f"The {names[0]} hurts most: alone with 3 bits and one scale a tensor" in read
    some = replace(costs, costs=costs.costs[:16], final=False)
    for known in (None, some):
        assert "not yet" in str(hurting.ranked(known, Rounding(3), "not yet"))


def test_what_takes_longer_is_said() -> None:
    assert "All of it takes about 42 s more" in fewer_bits.waiting(Rounding(3), 41.7, to_come=True)
    assert fewer_bits.waiting(Rounding(3), None, to_come=True).endswith("; 3 bits are to come.")
    assert "could not be measured" in fewer_bits.waiting(Rounding(3), 41.7, to_come=False)


def test_a_word_of_the_vocabulary_is_text(bundled: lmdemo.Checkpoint) -> None:
    found = round_row(bundled.model, "decoder.weight", 17, Rounding(4))
    read = Reader(str(rounding.row(found, fewer_bits.row(found, "<img src=x onerror=alert(1)>"))))
    assert "img" not in read.tags
    assert "<img src=x onerror=alert(1)>" in read.text


def test_of_some_matrices_the_headline_says_which(service: Service) -> None:
    *_, last = service.lab.simulation.run(GenerationSettings("It", 2), Rounding(8, True, ("LSTM", "decoder")))
    assert isinstance(last, Simulated)
    assert fewer_bits.headline(last).startswith("8 bits, one scale a row, LSTM and decoder alone: perplexity ")
    assert fewer_bits.saved(last).endswith(" instead of 19.0 MB.")
