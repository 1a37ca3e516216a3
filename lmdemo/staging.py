"""A private copy of a folder's files: what is checked, what is measured and what is sent are the same bytes.

Each file is read once. A link that leads out of the folder is not followed: what it leads to is nobody's checkpoint.
It knows nothing of what the files hold.
"""

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lmdemo.checksums import matches, unchanged
from lmdemo.errors import CheckpointError


@contextmanager
def staged(folder: Path, files: Iterable[str], most: int) -> Iterator[Path]:
    """A block with a folder of its own that holds copies of those `files` that `folder` has.

    Args:
        most: bytes in all that are copied.

    Raises:
        CheckpointError: a file is a link to somewhere else, they are too large, cannot be read, cannot be copied, or
            changed meanwhile.
    """
    name, files = str(folder), tuple(files)
    with tempfile.TemporaryDirectory(prefix="lmdemo-") as made:
        with unchanged(folder, files, name):
            there = {file: _target(folder, file) for file in files if (folder / file).is_file()}
            if sum(target.stat().st_size for target in there.values()) > most:
                raise CheckpointError(f"{name} is over {most / 1e9:.0f} GB; that could not be pulled again.")
            for file, target in there.items():
                _copy(target, Path(made) / file)
                if _is_blob(target, folder) and not matches(Path(made) / file, target.name):
                    raise CheckpointError(f"{file} of {name} is not the file that the Hub's client put there.")
        yield Path(made)


def _target(folder: Path, file: str) -> Path:
    """The file itself, in the folder, or among the blobs of the Hub's client if the folder is one of its snapshots."""
    target = (folder / file).resolve()
    if target.is_relative_to(folder.resolve()) or _is_blob(target, folder):
        return target
    raise CheckpointError(
        f"{file} of {folder} is a link that leads out of this folder, and what it leads to is not sent; put the file"
        " itself there."
    )


def _is_blob(target: Path, folder: Path) -> bool:
    snapshots = folder.resolve().parent
    return snapshots.name == "snapshots" and target.parent == snapshots.parent / "blobs"


def _copy(target: Path, copy: Path) -> None:
    """A link that was put in its place since it was looked at is not followed either, where the system can tell."""

    def opened(path: str, flags: int) -> int:
        return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0))  # not on Windows

    with open(target, "rb", opener=opened) as source, copy.open("wb") as made:
        shutil.copyfileobj(source, made)
