"""The kernel's library is built once for a processor; whatever is in the way of that is a sentence."""

import os
import re
import shutil
from pathlib import Path

import pytest

from lmdemo.compiled import build

SENTENCE = re.compile(r"The(re is no)? [^<>/\n]*\.")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """This process's, with a cache and a first folder of programs that are empty."""
    programs = tmp_path / "programs"
    programs.mkdir()
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    kept = {name: value for name, value in os.environ.items() if name != "CC"}
    return kept | {"PATH": path, "XDG_CACHE_HOME": str(tmp_path / "cache")}


def stand_in(environment: dict[str, str], script: str) -> None:
    """A program `cc` that is found before the system's."""
    compiler = Path(environment["PATH"].split(os.pathsep)[0], "cc")
    compiler.write_text(f"#!/bin/sh\n{script}\n")
    compiler.chmod(0o755)


def libraries(environment: dict[str, str]) -> set[Path]:
    return set(Path(environment["XDG_CACHE_HOME"], "lmdemo").iterdir())


def refusal(environment: dict[str, str]) -> str:
    found = build(environment)
    assert found.library is None
    assert SENTENCE.fullmatch(found.problem)
    return found.problem


def test_it_is_built_once_and_then_found(environment: dict[str, str]) -> None:
    real = shutil.which("cc")
    stand_in(environment, f'echo "$@" >> {environment["XDG_CACHE_HOME"]}.log; exec {real} "$@"')
    assert build(environment).library.run
    (library,) = libraries(environment)
    before = library.stat().st_mtime_ns
    assert build(environment).library.run
    assert libraries(environment) == {library}
    assert library.stat().st_mtime_ns == before
    calls = Path(environment["XDG_CACHE_HOME"] + ".log").read_text().splitlines()
    assert [" -E " in call for call in calls] == [True, False, True]  # asked, built, asked


def test_another_processor_has_a_library_of_its_own(environment: dict[str, str]) -> None:
    build(environment)
    before = libraries(environment)
    assert build(environment | {"CC": "cc -mno-avx2" if os.uname().machine == "x86_64" else "cc -DOTHER"}).library
    assert len(libraries(environment) - before) == 1


def test_half_a_library_is_built_again(environment: dict[str, str]) -> None:
    build(environment)
    (library,) = libraries(environment)
    library.unlink()  # what this process has loaded stays whole
    library.write_bytes(b"\x7fELF")
    assert build(environment).library.run
    assert libraries(environment) == {library}


def test_no_compiler_is_a_sentence(environment: dict[str, str]) -> None:
    environment["PATH"] = environment["PATH"].split(os.pathsep)[0]
    assert "no C compiler" in refusal(environment)
    assert "no C compiler" in refusal(environment | {"CC": "nobody-has-this"})
    assert "CC" in build(environment | {"CC": "'"}).problem


@pytest.mark.parametrize(
    "script",
    [
        "exit 1",
        'case "$*" in *" -E "*) exit 0;; esac; echo no >&2; exit 1',  # knows the processor, and cannot build
        "kill -9 $$",
        "printf '\\377' >&2; exit 2",  # not text
    ],
)
def test_a_compiler_that_fails_is_a_sentence(environment: dict[str, str], script: str) -> None:
    stand_in(environment, script)
    assert "cannot build" in refusal(environment)
    assert not libraries(environment)


def test_a_compiler_that_builds_nothing_of_use_is_a_sentence(environment: dict[str, str]) -> None:
    stand_in(environment, "exit 0")
    assert "cache" in refusal(environment)
    stand_in(environment, 'while [ "$1" ]; do [ "$1" = -o ] && echo text > "$2"; shift; done')
    assert "cache" in refusal(environment)


def test_a_program_that_cannot_be_run_is_a_sentence(environment: dict[str, str]) -> None:
    stand_in(environment, "")
    Path(environment["PATH"].split(os.pathsep)[0], "cc").write_bytes(b"\0\0\0\0")
    assert "cannot build" in refusal(environment)


def test_a_cache_that_cannot_be_written_is_a_sentence(environment: dict[str, str], tmp_path: Path) -> None:
    """As in a home that is read only: for an administrator too, no folder can be made in a file."""
    (tmp_path / "file").touch()
    assert "cache" in refusal(environment | {"XDG_CACHE_HOME": str(tmp_path / "file")})
    del environment["XDG_CACHE_HOME"]
    assert "cache" in refusal(environment | {"HOME": str(tmp_path / "file")})


def test_what_others_can_write_is_not_loaded(environment: dict[str, str]) -> None:
    folder = Path(environment["XDG_CACHE_HOME"], "lmdemo")
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    assert "other users" in refusal(environment)
    assert not libraries(environment)
