"""How the app starts, and how it refuses to."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

import lmdemo
from lmdemo.bench import ROOT, running_app


def start(**settings: str) -> subprocess.CompletedProcess:
    """Start the app with settings that it must refuse."""
    environment = os.environ | settings
    return subprocess.run(
        [sys.executable, "app.py"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def _missing(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def _truncated(folder: Path) -> None:
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[: len(whole) // 2])


def _foreign(folder: Path) -> None:
    (folder / "config.json").write_text('{"architectures": ["GPT2LMHeadModel"], "n_embd": 768}')


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (_missing, "has no model.safetensors"),
        (_truncated, "model.safetensors is truncated or not a safetensors file."),
        (_foreign, "config.json must be an object with ntoken, ninp, nhid, nlayers, dropout."),
    ],
)
def test_a_broken_checkpoint_stops_the_start_with_one_sentence(
    tmp_path: Path, tiny: lmdemo.LSTMModel, words: lmdemo.Vocabulary, damage: object, sentence: str
) -> None:
    lmdemo.save_checkpoint(tmp_path, tiny, words)
    damage(tmp_path)
    refused = start(LMDEMO_MODEL=str(tmp_path))
    assert refused.returncode == 1
    assert refused.stderr.startswith("lmdemo cannot start: ")
    assert sentence in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert "Traceback" not in refused.stderr + refused.stdout


def test_a_missing_folder_stops_the_start_with_one_sentence() -> None:
    refused = start(LMDEMO_MODEL="no/such/folder")
    assert refused.returncode == 1
    assert refused.stderr.startswith("lmdemo cannot start: No checkpoint at no/such/folder")


def test_pages_that_may_frame_it_and_are_none_stop_the_start_with_one_sentence() -> None:
    refused = start(LMDEMO_FRAME_ANCESTORS="x; script-src *")
    assert refused.returncode == 1
    sentence = "LMDEMO_FRAME_ANCESTORS must be hosts with spaces between, as in https://docs.example.org."
    assert refused.stderr == f"lmdemo cannot start: {sentence}\n"


def test_a_folder_of_ones_own_is_served(tmp_path: Path, tiny: lmdemo.LSTMModel, words: lmdemo.Vocabulary) -> None:
    lmdemo.save_checkpoint(tmp_path / "mine", tiny, words)
    with running_app(LMDEMO_MODEL=str(tmp_path / "mine")) as (_, address, _):
        page = httpx.get(address).text
        config = httpx.get(f"{address}/config").text
    assert "the folder mine" in config
    assert str(tmp_path) not in page + config


def test_a_hub_that_never_answers_does_not_delay_the_page(tmp_path: Path) -> None:
    with running_app() as (_, _, alone):
        pass
    patience = "60"  # seconds that the client would wait: a page that waits with it comes far too late
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        running_app(
            LMDEMO_MODEL="someone/model",
            HF_ENDPOINT=f"http://127.0.0.1:{silent.getsockname()[1]}",
            HF_HOME=str(tmp_path),
            HF_HUB_ETAG_TIMEOUT=patience,
            HF_HUB_DOWNLOAD_TIMEOUT=patience,
        ) as (_, address, asking),
    ):
        assert asking < 2 * alone + 5
        assert "Asking the Hub for someone/model" in httpx.get(f"{address}/config").text
        silent.settimeout(10)
        silent.accept()[0].close()  # it was asked, then
