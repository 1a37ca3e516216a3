"""`python tests/scripts/audit.py`: asks pip-audit whether what requirements.txt brings along has known vulnerabilities.

It fails on one that is known and not explained here. Where no service can be asked, or none knows a package, it says
so and fails nothing: pip-audit's own "No known vulnerabilities found" covers packages that were never looked up.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from closure import closure, pins

# Vulnerabilities that do not concern this project, each with the reason.
IGNORED: dict[str, str] = {}

SERVICES = (("--vulnerability-service", "pypi"), ("--vulnerability-service", "osv"))
PATIENCE = 14  # seconds that a service has in all
TIMEOUT = "5"  # seconds for an answer


@dataclass(frozen=True)
class Audit:
    """What is known of some packages."""

    clean: frozenset[str]  # those looked up and found to have nothing known
    vulnerable: Mapping[str, tuple[str, ...]]  # the ids of what is known, by name and version
    unknown: frozenset[str]  # those that nothing could be found out about

    def report(self) -> str:
        """Sentences for a log."""
        lines = [f"{package} has known vulnerabilities: {', '.join(ids)}" for package, ids in self.vulnerable.items()]
        if self.clean:
            lines.append(f"Looked up without finding one: {len(self.clean)} packages.")
        if self.unknown:
            lines.append(
                f"NOT AUDITED: {len(self.unknown)} of {len(self.unknown | self.clean) + len(self.vulnerable)} packages."
                " No vulnerability service that knows them could be reached from here; run this where one can."
            )
        lines += [f"Ignored: {name}, {reason}" for name, reason in IGNORED.items()]
        return "\n".join(f"Vulnerabilities: {line}" for line in lines)


def audit(packages: Mapping[str, str], services: Sequence[Sequence[str]] = SERVICES) -> Audit:
    """Ask each service in turn for what those before it did not know.

    Args:
        packages: versions by name.
        services: the arguments that name one to pip-audit.
    """
    clean: set[str] = set()
    vulnerable: dict[str, tuple[str, ...]] = {}
    left = dict(packages)
    for service in services:
        for found in _ask(left, service) if left else ():
            if "skip_reason" in found or left.pop(found["name"], None) is None:
                continue
            if ids := tuple(one["id"] for one in found["vulns"]):
                vulnerable[f"{found['name']} {found['version']}"] = ids
            else:
                clean.add(found["name"])
    return Audit(frozenset(clean), vulnerable, frozenset(left))


def _ask(packages: Mapping[str, str], service: Sequence[str]) -> list[dict]:
    """What pip-audit says of each; nothing if the service does not answer."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("".join(f"{name}=={version}\n" for name, version in packages.items()))
        file.flush()
        options = ["--no-deps", "--disable-pip", "--format", "json", "--progress-spinner", "off", "--timeout", TIMEOUT]
        ignored = [part for name in IGNORED for part in ("--ignore-vuln", name)]
        command = [sys.executable, "-m", "pip_audit", "--requirement", file.name, *options, *ignored, *service]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
            return json.loads(done.stdout)["dependencies"]
        except (subprocess.TimeoutExpired, ValueError):
            return []


def main() -> int:
    """Audit what is installed; returns 1 if something is known."""
    found = audit({package.name: package.version for package in closure(pins())})
    sys.stdout.write(found.report() + "\n")
    return 1 if found.vulnerable else 0


if __name__ == "__main__":
    sys.exit(main())
