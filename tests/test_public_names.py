"""The public surface, and what importing it costs."""

import subprocess
import sys

import lmdemo
from lmdemo.bench import ROOT

NAMES = """VARIANTS Checkpoint CheckpointError Comparison EvalResult Generation GenerationSettings HubError
InputError Inspection LSTMModel LmdemoError ModelConfig Sensitivity Shape ShapeRun Sweep TextReading TrainingError
VariantError Vocabulary build_variants compare evaluate generate inspect load_checkpoint measure_shape read_text
round_weights save_checkpoint sensitivity serialized_size sizes sweep"""


def test_the_public_names_are_these() -> None:
    assert sorted(lmdemo.__all__) == sorted(NAMES.split())
    assert all(hasattr(lmdemo, name) for name in lmdemo.__all__)


def test_public_functions_and_classes_are_documented() -> None:
    for name in set(lmdemo.__all__) - {"VARIANTS"}:
        assert getattr(lmdemo, name).__doc__, name


def test_importing_the_engine_brings_no_gradio_and_no_plotly() -> None:
    code = "import sys, lmdemo, lmdemo.lab, lmdemo.cli; print([m for m in ('gradio', 'plotly') if m in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
