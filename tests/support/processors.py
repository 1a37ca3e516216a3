"""Tests once more as on a smaller processor, and under sanitizers, in a process of their own."""

import inspect
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from lmdemo.bench import ROOT

# each leaves out what a smaller processor of the kind has not
COMPILERS = (
    {
        "AVX2": "cc -mno-avx512f -mno-avxvnni",
        "AVX2 with VNNI": "cc -mno-avx512f",
        "plain C": "cc -mno-avx512f -mno-avx2 -mno-avxvnni",
    }
    if platform.machine() == "x86_64"
    else {"plain C": "cc -U__ARM_FEATURE_DOTPROD"}
)


def run_on_each(tests: list[Callable[..., None]], cache: Path) -> None:
    """As on each of those processors: torch computes as on AVX2, and the C is built without what each lacks."""
    _run(tests, cache, "-p", "on_processors", ATEN_CPU_CAPABILITY="avx2", ONEDNN_MAX_CPU_ISA="AVX2")


def run_under_sanitizers(tests: list[Callable[..., None]], cache: Path) -> None:
    """Under AddressSanitizer and UndefinedBehaviorSanitizer, which end the process at the first fault."""
    names = ("libasan.so", "libstdc++.so.6")  # the second for exceptions, which the first hands on
    found = [subprocess.check_output(["cc", f"-print-file-name={name}"], text=True).strip() for name in names]
    _run(
        tests,
        cache,
        LD_PRELOAD=" ".join(found),
        ASAN_OPTIONS="detect_leaks=0",
        CC="cc -g -fsanitize=address,undefined -fno-sanitize-recover=all",
    )


def _run(tests: list[Callable[..., None]], cache: Path, *options: str, **environment: str) -> None:
    """Tests in a process of their own, with a library of their own."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    command += [f"{inspect.getfile(test)}::{test.__name__}" for test in tests]
    environment |= {"XDG_CACHE_HOME": str(cache)}
    done = subprocess.run(command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
