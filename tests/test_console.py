"""Nothing that is printed fails for an encoding."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import lmdemo
from lmdemo.bench import ROOT

ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
CONSOLES = [{"PYTHONIOENCODING": "cp1252"}, ASCII]


@pytest.mark.parametrize("console", CONSOLES, ids=["cp1252", "ascii"])
def test_convert_ends_well(tmp_path: Path, tiny: lmdemo.LSTMModel, console: dict[str, str]) -> None:
    torch.save(tiny.state_dict(), tmp_path / "state.pth")
    words = " ".join(f"word{number}" for number in range(48))
    for name in ("train", "valid", "test"):
        (tmp_path / f"{name}.txt").write_text(f"<unk> {words}\n", encoding="utf-8")
    command = [sys.executable, "-m", "lmdemo", "convert", "--state-dict", tmp_path / "state.pth", "--corpus", tmp_path]
    done = subprocess.run(
        [*command, "--out", tmp_path / "out"], cwd=ROOT, env=os.environ | console, capture_output=True, check=False
    )
    assert done.stderr == b""
    assert done.returncode == 0
    assert rb"LSTM 6\u21928" in done.stdout
