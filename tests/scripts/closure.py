"""What requirements.txt brings along, as installed: `python tests/scripts/closure.py` prints each with its licence."""

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

REQUIREMENTS = Path(__file__).parent.parent.parent / "requirements.txt"


@dataclass(frozen=True)
class Package:
    """One that is installed."""

    name: str
    version: str  # as published, without what a build adds after a plus
    licence: str  # as its author states it; empty if nowhere


def pins(path: Path = REQUIREMENTS) -> dict[str, str]:
    """The version by name, of a file whose every line is `name==version`, a comment or empty."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    return dict(line.split("==") for line in lines)


def closure(names: Iterable[str]) -> list[Package]:
    """The named packages and all that they need here, by name."""
    found: dict[str, Package] = {}
    seen: set[tuple[str, frozenset[str]]] = set()
    wanted = [(name, frozenset[str]()) for name in names]
    while wanted:
        name, extras = wanted.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        installed = distribution(name)
        found[canonicalize_name(name)] = Package(name, Version(installed.version).public, licence(installed))
        for line in installed.requires or ():
            need = Requirement(line)
            if need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in extras | {""}):
                wanted.append((canonicalize_name(need.name), frozenset(need.extras)))
    return [found[name] for name in sorted(found)]


def licence(installed: Distribution) -> str:
    """The SPDX expression of its metadata; where there is none, the older line, or the classifiers."""
    stated = installed.metadata
    line = stated.get("License-Expression") or stated.get("License") or ""
    if line and "\n" not in line:  # some put the whole text there
        return line
    names = [name for name in stated.get_all("Classifier") or () if name.startswith("License :: ")]
    return ", ".join(re.sub(r"^.* :: ", "", name) for name in names)


if __name__ == "__main__":
    for package in closure(pins()):
        sys.stdout.write(f"{package.name:20} {package.version:16} {package.licence}\n")
