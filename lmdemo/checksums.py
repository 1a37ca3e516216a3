"""Whether the files of a checkpoint are one whole: not damaged, not half replaced, not changed while they were read.

The SHA-256 of each stands in a file SHA256SUMS beside them, which `sha256sum -c SHA256SUMS` verifies too. It tells a
copy that was cut short or files of two models in one folder, whose shapes may well agree. It does not tell who made
them: whoever replaces the files can replace their sums.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lmdemo.errors import CheckpointError
from lmdemo.text import UTF8

SUMS = "SHA256SUMS"
_LINE = re.compile(r"(?P<digest>[0-9A-Fa-f]{64}) [ *](?:\./)?(?P<file>.+)")

Stamp = tuple[int, ...]  # device, inode, bytes, nanoseconds at which the content and the entry last changed


@contextmanager
def unchanged(folder: Path, files: Iterable[str], name: str) -> Iterator[None]:
    """A block that reads `files` of `folder`; what it found does not count if one of them changed meanwhile.

    Args:
        name: of the checkpoint, for the sentence.

    Raises:
        CheckpointError: one of them changed, and whatever the block found wrong is a consequence; or the system did
            not let it be read.
    """
    files = (*files, SUMS)
    before = _stamps(folder, files)
    problem: Exception | None = None
    try:
        yield
    except (CheckpointError, OSError) as error:
        problem = error
    if _stamps(folder, files) != before:
        raise CheckpointError(
            f"The files of {name} changed while they were read; start again when all of them are in place."
        ) from problem
    if isinstance(problem, OSError):
        raise CheckpointError(f"The files of {name} could not be read ({problem.strerror}).") from problem
    if problem is not None:
        raise problem


def check_sums(folder: Path, required: Iterable[str], optional: Iterable[str], name: str) -> None:
    """Compare the files of a checkpoint with its SHA256SUMS.

    Raises:
        CheckpointError: there is none, it is not in the format of sha256sum, it leaves a required file out, or a file
            is another than the one it states.
    """
    stated = _read_sums(folder, name)
    for file in required:
        if file not in stated:
            raise CheckpointError(f"{SUMS} of {name} has no line for {file}.")
    for file in (*required, *optional):
        if file in stated and (folder / file).is_file() and _digest(folder / file) != stated[file]:
            raise CheckpointError(
                f"{file} of {name} is not the file that its {SUMS} states: it was damaged, or replaced without it."
            )


def matches(path: Path, digest: str) -> bool:
    """Whether a file is the one that `digest` names: its SHA-256 or, of 40 digits, the id of its git blob."""
    if len(digest) == 64:
        return _digest(path) == digest
    content = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest() == digest


def write_sums(folder: Path, files: Iterable[str]) -> None:
    """State `files` of `folder` in its SHA256SUMS, in the format of sha256sum."""
    lines = [f"{_digest(folder / file)}  {file}\n" for file in files]
    (folder / SUMS).write_text("".join(lines), encoding="utf-8", newline="\n")


def _read_sums(folder: Path, name: str) -> dict[str, str]:
    """The digests by file."""
    try:
        lines = (folder / SUMS).read_text(encoding=UTF8).splitlines()
    except FileNotFoundError as error:
        raise CheckpointError(f"The checkpoint {name} has no {SUMS} to be compared with.") from error
    except UnicodeDecodeError:
        lines = [""]
    found = [_LINE.fullmatch(line) for line in lines]
    if not all(found):
        raise CheckpointError(f"{SUMS} of {name} is not in the format of sha256sum.")
    return {line["file"]: line["digest"].lower() for line in found}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _stamps(folder: Path, files: Iterable[str]) -> dict[str, Stamp]:
    """What changes with the content of each file that is there, also where a link leads to another folder."""
    stamps = {}
    for file in files:
        try:
            stat = (folder / file).stat()
        except OSError:
            continue
        stamps[file] = (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
    return stamps
