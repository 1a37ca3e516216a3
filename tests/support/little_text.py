"""Services whose first results cost little."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from lmdemo.checkpoint import Checkpoint, load_checkpoint
from lmdemo.server import service


@contextmanager
def little_text(words: int = 1_200) -> Iterator[None]:
    """Those that are made meanwhile measure the bundled model on the first words of its text alone."""

    def load(source: str | None) -> Checkpoint:
        checkpoint = load_checkpoint(source)
        return replace(checkpoint, test_ids=checkpoint.test_ids[: words + 1])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(service, "load_checkpoint", load)
        yield
