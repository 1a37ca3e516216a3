"""The quantized engine is chosen where torch has chosen none, and there alone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import lmdemo
from lmdemo.bench import ROOT
from lmdemo.engine import engine
from waiting import LAST_NET

MAC = str(Path(__file__).parent / "support" / "mac")

EVERY_VARIANT = """
import torch, lmdemo
assert torch.backends.quantized.engine == "none"
from lmdemo import roofline
roofline.measure([10**6])
assert torch.backends.quantized.engine == "qnnpack"
checkpoint = lmdemo.load_checkpoint()
for name, model in lmdemo.build_variants(checkpoint.model).items():
    assert 4 < lmdemo.evaluate(model, checkpoint.test_ids[:101]).loss < 5, name
"""


def test_on_apple_silicon_every_variant_is_built_and_runs_without_a_line_on_stderr() -> None:
    environment = os.environ | {"PYTHONPATH": MAC}
    command = [sys.executable, "-c", EVERY_VARIANT]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=LAST_NET)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_engine_that_was_chosen_stays(tiny: lmdemo.LSTMModel, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in torch.backends.quantized.supported_engines:
        monkeypatch.setattr(torch.backends.quantized, "engine", name)
        lmdemo.build_variants(tiny, ["int8"])
        assert engine() == torch.backends.quantized.engine == name


def test_without_any_engine_there_is_a_sentence(tiny: lmdemo.LSTMModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch._C, "_get_qengine", lambda: 0)
    monkeypatch.setattr(torch._C, "_set_qengine", lambda _: None)
    monkeypatch.setattr(torch._C, "_supported_qengines", lambda: [0])
    monkeypatch.setattr(torch.ops.quantized, "linear_prepack", _refuse)
    with pytest.raises(lmdemo.VariantError, match=r"^int8 cannot run here: the quantized engine none does not"):
        lmdemo.build_variants(tiny, ["int8"])


def _refuse(*_: object) -> None:
    raise RuntimeError("Didn't find engine for operation quantized::linear_prepack NoQEngine")
