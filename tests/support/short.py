"""The app over the beginning of its test text: what it measures after the start takes a second instead of ten."""

import shutil
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from lmdemo.bench import ROOT, running_app

LINES = 40  # of the text: a thousand words


def running_shortly(lines: int = LINES, **more: object) -> AbstractContextManager[tuple[psutil.Process, str, float]]:
    """As `running_app`, over so many lines of the text."""
    return running_app(folder=short_folder(lines), **more)


def short_folder(lines: int = LINES) -> Path:
    """The repository's files, of the text so many lines; deleted when this process ends."""
    return Path(_house(lines).name)


@cache
def _house(lines: int) -> TemporaryDirectory:
    house = TemporaryDirectory(prefix="short")
    folder = Path(house.name)
    shutil.copy(ROOT / "app.py", folder)
    (folder / "lmdemo").symlink_to(ROOT / "lmdemo")
    (folder / "assets").mkdir()
    for file in (ROOT / "assets").iterdir():
        (folder / "assets" / file.name).symlink_to(file)
    text = folder / "assets" / "sample.txt"
    beginning = text.read_text(encoding="utf-8").splitlines(keepends=True)[:lines]
    text.unlink()
    text.write_text("".join(beginning), encoding="utf-8")
    return house
