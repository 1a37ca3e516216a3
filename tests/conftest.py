"""Fixtures: a tiny real model, the bundled checkpoint, the running app, a browser."""

import os
from collections.abc import Iterator

# as app.py does, and before torch or gradio is imported
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"

import pytest
import torch

import lmdemo
from lmdemo.bench import running_app
from lmdemo.machine import this_machine


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
def address() -> Iterator[str]:
    """The real app in a process of its own."""
    with running_app() as (_, address, _):
        yield address
