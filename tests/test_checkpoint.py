"""A checkpoint folder: what is written comes back, and what is broken is refused with a sentence."""

import json
import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import lmdemo
from lmdemo.bench import ROOT

TEXT = " = the = \n the word1 word2 . \n"


@pytest.fixture
def folder(tmp_path: Path, tiny: lmdemo.LSTMModel, words: lmdemo.Vocabulary) -> Path:
    lmdemo.save_checkpoint(tmp_path / "model", tiny, words)
    (tmp_path / "model" / "test.txt").write_text(TEXT, encoding="utf-8")
    return tmp_path / "model"


def test_what_is_saved_comes_back(folder: Path, tiny: lmdemo.LSTMModel, words: lmdemo.Vocabulary) -> None:
    loaded = lmdemo.load_checkpoint(folder)
    assert loaded.config == tiny.config
    assert loaded.vocabulary.words == words.words
    assert loaded.source == str(folder)
    assert loaded.revision is None
    assert not loaded.model.training
    assert all(torch.equal(tensor, tiny.state_dict()[name]) for name, tensor in loaded.model.state_dict().items())
    assert loaded.vocabulary.decode(loaded.test_ids.tolist()) == "<unk> the <unk>\n\nthe word1 word2."


def test_half_precision_halves_the_file_and_is_computed_in_fp32(
    tmp_path: Path, tiny: lmdemo.LSTMModel, words: lmdemo.Vocabulary
) -> None:
    lmdemo.save_checkpoint(tmp_path, tiny, words, dtype=torch.float16)
    assert {tensor.dtype for tensor in load_file(tmp_path / "model.safetensors").values()} == {torch.float16}
    loaded = lmdemo.load_checkpoint(tmp_path).model
    assert {tensor.dtype for tensor in loaded.state_dict().values()} == {torch.float32}
    assert torch.equal(loaded.decoder.weight, tiny.decoder.weight.half().float())


def test_the_bundled_checkpoint_is_what_its_card_says(bundled: lmdemo.Checkpoint) -> None:
    assert bundled.source == "bundled"
    assert len(bundled.vocabulary) == bundled.config.ntoken == 10_000
    assert bundled.test_ids.dtype == torch.int64
    folder = lmdemo.checkpoint.BUNDLED
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 10_000_000
    assert "`python -m lmdemo train" in (folder / "README.md").read_text(encoding="utf-8")


def _config(**changes: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        data = json.loads((folder / "config.json").read_text()) | changes
        (folder / "config.json").write_text(json.dumps(data))

    return change


def _weights(change: Callable[[dict], object]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        tensors = load_file(folder / "model.safetensors")
        change(tensors)
        save_file(tensors, folder / "model.safetensors")

    return apply


def _write(name: str, content: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(content)


def _vocabulary(change: Callable[[list[str]], object]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        lines = (folder / "vocab.txt").read_text().split("\n")
        change(lines)
        (folder / "vocab.txt").write_text("\n".join(lines))

    return apply


class _Runs:
    def __reduce__(self) -> tuple:
        return (Path("ran").write_text, ("x",))


BROKEN = {
    "no weights": (lambda f: (f / "model.safetensors").unlink(), "has no model.safetensors"),
    "no config": (lambda f: (f / "config.json").unlink(), "has no config.json"),
    "no words": (lambda f: (f / "vocab.txt").unlink(), "has no vocab.txt"),
    "config not JSON": (_write("config.json", b"{"), "config.json is not valid JSON"),
    "config deep": (_write("config.json", b"[" * 100_000), "config.json is not valid JSON"),
    "config a list": (_write("config.json", b"[]"), "config.json must be an object with ntoken"),
    "config of a transformer": (_write("config.json", b'{"n_head": 8}'), "must be an object with ntoken"),
    "huge": (_config(nhid=10**9), "nhid must be a whole number from 1 to 8,192"),
    "true layers": (_config(nlayers=True), "nlayers must be a whole number"),
    "dropout NaN": (_config(dropout=float("nan")), "dropout must be a number"),
    "too many words": (_config(ntoken=51), r"vocab.txt has 50 lines; config.json says 51"),
    "words not UTF-8": (_write("vocab.txt", b"\xff\xfe"), "vocab.txt is not UTF-8"),
    "word twice": (_vocabulary(lambda lines: lines.__setitem__(5, lines[4])), "the same word on two lines"),
    "word with a space": (_vocabulary(lambda lines: lines.__setitem__(5, "a b")), "line 6: a word is"),
    "word with a separator": (_vocabulary(lambda lines: lines.__setitem__(5, "a\x1cb")), "line 6: a word is"),
    "truncated": (
        lambda f: (f / "model.safetensors").write_bytes((f / "model.safetensors").read_bytes()[:-7]),
        "truncated or not a safetensors file",
    ),
    "a pickle": (_write("model.safetensors", pickle.dumps(_Runs())), "truncated or not a safetensors file"),
    "empty weights": (_write("model.safetensors", b""), "truncated or not a safetensors file"),
    "a tensor missing": (_weights(lambda t: t.pop("decoder.bias")), "1 tensors are missing or foreign"),
    "a tensor too many": (_weights(lambda t: t.update(extra=torch.zeros(1))), "1 tensors are missing or foreign"),
    "another shape": (_weights(lambda t: t.update({"decoder.bias": torch.zeros(9)})), r"decoder.bias is \(9,\)"),
    "integers": (_weights(lambda t: t.update({"decoder.bias": torch.zeros(50, dtype=torch.int8)})), "is torch.int8"),
    "infinite": (_weights(lambda t: t["decoder.bias"].fill_(torch.inf)), "not finite numbers"),
    "an empty test": (_write("test.txt", b""), "fewer than two words"),
    "a test not UTF-8": (_write("test.txt", b"\xff\xfe\xfa"), "test.txt is not UTF-8"),
}


def test_a_word_may_hold_whatever_split_leaves_in_it(tmp_path: Path, tiny: lmdemo.LSTMModel) -> None:
    odd = [
        "\ufeffthe",
        "\x00\x1b[2J\x7f",
        "b" * 10**6,
        "می‌خواهم",
        "\u200eA\u200f",
        "x\u00ady",
        "\ue000",
    ]  # a joiner, marks of direction, a soft hyphen
    words = [*odd, "<unk>", "<eos>", *(f"w{number}" for number in range(41))]
    lmdemo.save_checkpoint(tmp_path, tiny, lmdemo.Vocabulary(words))
    assert list(lmdemo.load_checkpoint(tmp_path).vocabulary.words) == words


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_folder_is_refused_with_a_sentence(
    folder: Path, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    damage, sentence = BROKEN[name]
    damage(folder)
    with pytest.raises(lmdemo.CheckpointError, match=sentence) as caught:
        lmdemo.load_checkpoint(folder)
    assert str(caught.value).endswith(".")
    assert not (tmp_path / "ran").exists()


def test_a_missing_folder_is_named() -> None:
    with pytest.raises(lmdemo.CheckpointError, match=r"^No checkpoint at no/where/at-all: it is neither a folder"):
        lmdemo.load_checkpoint("no/where/at-all")


def test_words_that_cannot_stand_on_a_line_are_not_saved(tmp_path: Path, tiny: lmdemo.LSTMModel) -> None:
    with pytest.raises(lmdemo.CheckpointError, match="line 1: a word is"):
        lmdemo.save_checkpoint(tmp_path, tiny, lmdemo.Vocabulary(["a\nb", *map(str, range(49))]))
    with pytest.raises(lmdemo.CheckpointError, match="line 1: a word is"):
        lmdemo.save_checkpoint(tmp_path, tiny, lmdemo.Vocabulary(["a\ud800", *map(str, range(49))]))
    with pytest.raises(lmdemo.CheckpointError, match="2 words and the model 50"):
        lmdemo.save_checkpoint(tmp_path, tiny, lmdemo.Vocabulary(["a", "b"]))


def test_loading_brings_no_compiler(folder: Path) -> None:
    code = f"import sys, lmdemo; lmdemo.load_checkpoint({str(folder)!r}); print('torch._dynamo' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"  # it costs over a second at every start


def test_a_fingerprint_tells_a_model_from_others(bundled: lmdemo.Checkpoint, tiny: lmdemo.LSTMModel) -> None:
    assert re.fullmatch("[0-9a-f]{12}", bundled.fingerprint)
    assert lmdemo.load_checkpoint().fingerprint == bundled.fingerprint

    def of(*words: str) -> str:
        return lmdemo.Checkpoint(tiny.config, tiny, lmdemo.Vocabulary(words), torch.arange(2), "", "").fingerprint

    one, other = of("a", "b"), of("b", "a")
    assert one == of("a", "b")
    with torch.no_grad():
        tiny.decoder.bias[0] += 1
    assert len({one, other, of("a", "b"), bundled.fingerprint}) == 4
