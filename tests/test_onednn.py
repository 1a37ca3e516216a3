"""torch's private operators are named in one file."""

import re

from lmdemo.bench import ROOT

PRIVATE = re.compile(r"torch\.ops\.(mkldnn|onednn)\b|mkldnn_rnn_layer")


def test_onednns_private_operators_are_named_in_one_file() -> None:
    named = {path.name for path in (ROOT / "lmdemo").rglob("*.py") if PRIVATE.search(path.read_text(encoding="utf-8"))}
    assert named == {"onednn.py"}
