"""The figures of one run, written into a README between two marks: tables of two runs never stand side by side.

The first mark has a digest of what stands between them, so that a figure that was changed by hand is found.
"""

import hashlib
import re
import subprocess
from datetime import date
from pathlib import Path

from lmdemo.bench.app import ROOT
from lmdemo.errors import InputError

MARKED = re.compile(
    r"<!-- one run of the benchmark, (?P<digest>[0-9a-f]{16}) -->\n(?P<figures>.*?)<!-- the end of that run -->",
    re.DOTALL,
)


def write(path: Path, figures: str) -> None:
    """Put `figures`, Markdown, in the place of those between the marks of a file.

    Raises:
        InputError: it is no file of text with the two marks.
    """
    text = readable(path)
    block = f"<!-- one run of the benchmark, {digest(figures)} -->\n{figures}<!-- the end of that run -->"
    path.write_text(MARKED.sub(lambda _: block, text), encoding="utf-8")


def readable(path: Path) -> str:
    """The text of a file with the two marks; before a run, so that none is made for nothing.

    Raises:
        InputError: it is none.
    """
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    if len(MARKED.findall(text)) != 1:
        raise InputError("--write must be a text file that has the figures of a run, as lmdemo/bench/README.md has.")
    return text


def digest(figures: str) -> str:
    """Of what stands between the marks."""
    return hashlib.sha256(figures.encode()).hexdigest()[:16]


def when() -> str:
    """The day, and the commit of this folder, with a + where its files have been changed since."""
    asked = ["git", "-C", str(ROOT), "describe", "--always", "--dirty=+", "--exclude=*"]
    try:
        commit = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        commit = "unknown"  # a copy without its history
    today = date.today()
    return f"{today.day} {today:%B %Y}, commit {commit}"
