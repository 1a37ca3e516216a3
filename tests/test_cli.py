"""What the commands refuse, they refuse in a sentence and before the work."""

from pathlib import Path

import pytest

from lmdemo.cli import main


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A corpus folder that a small recipe could be trained on."""
    for name in ("train", "valid", "test"):
        (tmp_path / f"{name}.txt").write_text(" the cat sat on the mat . \n" * 20, encoding="utf-8")
    return tmp_path


def _train(corpus: Path, *options: str) -> int | str:
    folders = ["--corpus", str(corpus), "--out", str(corpus / "out")]
    return main(["train", *folders, "--threads", "1", *options])  # as this process has it


@pytest.mark.parametrize("name", ["train", "valid", "test"])
def test_a_corpus_without_one_of_its_files_is_refused_before_training(corpus: Path, name: str) -> None:
    (corpus / f"{name}.txt").unlink()
    expected = f"lmdemo: No {name}.txt in {corpus}; a corpus folder has train.txt, valid.txt and test.txt."
    assert _train(corpus) == expected
    assert not (corpus / "out").exists()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(b"", "test.txt has fewer than two words."), (b"\xff the", "test.txt is not UTF-8 text.")],
)
def test_a_test_text_that_cannot_be_measured_is_refused_before_training(
    corpus: Path, content: bytes, sentence: str
) -> None:
    (corpus / "test.txt").write_bytes(content)
    assert _train(corpus) == f"lmdemo: {sentence}"
    assert not (corpus / "out").exists()
