"""How the app starts, and how it refuses to."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import lmdemo
from calls import Calls
from lmdemo.bench import ROOT, running_app
from marked import marked_checkpoint, replace_file
from patient import get
from waiting import LAST_NET


def test_a_broken_checkpoint_stops_the_start_with_one_sentence(
    tmp_path: Path, tiny: lmdemo.LSTMModel, words: lmdemo.Vocabulary
) -> None:
    lmdemo.save_checkpoint(tmp_path, tiny, words)
    (tmp_path / "model.safetensors").unlink()
    environment = os.environ | {"LMDEMO_MODEL": str(tmp_path)}
    refused = subprocess.run(
        [sys.executable, "app.py"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=LAST_NET
    )
    assert refused.returncode == 1
    assert refused.stderr.startswith("lmdemo cannot start: ")
    assert "has no model.safetensors" in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert "Traceback" not in refused.stderr + refused.stdout


def test_a_folder_of_ones_own_is_served_and_what_replaces_it_meanwhile_changes_nothing(
    tmp_path: Path, calls: Callable[[str], Calls]
) -> None:
    folder = marked_checkpoint(tmp_path / "mine", "a", 0.25)
    other = marked_checkpoint(tmp_path / "other", "b", 0.5)
    with running_app(LMDEMO_MODEL=str(folder)) as (_, address, _):
        page, config = (get(f"{address}{path}").text for path in ("/", "/config"))
        call = calls(address)
        asked = ("generate", "a1 a2", 20, 1, 0, 1)
        _, _, (before,) = call.begin(*asked).result()
        for path in other.iterdir():
            replace_file(folder, other, path.name)
        _, _, (after,) = call.begin(*asked).result()
    assert "the folder mine" in config
    assert str(tmp_path) not in page + config
    assert {word[0] for word in before["fp32"]["words"]} <= {"a", "<"}
    assert [after[name]["words"] for name in ("fp32", "int8")] == [before[name]["words"] for name in ("fp32", "int8")]
    assert lmdemo.load_checkpoint(folder).vocabulary.words[2] == "b0"  # what the next start finds
