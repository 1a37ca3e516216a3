"""What the app is built on: pinned, declared, licensed, and looked up among known vulnerabilities."""

import ast
import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name
from packaging.version import Version

from audit import Audit, audit
from closure import closure, licence, pins
from lmdemo.bench import ROOT
from readme import README

RUNTIME, TOOLS = ROOT / "requirements.txt", ROOT / "tests" / "requirements.txt"
MEASURING = ROOT / "lmdemo" / "bench"  # needs the tools too, as the README says

# What may be used without a further word: whoever passes the app on has to pass the notice on, and no more.
PERMISSIVE = {
    *("0BSD", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0"),
    *("ISC", "MIT", "MIT-CMU", "PSF-2.0", "Zlib"),
    # as they were stated before there were SPDX expressions
    *("BSD", "BSD License", "MIT License", "ISC License", "Apache Software License"),
}
# Copyleft of single files, used as published: their source is where the package is.
EXPLAINED = {"certifi": "MPL-2.0", "orjson": "MPL-2.0", "tqdm": "MPL-2.0"}
NVIDIA = ("nvidia-", "cuda-")  # of the torch wheel with CUDA, which nothing here uses; the README says whose they are


@pytest.mark.parametrize("path", [RUNTIME, TOOLS], ids=["runtime", "tests"])
def test_every_requirement_is_pinned_to_what_is_installed(path: Path) -> None:
    for line in path.read_text(encoding="utf-8").splitlines():
        assert re.fullmatch(r"#.*|[a-z0-9][a-z0-9-]*==\d+(\.\d+)*", line), line
    assert pins(path)
    for name, version in pins(path).items():
        assert Version(distribution(name).version).public == version, name


def imported(folder: Path) -> set[str]:
    """The top names that the modules in a folder import, at any depth of their code, beyond Python's own and ours."""
    files = [path for path in folder.rglob("*.py") if folder == MEASURING or not path.is_relative_to(MEASURING)]
    names = set()
    for path in files:
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names.add(str(node.module).split(".")[0])
    return names - sys.stdlib_module_names - {"lmdemo"}


def declared(*paths: Path) -> set[str]:
    return {canonicalize_name(name) for path in paths for name in pins(path)}


def providers(names: set[str]) -> set[str]:
    """The packages that these names are imported from."""
    by_name = packages_distributions()
    return {canonicalize_name(by_name[name][0]) for name in names}


def test_what_the_app_imports_is_declared_and_nothing_more(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_bytes((ROOT / "app.py").read_bytes())
    needed = providers(imported(ROOT / "lmdemo") | imported(tmp_path))
    assert needed == declared(RUNTIME)


def test_what_the_measurements_import_is_declared() -> None:
    assert providers(imported(MEASURING)) <= declared(RUNTIME, TOOLS) | {"httpx"}  # httpx: of Gradio's client


def test_the_licences_in_the_readme_are_those_installed() -> None:
    section = README.split("\n## Licence\n")[1]
    rows = re.findall(r"^\| ([a-z0-9-]+) (\S+) \| (.+) \|$", section, re.MULTILINE)
    assert rows == [(name, version, licence(distribution(name))) for name, version in pins().items()]
    for name, stated in EXPLAINED.items():
        assert f"{name} ({stated})" in " ".join(section.split())


def test_every_licence_is_permissive_or_explained() -> None:
    packages = closure(pins())
    assert {package.name for package in packages} > declared(RUNTIME)
    explained = set()
    for package in packages:
        parts = set(re.split(r" AND | OR |, ", package.licence.replace("(", "").replace(")", "")))
        odd = parts - PERMISSIVE
        if odd == {EXPLAINED.get(package.name)}:
            explained.add(package.name)
        elif not package.name.startswith(NVIDIA):
            assert not odd, f"{package.name}: {package.licence!r}"
    assert explained == set(EXPLAINED)


def test_the_command_prints_the_licence_of_each() -> None:
    answer = subprocess.run(
        [sys.executable, "tests/scripts/closure.py"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    lines = [line.split(maxsplit=2) for line in answer.stdout.splitlines()]
    assert lines == [[package.name, package.version, package.licence] for package in closure(pins())]


class _Osv(BaseHTTPRequestHandler):
    """A vulnerability service that knows one thing: plotly 7.1.0 is bad."""

    def do_POST(self) -> None:
        query = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        bad = (query["package"]["name"], query["version"]) == ("plotly", "7.1.0")
        body = json.dumps({"vulns": [KNOWN]} if bad else {}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


KNOWN = {
    "id": "PYSEC-2026-1",
    "summary": "Made up",
    "published": "2026-01-01T00:00:00Z",
    "affected": [{"package": {"name": "plotly", "ecosystem": "PyPI"}, "versions": ["7.1.0"], "ranges": []}],
}


@pytest.fixture
def osv() -> Iterator[list[str]]:
    """The arguments that name the service to pip-audit."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Osv) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield ["--vulnerability-service", "osv", "--osv-url", f"http://127.0.0.1:{server.server_port}/v1/query"]
        server.shutdown()
        thread.join()


def test_a_known_vulnerability_is_found_and_what_was_not_asked_is_said(osv: list[str]) -> None:
    unreachable = ["--vulnerability-service", "osv", "--osv-url", "http://127.0.0.1:9/v1/query"]
    packages = {"plotly": "7.1.0", "numpy": "2.4.6"}
    found = audit(packages, [unreachable, osv])
    assert found == Audit(frozenset({"numpy"}), {"plotly 7.1.0": ("PYSEC-2026-1",)}, frozenset())
    assert "plotly 7.1.0 has known vulnerabilities: PYSEC-2026-1" in found.report()
    assert "NOT AUDITED" not in found.report()

    nothing = audit(packages, [unreachable])
    assert nothing == Audit(frozenset(), {}, frozenset(packages))
    assert nothing.report().startswith("Vulnerabilities: NOT AUDITED: 2 of 2 packages.")
