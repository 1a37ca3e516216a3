"""Loading a checkpoint of the tutorial's size from the Hub client's cache, against the least that can cost.

Each run is a process of its own: its peak is its own, and nothing is warm in it but the files. The weights are
random, for they cost the same, and the client is offline, so that what is timed waits for no network.
"""

import hashlib
import json
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
from huggingface_hub.file_download import repo_folder_name

from lmdemo.bench.app import ROOT, plain_environment
from lmdemo.checkpoint import REQUIRED, load_checkpoint, save_checkpoint
from lmdemo.errors import LmdemoError
from lmdemo.model import LSTMModel, ModelConfig
from lmdemo.text import EOS, UNK, Vocabulary
from lmdemo.timed import Interval, median_interval
from lmdemo.variants import TUTORIAL, build_variants

CONFIG = ModelConfig(ntoken=33_278, ninp=512, nhid=256, nlayers=5)
REPO, COMMIT = "bench/tutorial-sized", "0" * 40


@dataclass(frozen=True)
class Loading:
    """What it costs to have both variants in memory."""

    weight_bytes: int  # of the model in fp32
    seconds: Interval  # from the cache into both variants
    over_bare: Interval  # the same ÷ reading the files and quantizing a model that is there, pair by pair
    peak: Interval  # most bytes resident while loading, beyond those before, ÷ weight_bytes


def measure_loading(rounds: int) -> Loading:
    """Load, and do the bare work, in turns, `rounds` times.

    Raises:
        LmdemoError: a process failed.
    """
    loads, bares, peaks = [], [], []
    with tempfile.TemporaryDirectory() as home:
        files = _lay_out(Path(home))
        for turn in range(rounds):
            for what in ("load", "bare") if turn % 2 else ("bare", "load"):  # each goes first every other time
                if what == "bare":
                    bares.append(_in_a_process(f"bare_here({str(files)!r})", home)["seconds"])
                else:
                    loaded = _in_a_process(f"load_here('{REPO}@{COMMIT}')", home)
                    loads.append(loaded["seconds"])
                    peaks.append(loaded["bytes"])
    weight_bytes = sum(weight.nbytes for weight in LSTMModel.from_config(CONFIG).parameters())
    return Loading(
        weight_bytes=weight_bytes,
        seconds=median_interval(np.array(loads)),
        over_bare=median_interval(np.divide(loads, bares)),
        peak=median_interval(np.array(peaks) / weight_bytes),
    )


def load_here(source: str) -> None:
    """Load `source` into both variants in this process; prints the seconds and the bytes at the peak."""
    before = psutil.Process().memory_info().rss
    began = time.perf_counter()
    models = build_variants(load_checkpoint(source).model, TUTORIAL)
    seconds = time.perf_counter() - began
    print(json.dumps({"variants": list(models), "seconds": seconds, "bytes": _peak() - before}))


def bare_here(folder: str) -> None:
    """Read the files in `folder`, quantize a model that is in memory already; prints the seconds."""
    model = LSTMModel.from_config(CONFIG).eval()
    began = time.perf_counter()
    for file in REQUIRED:
        Path(folder, file).read_bytes()
    models = build_variants(model, TUTORIAL)
    seconds = time.perf_counter() - began
    print(json.dumps({"variants": list(models), "seconds": seconds}))


def _lay_out(home: Path) -> Path:
    """A checkpoint in the layout of the client's cache, as if pulled from the Hub; the folder with its files."""
    words = [UNK, EOS, *(f"word{number}" for number in range(CONFIG.ntoken - 2))]
    made = save_checkpoint(home / "made", LSTMModel.from_config(CONFIG), Vocabulary(words))
    repo = home / "hub" / repo_folder_name(repo_id=REPO, repo_type="model")
    (repo / "blobs").mkdir(parents=True)
    (repo / "snapshots" / COMMIT).mkdir(parents=True)
    for file in REQUIRED:
        blob = repo / "blobs" / hashlib.sha256((made / file).read_bytes()).hexdigest()
        (made / file).rename(blob)
        (repo / "snapshots" / COMMIT / file).symlink_to(Path("..", "..", "blobs", blob.name))
    return repo / "snapshots" / COMMIT


def _in_a_process(call: str, home: str) -> dict:
    """What a function of this module prints, called in a new interpreter."""
    # the client first: it is imported with the rest, before anything is timed
    code = f"import lmdemo.hub; from lmdemo.bench import loading; loading.{call}"
    environment = plain_environment() | {"HF_HOME": home, "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise LmdemoError(f"A process of the benchmark failed: {done.stderr.strip().splitlines()[-1]}")
    return json.loads(done.stdout)


def _peak() -> int:
    """The most bytes that were resident in this process.

    From Linux's own account of it: `ru_maxrss` there starts at what the parent had.
    """
    account = Path("/proc/self/status")
    if account.exists():
        return int(re.search(r"VmHWM:\s+(\d+) kB", account.read_text())[1]) * 1024
    import resource  # of Unix only

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # in bytes on macOS
