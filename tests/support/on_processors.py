"""A plugin of pytest's: each test of a kernel once with each library that a smaller processor has."""

import os
from functools import cache

import pytest

from lmdemo.compiled import Compiled, build
from processors import COMPILERS

built = cache(lambda compiler: build(os.environ | {"CC": compiler}))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    processors = list(COMPILERS)
    if "bundled" in metafunc.fixturenames:  # seconds, for what smaller models show of the others
        del processors[1:]
    metafunc.fixturenames.append("processor")
    metafunc.parametrize("processor", processors, indirect=True)


@pytest.fixture
def processor(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The module of the test finds the library of the processor that `request` names."""
    found: Compiled = built(COMPILERS[request.param])
    monkeypatch.setattr(request.module, "compiled", lambda: found)
