"""The tutorial's artefacts become a checkpoint, and nothing in them runs."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

import lmdemo
from lmdemo.bench import ROOT
from lmdemo.convert import convert


class Dictionary:
    """The example's Dictionary, as it stands there."""

    def __init__(self) -> None:
        self.word2idx: dict[str, int] = {}
        self.idx2word: list[str] = []

    def add_word(self, word: str) -> int:
        if word not in self.word2idx:
            self.idx2word.append(word)
            self.word2idx[word] = len(self.idx2word) - 1
        return self.word2idx[word]


def literal_order(folder: Path) -> list[str]:
    """The words in the order in which the example's Corpus adds them."""
    dictionary = Dictionary()
    for name in ("train.txt", "valid.txt", "test.txt"):
        with open(folder / name, encoding="utf8") as file:
            for line in file:
                for word in [*line.split(), "<eos>"]:
                    dictionary.add_word(word)
    return dictionary.idx2word


def write_corpus(folder: Path, words: list[str]) -> Path:
    """A corpus in WikiText's format that uses every one of `words`: headings, blank lines, joined hyphens."""
    folder.mkdir()
    rows = [" ".join(words[start : start + 40]) for start in range(0, len(words), 40)]
    thirds = [rows[0::3], rows[1::3], rows[2::3]]
    for name, part in zip(("train", "valid", "test"), thirds, strict=True):
        text = f" \n = {name} = \n \n" + "".join(f" {row} @-@ <unk> . \n" for row in part)
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return write_corpus(tmp_path / "corpus", [f"w{number}" for number in range(90)])


def save(model: lmdemo.LSTMModel, path: Path) -> Path:
    torch.save(model.state_dict(), path)
    return path


def test_the_tutorials_shape_and_order_come_through(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "wikitext-2", [f"w{number}" for number in range(33278 - 8)])
    order = literal_order(corpus)
    assert len(order) == 33278
    model = lmdemo.LSTMModel(33278, 512, 256, 5).eval()
    path = save(model, tmp_path / "word_language_model_quantize.pth")
    out = tmp_path / "out"
    command = ["convert", "--state-dict", str(path), "--corpus", str(corpus), "--out", str(out)]
    done = subprocess.run(
        [sys.executable, "-m", "lmdemo", *command], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "33,278 words, LSTM 512→256 × 5" in done.stdout
    loaded = lmdemo.load_checkpoint(out)
    assert list(loaded.vocabulary.words) == order
    assert order[0] == "<eos>"  # WikiText begins with a blank line
    assert all(torch.equal(tensor, model.state_dict()[name]) for name, tensor in loaded.model.state_dict().items())
    assert loaded.test_ids.tolist() == [order.index(word) for word in lmdemo.text.read_corpus(corpus / "test.txt")]


class _Runs:
    def __reduce__(self) -> tuple:
        return (Path("ran").write_text, ("x",))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({"encoder.weight": _Runs()}, "is not a plain state dict"),
        ([torch.zeros(2)], "is not a state dict: names with a tensor each"),
        ({"weight": torch.zeros(2)}, "no encoder.weight and rnn.weight_hh_l0"),
        ({"encoder.weight": torch.zeros(3, 2), "rnn.weight_hh_l0": torch.zeros(8, 2)}, "holds other tensors"),
    ],
)
def test_anything_else_is_refused_and_does_not_run(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: object, sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save(content, tmp_path / "odd.pth")
    with pytest.raises(lmdemo.CheckpointError, match=sentence):
        convert(tmp_path / "odd.pth", corpus, tmp_path / "out")
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "out").exists()


def test_bytes_that_are_no_state_dict_are_refused(corpus: Path, tmp_path: Path) -> None:
    for content in (b"", b"PK\x03\x04", b"not a pickle"):
        (tmp_path / "odd.pth").write_bytes(content)
        with pytest.raises(lmdemo.CheckpointError, match="is not a plain state dict"):
            convert(tmp_path / "odd.pth", corpus, tmp_path / "out")


def test_a_state_dict_of_another_corpus_is_refused(corpus: Path, tmp_path: Path) -> None:
    path = save(lmdemo.LSTMModel(50, 4, 4, 1), tmp_path / "model.pth")
    with pytest.raises(lmdemo.CheckpointError, match="different words and the state dict 50"):
        convert(path, corpus, tmp_path / "out")
    (corpus / "valid.txt").unlink()
    with pytest.raises(lmdemo.CheckpointError, match=r"^No valid.txt in corpus"):
        convert(path, corpus, tmp_path / "out")
    with pytest.raises(lmdemo.CheckpointError, match=r"^No file nothing.pth"):
        convert(tmp_path / "nothing.pth", corpus, tmp_path / "out")
