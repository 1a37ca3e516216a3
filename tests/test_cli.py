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


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("--threads 0", "--threads must be a whole number from 1 to 4,096."),
        ("--vocabulary 2", "vocabulary must be a whole number from 3 to 1,000,000."),
        ("--ninp 0", "ninp must be a whole number from 1 to 8,192."),
        ("--nhid 8193", "nhid must be a whole number from 1 to 8,192."),
        ("--nlayers 0", "nlayers must be a whole number from 1 to 16."),
        ("--dropout 1", "dropout must be a number from 0 to 0.99."),
        ("--epochs 0", "epochs must be a whole number from 1 to 100,000."),
        ("--streams 0", "streams must be a whole number from 1 to 100,000."),
        ("--bptt -1", "bptt must be a whole number from 1 to 100,000."),
        ("--learning-rate nan", "learning rate must be a number from 1e-06 to 10."),
        ("--clip 0", "clip must be a number from 1e-06 to 1000."),
        ("--seed -1", "seed must be a whole number from 0 to 4,294,967,295."),
    ],
)
def test_a_recipe_that_cannot_be_followed_is_refused(corpus: Path, options: str, sentence: str) -> None:
    assert _train(corpus, *options.split()) == f"lmdemo: {sentence}"
    assert not (corpus / "out").exists()


@pytest.mark.parametrize("rounds", ["0", "-1", "1001"])
def test_a_benchmark_of_no_rounds_is_refused(rounds: str) -> None:
    assert main(["bench", "--rounds", rounds]) == "lmdemo: --rounds must be a whole number from 1 to 1,000."
