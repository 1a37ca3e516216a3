"""What the About tab says of the packed variants: what they chose here, and what they do without."""

import re

import pytest

import lmdemo
from lmdemo import packed_int8
from lmdemo.compiled import Compiled
from lmdemo.lab import Lab
from lmdemo.once import Once
from lmdemo.ui import about, rounding


def said(lab: Lab) -> str:
    return str(about.draw(lab)["variants_list"])


def test_it_says_what_each_packed_variant_chose_here(bundled: lmdemo.Checkpoint) -> None:
    lab = Lab(bundled)
    assert "Chosen here for fp32-packed by a short measurement: LSTM, one word:" in said(lab)
    assert "Chosen here for int8-packed" not in said(lab)
    lab.models["int8-packed"].start().prepare_reading([25])
    assert "Chosen here for fp32-packed" in said(lab)
    assert "Chosen here for int8-packed by a short measurement: int8, one word:" in said(lab)
    assert "; int8, 32 words:" in said(lab)


def test_the_drawing_shows_what_became_of_weights_of_this_model(bundled: lmdemo.Checkpoint) -> None:
    models = Lab(bundled).chosen(["int8"])
    stored = models["int8"].rnn.get_weight()["weight_ih_l0"].int_repr()[0].tolist()
    near = [integer for integer in stored if abs(integer) < rounding.REACH][: rounding.FEW]
    drawn = str(about.draw(Lab(bundled))["drawing"])
    assert len(near) == rounding.FEW
    assert re.findall(r"<tr><th.*?</th><td>.*?</td><td>.*?</td><td>(.*?)</td>", drawn) == [
        str(integer).replace("-", "−") for integer in near
    ]
    assert drawn.count("<rect") == rounding.FEW
    assert "http" not in drawn


def test_it_says_why_there_is_no_kernel(bundled: lmdemo.Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    sentence = "There is no C compiler here to build the kernel with."
    monkeypatch.setattr(packed_int8, "compiled", Once(lambda: Compiled(None, sentence)))
    lab = Lab(bundled)
    assert sentence not in said(lab)
    lab.models["int8-packed"].start()
    assert said(lab).count(sentence) == 1
    assert "int8, one word: " in said(lab)
