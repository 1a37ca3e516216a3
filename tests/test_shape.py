"""What a shape comes to is told from its fields alone, and is what a model of that shape comes to."""

from dataclasses import replace

import pytest

import lmdemo
from lmdemo.errors import InputError
from lmdemo.model import LSTMModel
from lmdemo.shape import PRESETS, Shape
from lmdemo.variants import build_variants

SMALL = {
    "one layer": Shape(60, 12, 8, 1),
    "three layers": Shape(50, 6, 10, 3),
    "tied": Shape(400, 16, 16, 2, tied=True),
}
OWN = 2_000, 20_000  # bytes that a file has at least and at most beside its weights: names, shapes, an index


@pytest.mark.parametrize("shape", SMALL.values(), ids=SMALL)
def test_parameters_and_bytes_are_those_of_a_model_that_is_built(shape: Shape) -> None:
    models = build_variants(LSTMModel.from_config(shape.config).eval(), ["fp32", "int8"])
    assert shape.parameters == sum(parameter.numel() for parameter in models["fp32"].parameters())
    for name, reckoned in (("fp32", shape.fp32_bytes), ("int8", shape.int8_bytes)):
        assert OWN[0] < lmdemo.serialized_size(models[name]) - reckoned < OWN[1]


def test_one_preset_has_the_shape_of_the_bundled_model(bundled: lmdemo.Checkpoint) -> None:
    assert replace(PRESETS["Bundled here"].config, dropout=bundled.config.dropout) == bundled.config


def test_of_a_tied_preset_int8_takes_more_bytes() -> None:
    larger = [name for name, shape in PRESETS.items() if shape.int8_bytes > shape.fp32_bytes]
    assert larger == ["Tied weights"]


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"ntoken": 1}, "Vocabulary must be a whole number from 2 to 300,000 (words)."),
        ({"ninp": 0}, "Embedding must be a whole number from 1 to 4,096."),
        ({"nhid": None}, "Hidden must be a whole number from 1 to 4,096."),
        ({"nlayers": 2.5}, "Layers must be a whole number from 1 to 16."),
        ({"window": "25"}, "Window must be a whole number from 1 to 1,000 (words)."),
        ({"tied": 1}, "Tied must be true or false."),
        ({"tied": True, "nhid": 9}, "Tied weights are one matrix: Embedding and Hidden must be of one width."),
        (
            {"ninp": 4096, "nhid": 4096, "nlayers": 16},
            "This shape has 2,148,417,586 parameters, 8,594 MB as fp32; at most 160 MB are built here.",
        ),
        (
            {"ninp": 1500, "nhid": 1500, "nlayers": 2, "window": 1000},
            "Measuring this shape may take 99 s; at most 30 s are allowed here."
            " A shorter window takes less, and so do fewer layers.",
        ),
    ],
)
def test_what_is_no_shape_is_refused_in_one_sentence(fields: dict[str, object], sentence: str) -> None:
    with pytest.raises(InputError) as refused:
        Shape(**{"ntoken": 50, "ninp": 8, "nhid": 8, "nlayers": 1} | fields)
    assert str(refused.value) == sentence
