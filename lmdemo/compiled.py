"""Our kernels in C as a library, built by the system's C compiler for this very processor, once, and kept in a cache.

A compiler is not needed to run anything here. Where there is none, or a build does not come about, that is a sentence,
and nothing is raised: models are then computed in torch's ways alone. It knows nothing of models.
"""

import ctypes
import logging
import os
import platform
import shlex
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from lmdemo.once import Once

log = logging.getLogger(__name__)

SOURCES = tuple(Path(__file__).with_name(name) for name in ("int8lm.c", "fp32lm.c", "noise.c"))
HEADERS = tuple(Path(__file__).with_name(name) for name in ("lstm.h", "tiles.h"))  # which the first two include
PATIENCE = 120  # seconds that a build may take
# a * b + c in two roundings but where the source has one; and no code for NaN, errno or traps, which nothing reads
ARITHMETIC = ("-ffp-contract=off", "-ffinite-math-only", "-fno-signed-zeros", "-fno-math-errno", "-fno-trapping-math")
FLAGS = ("-O3", "-shared", "-fPIC", "-fopenmp-simd", *ARITHMETIC)
X86 = ("-march=native", "-mprefer-vector-width=512")
PROCESSOR = {"x86_64": X86, "AMD64": X86}.get(platform.machine(), ("-mcpu=native",))


@dataclass(frozen=True)
class Compiled:
    """The library, or the sentence that says why there is none."""

    library: ctypes.CDLL | None
    problem: str = ""


class _NoLibraryError(Exception):
    """Its text is the sentence."""


def build(environment: Mapping[str, str]) -> Compiled:
    """The library as `environment` has it: PATH, and CC if it is set, tell the compiler, HOME the user's cache.

    It is kept under a name that stands for the sources, the compiler and what that knows of the processor, so that
    none is loaded that was built for another.
    """
    try:
        compiler = _compiler(environment)
        path = _folder(environment) / f"kernels-{_key(compiler, environment)}.so"
        return Compiled(_library(compiler, environment, path))
    except _NoLibraryError as problem:
        return Compiled(None, str(problem))
    except OSError:
        log.info("The kernel's library could not be kept or loaded.", exc_info=True)
        return Compiled(None, "The kernel could not be kept in the user's cache folder, or not be loaded from there.")


def _compiler(environment: Mapping[str, str]) -> tuple[str, ...]:
    """The command of the C compiler, without what it is to do."""
    if sys.platform == "win32":
        raise _NoLibraryError("The kernel is not built on Windows.")
    try:
        name, *options = shlex.split(environment.get("CC", "")) or ["cc"]
    except ValueError:  # a quotation that does not end
        raise _NoLibraryError("CC is not a command.") from None
    found = shutil.which(name, path=environment.get("PATH"))
    if found is None:
        raise _NoLibraryError("There is no C compiler here to build the kernel with.")
    return found, *options, *FLAGS, *PROCESSOR


def _key(compiler: tuple[str, ...], environment: Mapping[str, str]) -> str:
    """What the compiler defines before the first line of a source: its version, and what this processor can do."""
    macros = _run([*compiler, "-dM", "-E", "-x", "c", os.devnull], environment)
    texts = (source.read_text(encoding="utf-8") for source in (*SOURCES, *HEADERS))
    return sha256("\0".join([*texts, *compiler, macros]).encode()).hexdigest()[:32]


def _folder(environment: Mapping[str, str]) -> Path:
    """Where this user's libraries are kept, and nobody else's: what lies there is run."""
    home = Path(environment.get("HOME") or Path.home())
    caches = home / "Library" / "Caches" if sys.platform == "darwin" else home / ".cache"
    folder = Path(environment.get("XDG_CACHE_HOME") or caches, "lmdemo")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    state = folder.stat()
    if state.st_uid != os.getuid() or state.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise _NoLibraryError("The kernel is not loaded from a cache folder that other users can write to.")
    return folder


def _library(compiler: tuple[str, ...], environment: Mapping[str, str], path: Path) -> ctypes.CDLL:
    """What lies there; built now where nothing does, or less than a library, as after a loss of power."""
    try:
        return ctypes.CDLL(str(path))
    except OSError:
        _compile(compiler, environment, path)
    return ctypes.CDLL(str(path))


def _compile(compiler: tuple[str, ...], environment: Mapping[str, str], path: Path) -> None:
    """Build beside `path` and rename, so that whoever looks there finds all of it or nothing."""
    with tempfile.TemporaryDirectory(dir=path.parent, prefix="building-") as folder:
        built = Path(folder, path.name)
        _run([*compiler, *map(str, SOURCES), "-o", str(built), "-lm"], environment)
        built.replace(path)


def _run(command: list[str], environment: Mapping[str, str]) -> str:
    """What the compiler prints; what it complains of is for the log."""
    try:
        done = subprocess.run(
            command,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PATIENCE,
            check=True,
        )
    except subprocess.TimeoutExpired:
        raise _NoLibraryError("The C compiler here did not come to an end with the kernel.") from None
    except (OSError, subprocess.CalledProcessError) as error:  # it cannot be run, or says no
        log.info("The kernel was not built: %s %s", error, getattr(error, "stderr", ""))
        raise _NoLibraryError("The C compiler here cannot build the kernel.") from None
    return done.stdout


# the library of this process; where it was never built on this machine, after the seconds that takes
compiled: Once[Compiled] = Once(lambda: build(os.environ))
