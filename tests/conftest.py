"""Fixtures: a tiny real model, the bundled checkpoint, a Hub, the running app; more in browsing.py and calls.py."""

import os
import socket
import tempfile
from collections.abc import Iterator
from hashlib import sha1
from pathlib import Path

# A Hub of our own on loopback, before its client is imported: it reads its settings once.
HUB_SOCKET = socket.create_server(("127.0.0.1", 0))
os.environ["HF_ENDPOINT"] = f"http://127.0.0.1:{HUB_SOCKET.getsockname()[1]}"
os.environ["HF_HOME"] = tempfile.mkdtemp(prefix="lmdemo-hub-")
os.environ["HF_HUB_DISABLE_XET"] = "1"  # the Hub's chunk storage; the local Hub has the older large files only
os.environ["HF_HUB_ETAG_TIMEOUT"] = os.environ["HF_HUB_DOWNLOAD_TIMEOUT"] = "600"  # seconds: a busy Hub is no fault
os.environ["LMDEMO_MAX_SECONDS"] = "3600"  # on a busy machine a run of seconds takes minutes
for name in ("HF_TOKEN", "LMDEMO_MODEL", "SPACE_AUTHOR_NAME"):
    os.environ.pop(name, None)

# as app.py does, and before torch or gradio is imported
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"

import pytest
import torch
from huggingface_hub import get_session
from hypothesis import settings

import lmdemo
from lmdemo.machine import this_machine
from local_hub import LocalHub
from local_repos import TOKEN
from short import running_shortly

pytest_plugins = ["browsing", "calls"]

settings.register_profile("lmdemo", deadline=None)  # these machines are noisy
settings.load_profile("lmdemo")


def pytest_report_header() -> str:
    machine = this_machine()
    return f"torch {machine.torch}, engine {machine.engine}, {machine.capability}, {machine.threads} thread(s)"


@pytest.fixture
def tiny() -> lmdemo.LSTMModel:
    """A real model of 50 words and 8 hidden units, the same each time, far enough from uniform to have favourites."""
    torch.manual_seed(0)
    model = lmdemo.LSTMModel(50, 6, 8, 2).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return model


@pytest.fixture
def words() -> lmdemo.Vocabulary:
    """Fifty words for `tiny`."""
    return lmdemo.Vocabulary(["<unk>", "<eos>", "the", "."] + [f"word{number}" for number in range(46)])


@pytest.fixture(scope="session")
def bundled() -> lmdemo.Checkpoint:
    return lmdemo.load_checkpoint()


@pytest.fixture(scope="session")
def hub_server() -> Iterator[LocalHub]:
    server = LocalHub(HUB_SOCKET)
    yield server
    server.close()


@pytest.fixture
def hub(hub_server: LocalHub) -> Iterator[LocalHub]:
    """The local Hub, without faults."""
    hub_server.calm()
    yield hub_server
    hub_server.release()  # what still hangs, or it would keep a thread


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A model on the Hub of this test's own: what one test cached is no other's."""
    return f"someone/model-{sha1(request.node.name.encode()).hexdigest()[:12]}"


@pytest.fixture
def publishable(tmp_path: Path, tiny: lmdemo.LSTMModel, words: lmdemo.Vocabulary) -> Path:
    """A checkpoint folder with test text, among files that are none of its own."""
    folder = lmdemo.save_checkpoint(tmp_path / "model", tiny, words)
    (folder / "test.txt").write_text(" = the = \n \n the word1 word2 <unk> . \n word3 the . word4 \n", encoding="utf-8")
    (folder / "training.pt").write_bytes(b"state")
    (folder / ".env").write_text("SECRET=1")
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04")
    return folder


@pytest.fixture
def may_write(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A token that may publish; afterwards the client is as patient as it was."""
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    before = get_session().timeout
    yield
    assert get_session().timeout == before


@pytest.fixture(scope="session")
def app_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the app at `address` says."""
    return tmp_path_factory.mktemp("app") / "log"


@pytest.fixture(scope="session")
def address(app_log: Path) -> Iterator[str]:
    """The real app in a process of its own, over 2,500 words; whatever is asked of it, no traceback may be logged."""
    with running_shortly(100, log=app_log) as (_, address, _):
        yield address
    assert "Traceback" not in app_log.read_text(encoding="utf-8"), app_log.read_text(encoding="utf-8")


def pytest_unconfigure() -> None:
    HUB_SOCKET.close()
