"""Dynamic quantization of an LSTM word language model, measured: the public names of the engine."""

from lmdemo.bit_costs import Sensitivity, sensitivity
from lmdemo.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from lmdemo.errors import CheckpointError, HubError, InputError, LmdemoError, TrainingError, VariantError
from lmdemo.evaluation import Comparison, EvalResult, compare, evaluate
from lmdemo.generation import Generation, GenerationSettings, generate
from lmdemo.inspecting import Inspection, inspect
from lmdemo.model import LSTMModel, ModelConfig
from lmdemo.own_text import TextReading, read_text
from lmdemo.rounding import round_weights
from lmdemo.shape import Shape
from lmdemo.shaping import ShapeRun, measure_shape
from lmdemo.size import serialized_size, sizes
from lmdemo.sweeping import Sweep, sweep
from lmdemo.text import Vocabulary
from lmdemo.variants import VARIANTS, build_variants

__all__ = [
    "VARIANTS",
    "Checkpoint",
    "CheckpointError",
    "Comparison",
    "EvalResult",
    "Generation",
    "GenerationSettings",
    "HubError",
    "InputError",
    "Inspection",
    "LSTMModel",
    "LmdemoError",
    "ModelConfig",
    "Sensitivity",
    "Shape",
    "ShapeRun",
    "Sweep",
    "TextReading",
    "TrainingError",
    "VariantError",
    "Vocabulary",
    "build_variants",
    "compare",
    "evaluate",
    "generate",
    "inspect",
    "load_checkpoint",
    "measure_shape",
    "read_text",
    "round_weights",
    "save_checkpoint",
    "sensitivity",
    "serialized_size",
    "sizes",
    "sweep",
]
