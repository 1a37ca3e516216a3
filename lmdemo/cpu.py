"""The processor's name as a person would say it, asked of the system: Python itself knows it on few machines.

`platform.processor()` is `arm` on a Mac, nothing or `aarch64` on Linux, `Intel64 Family 6 …` on Windows.
"""

import json
import platform
import subprocess
import sys
from functools import cache
from pathlib import Path

PATIENCE = 5  # seconds that a tool of the system has
CPUINFO = Path("/proc/cpuinfo")
BRAND = r"HARDWARE\DESCRIPTION\System\CentralProcessor\0"


@cache  # it stays the same, and a process is started for it on some systems
def cpu_name() -> str:
    """The name of the first processor; what Python calls it where the system does not tell."""
    match sys.platform:
        case "linux":
            found = _of_cpuinfo(CPUINFO) or _of_lscpu("lscpu", "--json")
        case "darwin":
            found = _printed("sysctl", "-n", "machdep.cpu.brand_string")
        case "win32":
            found = _of_registry()
        case _:
            found = ""
    return " ".join(found.split()) or platform.processor() or platform.machine()


def _of_cpuinfo(path: Path) -> str:
    """What the kernel has read from an x86 processor; of an Arm one it lists numbers only."""
    if not path.is_file():
        return ""
    lines = (line.partition(":") for line in path.read_text(encoding="utf-8", errors="replace").splitlines())
    return next((value.strip() for name, _, value in lines if name.strip() == "model name"), "")


def _of_lscpu(*command: str) -> str:
    """Vendor and name of an Arm processor: util-linux knows what its numbers stand for."""
    try:
        fields = json.loads(_printed(*command) or "{}").get("lscpu", [])
    except ValueError:  # of a version that knows no JSON
        return ""
    known = {field["field"]: field["data"] for field in _flat(fields)}
    name = known.get("Model name:", "-")
    return "" if name in (None, "-") else f"{known.get('Vendor ID:', '')} {name}"


def _flat(fields: list[dict]) -> list[dict]:
    """Newer versions put the name among the children of the vendor."""
    return [each for field in fields for each in (field, *_flat(field.get("children", [])))]


def _of_registry() -> str:
    import winreg  # of Windows only

    try:
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, BRAND) as key:
            return str(winreg.QueryValueEx(key, "ProcessorNameString")[0])
    except OSError:  # there is no such key
        return ""


def _printed(*command: str) -> str:
    """What a tool of the system prints; nothing where there is none, or it does not know."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout
