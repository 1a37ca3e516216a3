"""Saved states become a checkpoint: the tutorial's, and a run of train; nothing in them runs."""

import contextlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
import torch

import lmdemo
from example_corpus import Corpus
from lmdemo import convert as converting
from lmdemo import training
from lmdemo.bench import ROOT
from lmdemo.convert import convert, corpus_vocabulary
from lmdemo.training import Recipe, train

# WikiText's format: headings, blank lines of one space, <unk>, joined hyphens, commas and points
WIKITEXT = {
    "train": """ \n = Lamplighters = \n \n The <unk> lamps were lit at 4 @.@ 30 , and 1 @,@ 200 people saw it . \n \n"""
    """ = = Work = = \n \n A well @-@ kept lamp burned for nine hours . \n = = = Pay = = = \n \n""",
    "valid": """ \n = <unk> = \n \n People of the lamps : " A lamp , " they said , " was 4 @.@ 30 . " \n""",
    "test": """ \n = Ferry ( boat ) = \n \n The boat ran at nine ; a second one at 1 @,@ 200 . \n \n""",
}
# where Python's split() and its lines differ from splitting at ' ' and at '\n'
ODD = {
    "as it is": lambda text: text,
    "CRLF": lambda text: text.replace("\n", "\r\n"),
    "CR": lambda text: text.replace("\n", "\r"),
    "no-break space": lambda text: text.replace(" lamp ", "\u00a0lamp\u00a0").replace(" at ", "\u202fat\u3000"),
    "line separators": lambda text: text.replace(" . ", " .\u2028next\u2029one\x85more\x0bfeed\x0c"),
    "tabs and runs": lambda text: text.replace(" , ", "\t,  \t "),
    "byte order mark": lambda text: "\ufeff" + text,
    "no last newline": lambda text: text.rstrip("\n"),
    "other scripts": lambda text: text.replace("lamp", "ランプ").replace("boat", "бот é e\u0301"),
}


@pytest.mark.parametrize("odd", ODD)
def test_ids_are_the_examples(tmp_path: Path, odd: str) -> None:
    for name, text in WIKITEXT.items():
        (tmp_path / f"{name}.txt").write_bytes(ODD[odd](text).encode())
    example = Corpus(tmp_path)
    vocabulary = corpus_vocabulary(tmp_path)
    assert list(vocabulary.words) == example.dictionary.idx2word
    for name in WIKITEXT:
        ids = vocabulary.ids(lmdemo.text.read_corpus(tmp_path / f"{name}.txt", "utf-8"))
        assert ids == getattr(example, name).tolist()


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
    order = Corpus(corpus).dictionary.idx2word
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
        ({"encoder.weight": _Runs()}, "holds objects other than tensors and plain values"),
        ([torch.zeros(2)], "is not a state dict: names with a tensor each"),
        ({"weight": torch.zeros(2)}, "no encoder.weight and rnn.weight_hh_l0"),
        ({"encoder.weight": torch.zeros(3, 2), "rnn.weight_hh_l0": torch.zeros(8, 2)}, "holds other tensors"),
        ({1: torch.zeros(2)}, "is not a state dict: names with a tensor each"),
        ({"encoder.weight": torch.zeros(3, 2, dtype=torch.int8)}, "'encoder.weight' is not a tensor of floating-point"),
        ({"encoder.weight": torch.zeros(3, 2).to_sparse()}, "'encoder.weight' is not a tensor of floating-point"),
        ({"encoder.weight": torch.zeros(1).expand(10**6, 8192)}, "is over 2 GB"),  # in a file of 1 kB
        (
            {"encoder.weight": torch.zeros(1).expand(1, 9999), "rnn.weight_hh_l0": torch.zeros(4, 1)},
            "is a model of 1 words, widths 9,999 and 1, 1 layers; at most 1,000,000, 8,192 and 16",
        ),
        (
            {"encoder.weight": torch.zeros(1, 1), **{f"rnn.weight_hh_l{n}": torch.zeros(4, 1) for n in range(99)}},
            "99 layers",
        ),
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


def test_a_state_dict_of_another_corpus_is_refused(corpus: Path, tmp_path: Path) -> None:
    path = save(lmdemo.LSTMModel(50, 4, 4, 1), tmp_path / "model.pth")
    with pytest.raises(lmdemo.CheckpointError, match="different words and the state dict 50"):
        convert(path, corpus, tmp_path / "out")
    (corpus / "valid.txt").unlink()
    with pytest.raises(lmdemo.TrainingError, match=r"^No valid.txt in .*corpus;"):
        convert(path, corpus, tmp_path / "out")
    with pytest.raises(lmdemo.CheckpointError, match=r"^No file nothing.pth"):
        convert(tmp_path / "nothing.pth", corpus, tmp_path / "out")


# --- a run of train ----------------------------------------------------------------------------------

RECIPE = Recipe(vocabulary=40, ninp=4, nhid=6, nlayers=2, dropout=0.1, epochs=2, streams=4, bptt=5)


@pytest.fixture
def run(corpus: Path, tmp_path: Path) -> Path:
    """The folder of a finished run."""
    list(train(corpus, tmp_path / "run", RECIPE))
    return tmp_path / "run"


def test_a_run_becomes_the_checkpoint_that_train_leaves(corpus: Path, run: Path, tmp_path: Path) -> None:
    out = convert(run / "training.pt", corpus, tmp_path / "out")
    for file in ("config.json", "model.safetensors", "vocab.txt", "test.txt", "SHA256SUMS"):
        assert (out / file).read_bytes() == (run / file).read_bytes()
    assert (out / "test.txt").read_bytes() == (corpus / "test.txt").read_bytes()
    assert convert(run / "training.pt", corpus, run) == run  # its own folder will do
    assert (run / "training.pt").is_file()


def test_before_the_first_epoch_has_ended_the_present_weights_are_taken(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "SAVE_EVERY", 0.0)
    monkeypatch.setattr(training, "REPORT_EVERY", 1)
    steps = train(corpus, tmp_path / "run", RECIPE)
    next(steps)
    next(steps)
    steps.close()
    state = torch.load(tmp_path / "run" / "training.pt", weights_only=True)
    assert not state["best"]
    loaded = lmdemo.load_checkpoint(convert(tmp_path / "run" / "training.pt", corpus, tmp_path / "out"))
    assert torch.equal(loaded.model.encoder.weight, state["model"]["encoder.weight"].half().float())


def _set(**changes: object) -> Callable[[dict], None]:
    return lambda state: state.update(changes)


def _recipe(**changes: object) -> Callable[[dict], None]:
    return lambda state: state["recipe"].update(changes)


DAMAGED = {
    "recipe a list": (_set(recipe=[1]), "recipe or weights are damaged"),
    "recipe of another version": (_recipe(heads=8), "recipe or weights are damaged"),
    "vocabulary of text": (_recipe(vocabulary="many"), "saved run's vocabulary must be a whole number from 3"),
    "vocabulary true": (_recipe(vocabulary=True), "vocabulary must be a whole number from 3"),
    "no streams": (_recipe(streams=0), "streams must be a whole number from 1"),
    "tokens of text": (_set(tokens="1"), "tokens must be a whole number from 1"),
    "no words": (_set(tokens=0), "tokens must be a whole number from 1"),
    "dropout NaN": (_recipe(dropout=float("nan")), "dropout must be a number"),
    "another vocabulary": (_recipe(vocabulary=30), "30 different words and the state dict 40"),
    "weights a tensor": (_set(best=torch.zeros(3)), "recipe or weights are damaged"),
    "weights a list": (_set(best=[1]), "is not a state dict: names with a tensor each"),
    "weights of another model": (_set(best={"weight": torch.zeros(2)}), "no encoder.weight and rnn.weight_hh_l0"),
    "a tensor missing": (lambda state: state["best"].pop("decoder.bias"), "holds other tensors"),
    "weights not finite": (lambda state: state["best"]["decoder.bias"].fill_(torch.nan), "not finite numbers"),
    "weights too large for half precision": (
        lambda state: state["best"]["decoder.bias"].fill_(1e9),
        "not finite numbers",
    ),
    "another corpus": (_set(tokens=4), "was trained on another corpus: train.txt has"),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_run_is_refused_and_leaves_no_folder(corpus: Path, run: Path, tmp_path: Path, damage: str) -> None:
    change, sentence = DAMAGED[damage]
    state = torch.load(run / "training.pt", weights_only=True)
    change(state)
    torch.save(state, run / "training.pt")
    with pytest.raises(lmdemo.LmdemoError, match=sentence) as caught:
        convert(run / "training.pt", corpus, tmp_path / "made" / "out")
    assert str(caught.value).endswith(".")
    assert not list((tmp_path / "made").glob("*"))


def test_bytes_flipped_or_cut_are_refused_or_read(corpus: Path, run: Path, tmp_path: Path) -> None:
    whole = (run / "training.pt").read_bytes()
    random = Random(0)
    for _ in range(60):
        data = bytearray(whole[: random.randrange(len(whole))] if random.random() < 0.3 else whole)
        for _ in range(random.randrange(1, 20)):
            data[random.randrange(len(data))] = random.randrange(256)
        (tmp_path / "odd.pt").write_bytes(data)
        with contextlib.suppress(lmdemo.LmdemoError):
            convert(tmp_path / "odd.pt", corpus, tmp_path / "out")


# --- the folder --------------------------------------------------------------------------------------


def test_what_was_in_the_folder_stays_until_all_of_it_is_sound(
    corpus: Path, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = convert(run / "training.pt", corpus, tmp_path / "out")
    (out / "README.md").write_text("mine")
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    (corpus / "test.txt").write_text("")
    with pytest.raises(lmdemo.CheckpointError, match="fewer than two words"):
        convert(run / "training.pt", corpus, out)
    (corpus / "test.txt").write_text(" w1 w2 . \n")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(converting, "save_checkpoint", full)
    with pytest.raises(lmdemo.CheckpointError, match=r"out could not be written \(No space left on device\)\.$"):
        convert(run / "training.pt", corpus, out)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert not list(tmp_path.glob(".*"))


def test_a_file_where_the_folder_should_be_is_named(corpus: Path, run: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(lmdemo.CheckpointError, match=r"out could not be written \(File exists\)"):
        convert(run / "training.pt", corpus, tmp_path / "out")
    assert (tmp_path / "out").read_text() == "a file"
