"""The processor's name, from what the systems say of real processors."""

import json
import platform
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest

from lmdemo import cpu
from lmdemo.machine import this_machine

X86 = "processor\t: 0\nvendor_id\t: GenuineIntel\nmodel\t\t: 143\nmodel name\t: Intel(R) Xeon(R)  Processor @ 2.60GHz\n"
ARM = "processor\t: 0\nBogoMIPS\t: 243.75\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU part\t: 0xd0c\n"
VENDOR = {"field": "Vendor ID:", "data": "ARM"}
NAME = {"field": "Model name:", "data": "Neoverse-N1"}


@pytest.fixture(autouse=True)
def asked_anew() -> Iterator[None]:
    cpu.cpu_name.cache_clear()
    yield
    cpu.cpu_name.cache_clear()


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that alone is looked through for commands."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(platform, "processor", lambda: "what Python says")
    return tmp_path


def command(path: Path, prints: str) -> None:
    """A command that prints what the real one printed."""
    path.write_text(f"#!{sys.executable}\nprint({prints!r})\n", encoding="utf-8")
    path.chmod(0o755)


def test_the_machine_has_it() -> None:
    assert this_machine().cpu == cpu.cpu_name() != ""


@pytest.mark.parametrize(
    ("cpuinfo", "fields", "name"),
    [
        (X86, None, "Intel(R) Xeon(R) Processor @ 2.60GHz"),
        (ARM, [VENDOR, NAME], "ARM Neoverse-N1"),
        (ARM, [VENDOR | {"children": [NAME]}], "ARM Neoverse-N1"),
        (ARM, [VENDOR, NAME | {"data": "-"}], "what Python says"),  # a part that it does not know
        (ARM, None, "what Python says"),  # no such command
    ],
)
def test_on_linux(
    tools: Path, monkeypatch: pytest.MonkeyPatch, cpuinfo: str, fields: list[dict] | None, name: str
) -> None:
    (tools / "cpuinfo").write_text(cpuinfo, encoding="utf-8")
    monkeypatch.setattr(cpu, "CPUINFO", tools / "cpuinfo")
    monkeypatch.setattr(sys, "platform", "linux")
    if fields is not None:
        command(tools / "lscpu", json.dumps({"lscpu": fields}))
    assert cpu.cpu_name() == name


def test_on_a_mac(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    command(tools / "sysctl", "Apple M2 Pro")
    assert cpu.cpu_name() == "Apple M2 Pro"


def test_on_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "12th Gen Intel(R) Core(TM) i7-1260P"
    values = {(r"HARDWARE\DESCRIPTION\System\CentralProcessor\0", "ProcessorNameString"): (name, 1)}
    registry = SimpleNamespace(
        HKEY_LOCAL_MACHINE="HKLM",
        OpenKey=lambda _hive, key: nullcontext(key),
        QueryValueEx=lambda key, value: values[key, value],
    )
    monkeypatch.setitem(sys.modules, "winreg", registry)
    monkeypatch.setattr(sys, "platform", "win32")
    assert cpu.cpu_name() == name
