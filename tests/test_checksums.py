"""SHA256SUMS beside a checkpoint, and files that change while they are read: one whole or one sentence."""

import shutil
import subprocess
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

import lmdemo
from lmdemo.checkpoint import BUNDLED, OPTIONAL, REQUIRED
from lmdemo.checksums import SUMS, unchanged
from marked import marked_checkpoint, replace_file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return marked_checkpoint(tmp_path / "model", "a", 0.25)


def _swap_two_words(folder: Path) -> None:
    text = (folder / "vocab.txt").read_text()
    (folder / "vocab.txt").write_text(text.replace("a10\na11\n", "a11\na10\n"))


def _another_of_that_shape(folder: Path) -> None:
    other = marked_checkpoint(folder.parent / "other", "b", 0.5)
    shutil.copy(other / "model.safetensors", folder)


def _lines(change: Callable[[str], str]) -> Callable[[Path], None]:
    return lambda folder: (folder / SUMS).write_text(change((folder / SUMS).read_text())) and None


BROKEN = {
    "words of two lines changed places": (
        _swap_two_words,
        "vocab.txt of .* is not the file that its SHA256SUMS states",
    ),
    "weights of another model": (_another_of_that_shape, "model.safetensors of .* is not the file that its SHA256SUMS"),
    "a file without a line": (_lines(lambda text: text[: text.index("\n") + 1]), "has no line for model.safetensors"),
    "another digest": (_lines(lambda text: "0" * 64 + text[64:]), "config.json of .* is not the file"),
    "not sums": (_lines(lambda _: "{}"), "SHA256SUMS of .* is not in the format of sha256sum"),
    "not text": (lambda folder: (folder / SUMS).write_bytes(b"\xff\xfe"), "is not in the format of sha256sum"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_files_that_the_sums_do_not_state_are_refused_with_a_sentence(folder: Path, name: str) -> None:
    damage, sentence = BROKEN[name]
    damage(folder)
    with pytest.raises(lmdemo.CheckpointError, match=sentence) as caught:
        lmdemo.load_checkpoint(folder)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize("command", ["sha256sum *.*", "sha256sum --binary ./*.*", "sha256sum *.* | tr a-f A-F"])
def test_sums_that_sha256sum_writes_are_read(folder: Path, command: str) -> None:
    lines = subprocess.run(["sh", "-c", command], cwd=folder, capture_output=True, text=True, check=True).stdout
    if "tr" in command:  # the digest alone, not the names
        lines = "".join(line[:64] + line[64:].lower() + "\n" for line in lines.splitlines())
    (folder / SUMS).write_text(lines)
    assert lmdemo.load_checkpoint(folder).vocabulary.words[2] == "a0"
    (folder / "test.txt").write_text(" a4 a5 \n")  # what is optional counts where it is stated
    with pytest.raises(lmdemo.CheckpointError, match=r"test.txt of .* is not the file"):
        lmdemo.load_checkpoint(folder)


def test_a_folder_of_ones_own_needs_no_sums(folder: Path) -> None:
    (folder / SUMS).unlink()
    _swap_two_words(folder)
    assert lmdemo.load_checkpoint(folder).vocabulary.words[12:14] == ("a11", "a10")


def test_the_bundled_checkpoint_is_what_its_sums_state() -> None:
    checked = subprocess.run(["sha256sum", "--strict", "-c", SUMS], cwd=BUNDLED, capture_output=True, text=True)
    assert checked.stdout.split("\n")[:-1] == [f"{file}: OK" for file in REQUIRED]
    assert checked.returncode == 0
    attributes = subprocess.run(
        ["git", "check-attr", "text", *REQUIRED], cwd=BUNDLED, capture_output=True, text=True, check=True
    )
    assert attributes.stdout.count("text: unset") == len(REQUIRED)  # or a clone on Windows would not be these bytes


def test_the_bundled_checkpoint_is_not_read_without_its_sums(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = shutil.copytree(BUNDLED, tmp_path / "checkpoint")
    monkeypatch.setattr("lmdemo.checkpoint.BUNDLED", copy)
    (copy / SUMS).unlink()
    with pytest.raises(lmdemo.CheckpointError, match=r"^The checkpoint bundled has no SHA256SUMS"):
        lmdemo.load_checkpoint()


def _by_the_same_bytes(folder: Path, source: Path, file: str) -> None:
    replace_file(folder, source, file)


def _by_nothing(folder: Path, _source: Path, file: str) -> None:
    (folder / file).unlink()


def _while_it_is_opened(folder: Path, source: Path, file: str) -> None:
    replace_file(folder, source, file)
    (folder / "gone").read_bytes()


@pytest.mark.parametrize("change", [_by_the_same_bytes, _by_nothing, _while_it_is_opened])
@pytest.mark.parametrize("file", [*REQUIRED, *OPTIONAL, SUMS])
def test_what_changes_while_it_is_read_does_not_count(tmp_path: Path, folder: Path, file: str, change: object) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    sentence = r"^The files of mine changed while they were read; start again when all of them are in place\.$"
    with (
        pytest.raises(lmdemo.CheckpointError, match=sentence),
        unchanged(folder, [*REQUIRED, *OPTIONAL], "mine"),
    ):
        change(folder, copy, file)


def test_what_the_system_does_not_let_us_read_is_a_sentence(folder: Path) -> None:
    with (
        pytest.raises(lmdemo.CheckpointError, match=r"^The files of mine could not be read \(Is a directory\)\.$"),
        unchanged(folder, REQUIRED, "mine"),
    ):
        folder.read_bytes()


def test_a_folder_that_is_replaced_all_the_time_is_read_whole_or_refused(tmp_path: Path, folder: Path) -> None:
    kinds = [shutil.copytree(folder, tmp_path / "a"), marked_checkpoint(tmp_path / "b", "b", 0.5)]
    stop = threading.Event()

    def keep_replacing() -> None:
        while not stop.wait(0.02):
            kinds.reverse()
            for path in kinds[0].iterdir():
                replace_file(folder, kinds[0], path.name)
                stop.wait(0.0005)

    swapping = threading.Thread(target=keep_replacing)
    swapping.start()
    found = Counter()
    try:
        for _ in range(150):
            try:
                read = lmdemo.load_checkpoint(folder)
            except lmdemo.CheckpointError as error:
                found[str(error).split(str(folder))[-1]] += 1
                continue
            weights = {float(tensor.mean()) for tensor in read.model.state_dict().values()}
            tested = read.vocabulary.words[int(read.test_ids[0])][0]
            found[read.vocabulary.words[2][0], tested, read.config.dropout, *weights] += 1
    finally:
        stop.set()
        swapping.join()
    wholes = {("a", "a", 0.25, 0.25), ("b", "b", 0.5, 0.5)}
    assert wholes & found.keys()
    refused = {" changed while they were read; start again when all of them are in place."}
    assert {kind for kind in found if isinstance(kind, tuple)} <= wholes, found
    assert refused & found.keys(), found
