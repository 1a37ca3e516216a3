"""What an app wrote to its standard error beside the lines of its jobs."""

import json
from pathlib import Path


def beside_jobs(log: Path) -> list[str]:
    """The lines that tell of no job: there should be none."""
    lines = log.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if not line.startswith("{") or json.loads(line)["message"] != "job"]
