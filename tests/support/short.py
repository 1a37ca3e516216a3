"""The app over the beginning of its test text: what it measures after the start takes a second instead of ten.

For tests that need an app of their own and no measurement of the whole text.
"""

import shutil
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from lmdemo.bench import ROOT, running_app

LINES = 40  # of the text


def running_shortly(**more: object) -> AbstractContextManager[tuple[psutil.Process, str, float]]:
    """As `running_app`."""
    return running_app(folder=short_folder(), **more)


def short_folder() -> Path:
    """The repository's files, of the text the beginning; deleted when this process ends."""
    return Path(_house().name)


@cache
def _house() -> TemporaryDirectory:
    house = TemporaryDirectory(prefix="short")
    folder = Path(house.name)
    shutil.copy(ROOT / "app.py", folder)
    (folder / "lmdemo").symlink_to(ROOT / "lmdemo")
    (folder / "assets").mkdir()
    for file in (ROOT / "assets").iterdir():
        (folder / "assets" / file.name).symlink_to(file)
    text = folder / "assets" / "sample.txt"
    beginning = text.read_text(encoding="utf-8").splitlines(keepends=True)[:LINES]
    text.unlink()
    text.write_text("".join(beginning), encoding="utf-8")
    return house
