"""What is handed out carries what was measured, and what it depends on."""

import csv
import io
import json
from dataclasses import replace

import pytest

import lmdemo
from lmdemo.held import Held
from lmdemo.lab import Lab
from lmdemo.machine import Interference
from lmdemo.measured import Evaluation
from lmdemo.report import export, prose, ship, tables
from lmdemo.roofline import Meter


@pytest.fixture(scope="module")
def evaluation(bundled: lmdemo.Checkpoint) -> Evaluation:
    lab = Lab(bundled)
    lab._meter = Meter(bundled.config, lab.sizes)
    *_, last = lab.evaluate(700, 50, ["fp32-packed", "int8"])
    return last


def test_every_heading_has_its_meaning(evaluation: Evaluation) -> None:
    rows, fidelity = tables.result_rows(evaluation), tables.fidelity_rows(evaluation.fidelity)
    assert set(rows["int8"]) - {"memory"} == set(tables.READING) - {"memory"}
    assert list(fidelity["int8"]) == list(tables.CLOSENESS)


def test_json_is_everything_unrounded(evaluation: Evaluation) -> None:
    content = json.loads(export.as_json(evaluation))
    comparison = evaluation.comparison
    assert content["checkpoint"] == "bundled"
    assert (content["tokens"], content["window"], content["order_seed"]) == (700, 50, evaluation.comparison.order_seed)
    assert content["machine"]["torch"] == evaluation.machine.torch
    int8 = content["variants"]["int8"]
    assert int8["loss"] == comparison.results["int8"].loss
    assert int8["speedup"]["median"] == comparison.speedup("int8").median
    assert int8["fidelity"]["kl"]["value"] == evaluation.fidelity.results["int8"].kl.value
    assert [passage["kl"] for passage in int8["fidelity"]["passages"]] == [
        passage.kl for passage in evaluation.fidelity.results["int8"].passages
    ]
    assert int8["fidelity"]["course"] == list(evaluation.fidelity.results["int8"].course)
    assert int8["limit"]["bandwidth"] > 0
    assert len(content["blocks"]["seconds"]["int8"]) == len(content["blocks"]["tokens"])
    assert content["interference"]["seconds"] > 0
    assert content["interference_in_writing"]["seconds"] > 0


def test_csv_is_a_row_a_variant_with_the_machine_in_each(evaluation: Evaluation) -> None:
    rows = list(csv.DictReader(io.StringIO(export.as_csv(evaluation))))
    assert [row["variant"] for row in rows] == ["fp32", "fp32-packed", "int8"]
    for row in rows:
        assert float(row["loss"]) == evaluation.comparison.results[row["variant"]].loss
        assert row["machine_cpu"] == evaluation.machine.cpu
        assert row["window"] == "50"
        assert None not in row.values()
    assert float(rows[2]["fidelity_kl_percentiles_99.0"]) > 0
    assert [name for name in rows[2] if "passages" in name or "course" in name] == []


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", 'a,"b"\n=1'])
def test_a_name_that_begins_like_a_formula_is_text_in_a_spreadsheet(evaluation: Evaluation, name: str) -> None:
    rows = list(csv.DictReader(io.StringIO(export.as_csv(replace(evaluation, checkpoint=name)))))
    assert {row["checkpoint"] for row in rows} == {name if name.startswith("a") else f"'{name}"}
    assert float(rows[2]["fidelity_log_ratio_value"]) == evaluation.fidelity.results["int8"].log_ratio.value


