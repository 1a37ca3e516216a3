"""The benchmark runs, and its report carries what it measured."""

import json
import math
import re
import shutil
import subprocess
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

import lmdemo
from lmdemo import bench
from lmdemo.bench import ROOT, loading, streaming, written
from lmdemo.bench.avx2 import measure_under_avx2
from lmdemo.bench.figures import figure
from lmdemo.bench.peers import onnx_models
from lmdemo.bench.shapes import SHAPES, measure_shapes, shapes_report
from lmdemo.bench.speed import CORNERS, Contest, measure_speed
from lmdemo.bench.speed_report import speed_report
from lmdemo.cli import main
from lmdemo.errors import LmdemoError
from lmdemo.machine import this_machine
from lmdemo.timed import Interval


def test_the_benchmark_measures_the_real_app(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "COMPARED", 2_000)
    for module in (bench, streaming):
        monkeypatch.setattr(module, "SETTINGS", replace(streaming.SETTINGS, words=60))
    measured = bench.run(rounds=1)
    start, streamed, loaded = measured.start, measured.streaming, measured.loading
    assert min(start.page_seconds.median, start.imports_seconds.median) > 0
    assert start.with_hub.median > 0
    assert streamed.idle_bytes > start.imports_bytes > 50e6
    assert min(streamed.over_bare.median, loaded.over_bare.median) > 0
    assert 1 < loaded.peak.median < 2.2
    assert measured.comparison.final
    figures = json.loads(bench.as_json(1, bench=measured))
    assert figures["start"]["beyond_imports"] == {
        "median": start.beyond_imports.median,
        "low": None,
        "high": None,
        "n": 1,
    }
    assert figures["loading"]["weight_bytes"] == loaded.weight_bytes
    assert figures["evaluation"]["results"]["int8"]["loss"] == measured.comparison.results["int8"].loss
    assert figures["machine"]["torch"] == torch.__version__
    report = bench.report(measured)
    assert "| 60 words, both variants, without a page |" in report
    assert re.search(r"\| the same streamed through the page, ÷ without \| \d+\.\d\d \|", report)
    assert re.search(r"\| its peak memory ÷ the fp32 weights \| 1\.\d\d \|", report)
    assert re.search(r"\| evaluation, int8 ÷ fp32 speed \| \d+\.\d\d \(95% \d", report)


def test_a_process_of_the_benchmark_that_fails_is_named() -> None:
    with pytest.raises(LmdemoError, match=r"^A process of the benchmark failed: .*HF_HUB_OFFLINE is set"):
        loading._in_a_process("load_here('bench/none')", home="no/such/folder")


