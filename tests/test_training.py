"""The recipe learns, resumes to the same weights, and refuses what it cannot use."""

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import lmdemo
from lmdemo import training
from lmdemo.bench import ROOT
from lmdemo.training import Recipe, batchify, get_batch, train
from waiting import LAST_NET, wait_until

RECIPE = Recipe(vocabulary=30, ninp=8, nhid=16, nlayers=1, dropout=0.1, epochs=3, streams=4, bptt=5, learning_rate=2e-2)
OPTIONS = "--vocabulary 30 --ninp 8 --nhid 16 --nlayers 1 --dropout 0.1 --streams 4 --bptt 5 --learning-rate 0.02"


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A language of one rule: after a number comes the next one."""
    for name, lines in (("train", 200), ("valid", 20), ("test", 20)):
        text = "".join(" " + " ".join(f"n{(line + n) % 20}" for n in range(15)) + " \n" for line in range(lines))
        (tmp_path / f"{name}.txt").write_text(text, encoding="utf-8")
    return tmp_path


def test_it_learns_and_leaves_the_best_epoch(corpus: Path) -> None:
    progress = list(train(corpus, corpus / "out", RECIPE))
    losses = [step.valid_loss for step in progress if step.valid_loss is not None]
    assert len(losses) == RECIPE.epochs
    assert min(losses) < 0.7 * losses[0]
    assert progress[-1].step == progress[-1].steps
    assert progress[-1].tokens_per_second > 0
    loaded = lmdemo.load_checkpoint(corpus / "out")
    ids = torch.tensor(loaded.vocabulary.ids(lmdemo.text.read_corpus(corpus / "valid.txt")))
    # other streams, other beginnings, bfloat16: near, not equal
    assert lmdemo.evaluate(loaded.model, ids).loss == pytest.approx(min(losses), abs=0.1)


def test_a_run_killed_in_the_middle_of_an_epoch_ends_with_the_same_weights(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "SAVE_EVERY", 0.0)
    monkeypatch.setattr(training, "REPORT_EVERY", 10)
    list(train(corpus, corpus / "whole", RECIPE))
    broken = train(corpus, corpus / "broken", RECIPE)
    while next(broken).step < 210:
        pass
    broken.close()
    resumed = list(train(corpus, corpus / "broken", RECIPE))
    assert 200 <= resumed[0].step <= 220
    whole, again = (load_file(corpus / name / "model.safetensors") for name in ("whole", "broken"))
    assert all(torch.equal(whole[name], again[name]) for name in whole)


@pytest.mark.parametrize(("bptt", "steps"), [(800, 1), (400, 2), (89, 9), (80, 10)])
def test_a_run_of_few_steps_comes_to_its_end(corpus: Path, bptt: int, steps: int) -> None:
    *_, end = train(corpus, corpus / "out", replace(RECIPE, epochs=1, bptt=bptt))
    assert end.step == end.steps == steps
    assert end.best


@pytest.mark.parametrize("epochs", [1, 3])
def test_a_run_killed_between_an_epoch_and_its_validation_validates_it(
    corpus: Path, monkeypatch: pytest.MonkeyPatch, epochs: int
) -> None:
    recipe = replace(RECIPE, epochs=epochs)

    def killed(*_: object) -> float:
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "SAVE_EVERY", 0.0)
    with monkeypatch.context() as patched:
        patched.setattr(training, "_valid_loss", killed)
        with pytest.raises(KeyboardInterrupt):
            list(train(corpus, corpus / "out", recipe))
    resumed = list(train(corpus, corpus / "out", recipe))
    assert [step.epoch for step in resumed if step.valid_loss is not None] == list(range(1, epochs + 1))
    assert lmdemo.load_checkpoint(corpus / "out").config.nhid == recipe.nhid


def test_the_command_survives_a_kill_and_writes_the_card(corpus: Path) -> None:
    command = [sys.executable, "-m", "lmdemo", "train", "--corpus", str(corpus), "--out", str(corpus / "out")]
    command += [*OPTIONS.split(), "--epochs", "12", "--threads", "1", "--data", "A language of one rule, CC0."]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        wait_until((corpus / "out" / "training.pt").exists, "an epoch", lambda: time.sleep(0.01))
        os.kill(process.pid, signal.SIGKILL)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=LAST_NET)
    assert "epoch 1/12" not in done.stdout
    assert "epoch 12/12" in done.stdout
    card = (corpus / "out" / "README.md").read_text(encoding="utf-8")
    assert "A language of one rule, CC0." in card
    assert "| test, int8 (`quantize_dynamic`) | 319 |" in card


def _train_without_avx512(corpus: Path, out: str, epochs: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "lmdemo", "train", "--corpus", str(corpus), "--out", str(corpus / out)]
    environment = os.environ | {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}
    command += [*OPTIONS.split(), "--epochs", epochs, "--threads", "1"]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=LAST_NET)


def test_without_avx512_it_trains_in_fp32_and_says_so(corpus: Path) -> None:
    """oneDNN has no bfloat16 LSTM there."""
    done = _train_without_avx512(corpus, "out", epochs="1")
    assert done.returncode == 0, done.stderr
    assert "epoch 1/1  step 160/160  float32  validation loss" in done.stdout
    assert lmdemo.load_checkpoint(corpus / "out").config.nhid == RECIPE.nhid


def test_a_run_goes_on_in_the_precision_it_began_with_or_not_at_all(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "SAVE_EVERY", 0.0)
    monkeypatch.setattr(training, "REPORT_EVERY", 10)
    for precision in ("float32", "bfloat16"):
        begun = train(corpus, corpus / precision, RECIPE)
        next(begun)
        begun.close()
        state = torch.load(corpus / precision / "training.pt", weights_only=True)
        torch.save(state | {"precision": precision}, corpus / precision / "training.pt")
    assert next(train(corpus, corpus / "float32", RECIPE)).precision == "float32"
    refused = _train_without_avx512(corpus, "bfloat16", epochs="3")
    assert refused.returncode == 1
    assert re.fullmatch(r"lmdemo: .* is a run in a precision in which this processor has no LSTM; .*\n", refused.stderr)


def test_a_folder_with_another_run_is_refused(corpus: Path) -> None:
    list(train(corpus, corpus / "out", Recipe(**{**vars(RECIPE), "epochs": 1})))
    with pytest.raises(lmdemo.TrainingError, match="a run of another recipe or corpus"):
        list(train(corpus, corpus / "out", RECIPE))


def test_a_missing_or_tiny_corpus_is_named(corpus: Path) -> None:
    (corpus / "valid.txt").write_text("n1 n2", encoding="utf-8")
    with pytest.raises(lmdemo.TrainingError, match=r"^valid.txt has 3 words and needs at least 20: .* in 10 streams"):
        list(train(corpus, corpus / "out", RECIPE))
    (corpus / "valid.txt").unlink()
    with pytest.raises(lmdemo.TrainingError, match=r"^No valid.txt in "):
        list(train(corpus, corpus / "out", RECIPE))


def test_batches_are_the_examples() -> None:
    data = batchify(torch.arange(26), 4)  # the alphabet of the example's docstring, cut into four columns
    assert data[:, 0].tolist() == list(range(6))
    assert data[:, 3].tolist() == list(range(18, 24))
    inputs, targets = get_batch(data, 3, 5)
    assert inputs[:, 1].tolist() == [9, 10]
    assert targets[:, 1].tolist() == [10, 11]
