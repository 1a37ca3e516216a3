"""What the About tab says of the packed variants: what they chose here, and what they do without."""

import pytest

import lmdemo
from lmdemo import packed_int8
from lmdemo.compiled import Compiled
from lmdemo.lab import Lab
from lmdemo.once import Once
from lmdemo.ui import about


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


def test_it_says_why_there_is_no_kernel(bundled: lmdemo.Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    sentence = "There is no C compiler here to build the kernel with."
    monkeypatch.setattr(packed_int8, "compiled", Once(lambda: Compiled(None, sentence)))
    lab = Lab(bundled)
    assert sentence not in said(lab)
    lab.models["int8-packed"].start()
    assert said(lab).count(sentence) == 1
    assert "int8, one word: " in said(lab)
