"""What may import what: the engine nothing of the rest, the page everything, and no arrow back."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from lmdemo.bench import ROOT

MAY = {
    "engine": {"bench"},  # the command line alone, which runs it
    "report": {"engine"},
    "server": {"engine"},
    "ui": {"engine", "report", "server"},
    "bench": {"engine"},
}
FOREIGN = {
    "engine": {"gradio", "plotly", "markupsafe"},
    "report": {"gradio", "plotly", "markupsafe"},
    "server": {"plotly"},
}


def wing(module: str) -> str:
    """The folder of a module of ours."""
    _, *parts = module.split(".")
    return parts[0] if parts and parts[0] in MAY else "engine"


def imported(file: Path) -> Iterator[str]:
    """The modules that a file imports, and what it imports of them, as module.name."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("name", MAY)
def test_a_wing_imports_only_what_it_may(name: str) -> None:
    files = [file for file in (ROOT / "lmdemo").rglob("*.py") if wing(".".join(file.relative_to(ROOT).parts)) == name]
    modules = {module for file in files for module in imported(file)}
    ours = {module for module in modules if module.split(".")[0] == "lmdemo"}
    assert len(files) > 5
    assert {wing(module) for module in ours} <= MAY[name] | {name}
    assert not {module.split(".")[0] for module in modules} & FOREIGN.get(name, set())