def test_the_contest_does_the_same_work_by_every_contestant(
    bundled: lmdemo.Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ATEN_CPU_CAPABILITY", raising=False)  # with it ONNX Runtime takes no part
    speed = measure_speed("bundled", bundled.model, bundled.vocabulary, bundled.test_ids, rounds=1)
    names = ["tutorial fp32", "tutorial int8", *lmdemo.VARIANTS, "ONNX Runtime fp32", "ONNX Runtime int8"]
    for contest in (speed.generation, speed.evaluation, speed.long_windows):
        assert list(contest.seconds) == names
        assert all(len(seconds) == 1 for seconds in contest.seconds.values())
    assert list(speed.step.seconds) == names[2:]
    assert set(speed.generation.answers.values()) == {speed.generation.words} == set(speed.step.answers.values())
    loss = speed.evaluation.answers
    for name in ("fp32", "fp32-packed", "ONNX Runtime fp32"):
        assert loss[name] == pytest.approx(loss["tutorial fp32"], abs=1e-5)
        assert speed.long_windows.answers[name] == pytest.approx(loss["tutorial fp32"], abs=1e-5)
    for name in ("int8", "int8-packed"):
        assert loss[name] == pytest.approx(loss["tutorial int8"], abs=2e-5)
    assert loss["ONNX Runtime int8"] == pytest.approx(loss["tutorial int8"], abs=0.02)  # it quantizes otherwise
    (figures,) = json.loads(bench.as_json(1, [speed]))["speed"]
    assert figures["words_per_second"]["writing"].keys() == set(names)
    for work in ("step", "writing", "reading, window 25", "reading, window 200"):
        for pair in ("fp32 ÷ int8", "fp32-packed ÷ int8-packed", "int8-packed ÷ ONNX Runtime int8"):
            assert figures["seconds_over_seconds"][work][pair]["n"] == 1
    assert list(figures["limits"]) == list(CORNERS)
    step, limit = figures["words_per_second"]["step"]["int8-packed"]["median"], figures["limits"]["int8-packed"]
    assert limit["step_share"] == pytest.approx(step / limit["step"])
    assert {each["work"] for each in figures["chosen"]["int8-packed"]} >= {"int8, one word", "int8, 32 words"}
    assert figures["loss"]["int8"] == speed.long_windows.answers["int8"]
    report = speed_report(speed)
    # a round is too few for an interval, and none is claimed
    assert re.search(r"^\| fp32-packed( \| [\d,]+){4} \|$", report, re.MULTILINE)
    assert re.search(r"^\| tutorial fp32 ÷ fp32-packed \| ( \| \d+\.\d\d){3} \|$", report, re.MULTILINE)
    assert re.search(
        r"^\| int8-packed \| \d+\.\d MB ÷ \d+ GB/s \| \d+% \| .* \| \d+% \| \d+% \|$", report, re.MULTILINE
    )
    assert re.search(r"^int8-packed, ms a call: int8, one word: .*\*\*", report, re.MULTILINE)
    assert "nan" not in report
    assert "Medians of 1 rounds; 60 steps, 60 words" in report


def test_where_torch_is_held_back_the_peers_that_cannot_be_take_no_part(
    tiny: lmdemo.LSTMModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "avx2")
    speed = measure_speed(
        "tiny", tiny, lmdemo.Vocabulary([f"word{number}" for number in range(50)]), torch.arange(40), rounds=1
    )
    for contest in speed.contests.values():
        assert not any(name.startswith("ONNX") for name in contest.seconds)
    assert "ONNX" not in speed_report(speed)


def test_the_loops_run_once_more_as_with_avx2_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the command itself, in a process whose variables say so, the kernel's compiler among them."""
    ran = {}

    def run(command: list[str], **options: object) -> subprocess.CompletedProcess:
        ran.update(options["env"], command=command)
        return subprocess.CompletedProcess(command, 0, 'a report\n\nof two lines\n\n{"rounds": 3}\n')

    monkeypatch.setenv("CC", "clang -pipe")
    this_machine()  # which asks the system in a process of its own too, the first time
    monkeypatch.setattr(subprocess, "run", run)
    narrower = measure_under_avx2(3)
    assert (narrower.report, narrower.figures) == ("a report\n\nof two lines", {"rounds": 3})
    assert ran["command"][1:] == ["-m", "lmdemo", "bench", "--only", "speed", "--rounds", "3"]
    assert ran["ATEN_CPU_CAPABILITY"] == "avx2"
    assert {ran[f"{library}_ENABLE_INSTRUCTIONS"] for library in ("MKL", "FBGEMM")} == {ran["ONEDNN_MAX_CPU_ISA"]}
    assert ran["CC"] == "clang -pipe -mno-avx512f -mno-avxvnni"
    assert json.loads(bench.as_json(3, narrower=narrower))["under_avx2"] == {"rounds": 3}


def test_shapes_are_measured_into_a_table_and_into_the_json() -> None:
    small = lmdemo.Shape(40, 6, 8, 2, window=5)
    runs = measure_shapes({"small": small})
    report = shapes_report(runs)
    number = r"[\d.]+ \([\d.]+ to [\d.]+\)"
    for work in ("writing", "reading, window 5"):
        assert re.search(
            rf"^\| small: 40 words, LSTM 6→8 × 2 \| {work} \|( {number} \|){{3}} \d\.\d\d \|$", report, re.MULTILINE
        )
    (figures,) = json.loads(bench.as_json(1, shapes=runs))["shapes"].values()
    assert figures["shape"] == asdict(small)
    assert figures["bytes"]["int8"] == runs["small"].sizes["int8"].modules
    for work in ("writing", "reading"):
        assert list(figures[work]) == ["int8 × fp32", "int8 × fp32-packed", "int8-packed × fp32-packed"]


def test_a_shape_for_which_int8_loses_and_one_for_which_it_wins_are_measured() -> None:
    assert [(shape.nhid, shape.ntoken) for shape in SHAPES.values()] == [(50, 100), (256, 33_278)]


def test_a_ratio_is_taken_round_by_round() -> None:
    contest = Contest(words=100, seconds={"one": (2.0, 6.0, 4.0), "other": (1.0, 2.0, 4.0)}, answers={})
    assert contest.ratio("one", "other").median == 2
    assert contest.speed("one").median == 25


def test_a_figure_has_its_interval_where_there_is_one() -> None:
    steady = Interval(1234.5, 1200.4, 1300.0, 8)
    assert figure(steady, 0) == "1,234 (1,200 to 1,300)"
    assert figure(steady, level="95% ") == "1,234.50 (95% 1,200.40 to 1,300.00)"
    assert figure(Interval(2.5, math.nan, math.nan, 5)) == "2.50"


def test_the_peers_graph_is_the_model(tiny: lmdemo.LSTMModel) -> None:
    """In pieces, the state carried: logits of ONNX Runtime in fp32 are those of the model."""
    peer, ids = onnx_models(tiny)["fp32"], torch.arange(20)
    with torch.inference_mode():
        expected, _ = tiny(ids.unsqueeze(1), tiny.init_hidden(1))
    first, state = peer(ids[:7].numpy(), peer.start)
    second, _ = peer(ids[7:].numpy(), state)
    assert np.abs(np.concatenate([first, second]) - expected[:, 0].numpy()).max() < 1e-5


def test_figures_take_the_place_of_the_last_runs_and_no_other(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    shutil.copy(ROOT / "lmdemo" / "bench" / "README.md", readme)
    before = readme.read_text(encoding="utf-8")
    bench.write(readme, "1 May 2026, commit abc1234: any \\1\n\n| a |\n|---|\n| 1 |\n")
    after = readme.read_text(encoding="utf-8")
    (old,), (new,) = (written.MARKED.finditer(text) for text in (before, after))
    assert before.replace(old[0], "") == after.replace(new[0], "")
    assert new["figures"].startswith("1 May 2026, commit abc1234: any \\1\n")
    assert new["digest"] == written.digest(new["figures"]) != old["digest"]


@pytest.mark.parametrize("text", [None, "", "no marks", "MARKS MARKS"])
def test_a_file_that_figures_cannot_go_to_is_a_sentence_before_anything_is_measured(
    tmp_path: Path, text: str | None
) -> None:
    readme = tmp_path / "README.md"
    if text is not None:
        (marks,) = written.MARKED.finditer((ROOT / "lmdemo" / "bench" / "README.md").read_text(encoding="utf-8"))
        readme.write_text(text.replace("MARKS", marks[0]), encoding="utf-8")
    assert main(["bench", "--write", str(readme)]) == (
        "lmdemo: --write must be a text file that has the figures of a run, as lmdemo/bench/README.md has."
    )
    assert main(["bench", "--only", "speed", "--write", str(readme)]) == (
        "lmdemo: --write needs the whole run, without --only."
    )