def test_markdown_is_the_card_with_its_warnings_and_three_tables(evaluation: Evaluation) -> None:
    steady = dict.fromkeys(evaluation.comparison.results, (1.0,) * len(evaluation.comparison.block_tokens))
    disturbed = Interference(seconds=2.0, others=0.4, stolen=0.0)
    comparison = replace(evaluation.comparison, block_seconds=steady, interference=disturbed)
    written = dict.fromkeys(evaluation.writing.seconds, (0.01,) * 200)
    writing = replace(evaluation.writing, seconds=written, interference=replace(disturbed, others=0.0))
    doubtful = replace(evaluation, comparison=comparison, writing=writing)
    title, card, on, warning, *tables = export.as_markdown(doubtful).strip().split("\n\n")
    assert f"{title}\n\n{card}\n\n{on}" == ship.markdown(doubtful)
    assert title == "**Should I ship int8?**"
    speed, heading, written, fidelity, line = tables
    assert speed.splitlines()[0].startswith("| | paired change | × fp32 | × fp32-packed | words/s |")
    assert len(speed.splitlines()) == len(written.splitlines()) == 5
    assert heading == "Writing, a word at a time:"
    assert written.splitlines()[0] == ("| | × fp32 | × fp32-packed | words/s | ms a word, median | 95% take at most |")
    assert len(fidelity.splitlines()) == 4
    columns = 8 + bool(evaluation.held)  # memory where the system tells
    assert {text.count("|") for text in speed.splitlines()} == {columns + 1}
    assert "700 words in windows of 50" in line
    assert evaluation.machine.torch in line
    assert warning == prose.doubts(doubtful)
    assert "40% of the processors" in warning
    assert warning in export.as_csv(doubtful)
    sound = replace(doubtful, comparison=replace(comparison, interference=replace(disturbed, others=0.0)))
    assert export.as_markdown(sound).strip().split("\n\n")[3:] == tables


def test_json_has_what_a_written_word_took(evaluation: Evaluation) -> None:
    found = json.loads(export.as_json(evaluation))["variants"]["int8"]["writing"]
    assert found["seconds_a_word"]["median"] == evaluation.writing.percentile("int8", 50)
    assert found["seconds_a_word"]["percentile_95"] >= found["seconds_a_word"]["median"]
    assert found["speedup"]["n"] == 20


def test_the_memory_that_a_variant_holds_is_told_with_its_parts(evaluation: Evaluation) -> None:
    told = replace(evaluation, held={"fp32": Held(100, 0, 0), "int8": Held(5_120_000, 7_357_000, 0)})
    found = json.loads(export.as_json(told))["variants"]
    assert found["int8"]["memory"] == {
        "bytes": 12_477_000,
        "bytes_tensors": 5_120_000,
        "bytes_packed": 7_357_000,
        "bytes_kernel": 0,
    }
    assert set(found["fp32-packed"]["memory"].values()) == {None}  # where the system does not tell
    rows = list(csv.DictReader(io.StringIO(export.as_csv(told))))
    assert [row["memory_bytes"] for row in rows] == ["100", "", "12477000"]
    assert [row["memory"] for row in tables.result_rows(told).values()] == ["0.1 kB", "not told", "12 MB"]


def test_a_number_that_is_none_is_null(bundled: lmdemo.Checkpoint) -> None:
    *_, few = Lab(bundled).evaluate(100, 100, ["int8"])
    content = json.loads(export.as_json(few), parse_constant=lambda name: pytest.fail(name))
    assert content["variants"]["int8"]["speedup"]["low"] is None  # one block has no interval


def test_nothing_is_handed_out_before_the_end(bundled: lmdemo.Checkpoint, evaluation: Evaluation) -> None:
    assert export.payload(None) == ""
    assert export.payload(next(Lab(bundled).evaluate(200, 25, []))) == ""
    assert set(json.loads(export.payload(evaluation))) == {"json", "csv", "markdown"}


def test_where_a_folder_lies_is_not_told(tmp_path: object, tiny: lmdemo.LSTMModel, words: lmdemo.Vocabulary) -> None:
    folder = lmdemo.save_checkpoint(tmp_path / "mine", tiny, words)
    (folder / "test.txt").write_text(" the word1 word2 . \n" * 60)
    *_, last = Lab(lmdemo.load_checkpoint(folder)).evaluate(100, 25, ["int8"])
    assert json.loads(export.as_json(last))["checkpoint"] == "mine"
    assert str(tmp_path) not in export.payload(last)
