"""Every kind of file that people bring, made as they make it: the right value, or the sentence that says what to do."""

import io
import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import lmdemo
from lmdemo import training
from lmdemo.convert import convert
from lmdemo.plots import size_bars
from lmdemo.text import LONGEST_SHOWN
from lmdemo.training import Recipe, train
from lmdemo.ui import api, export, markup, prose

BOM = b"\xef\xbb\xbf"
TEXTS = {
    "train": " = Lamps = \n \n The lamps were lit at 4 @.@ 30 , and 1 @,@ 200 people saw it . \n",
    "valid": " People of the lamps said it was 4 @.@ 30 . \n",
    "test": " The people saw the lamps , and it was lit . \n",
}
RECIPE = Recipe(vocabulary=20, ninp=4, nhid=4, nlayers=1, dropout=0.0, epochs=1, streams=2, bptt=5)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    folder = tmp_path / "corpus"
    folder.mkdir()
    for name, text in TEXTS.items():
        (folder / f"{name}.txt").write_text(text * 3, encoding="utf-8", newline="\n")
    return folder


def loss(folder: Path) -> float:
    """Of a checkpoint on its own test text."""
    checkpoint = lmdemo.load_checkpoint(folder)
    return lmdemo.evaluate(checkpoint.model, checkpoint.test_ids).loss


# --- a checkpoint folder -----------------------------------------------------------------------------


@pytest.mark.parametrize("file", ["vocab.txt", "config.json", "test.txt", "SHA256SUMS"])
def test_a_byte_order_mark_changes_nothing(publishable: Path, file: str) -> None:
    before = loss(publishable)
    (publishable / file).write_bytes(BOM + (publishable / file).read_bytes())
    if file != "SHA256SUMS":
        lmdemo.checksums.write_sums(publishable, ["config.json", "model.safetensors", "vocab.txt", "test.txt"])
    assert loss(publishable) == before


# --- a corpus ----------------------------------------------------------------------------------------

LONG = "b" * 100_000
ODD_WORDS = {
    "a word of a hundred thousand characters": LONG,
    "a word with an escape sequence": "\x1b[2Jlamp",
    "a word with a zero": "la\x00mp",
    "a word with a control character of Latin-1": "la\x9bmp",
    "a mark of direction": "\u200elamp",
}


@pytest.mark.parametrize("word", ODD_WORDS.values(), ids=ODD_WORDS)
def test_a_word_that_the_examples_corpus_takes_is_trained_on_and_converted(
    corpus: Path, tmp_path: Path, word: str
) -> None:
    for name, text in TEXTS.items():
        text = text.replace(" lamps ", f" {word} ")
        (corpus / f"{name}.txt").write_text(text * 3, encoding="utf-8")
    list(train(corpus, tmp_path / "run", replace(RECIPE, vocabulary=30)))
    trained = lmdemo.load_checkpoint(tmp_path / "run")
    assert word in trained.vocabulary
    made = convert(state_file(corpus, tmp_path), corpus, tmp_path / "out")
    assert word in lmdemo.load_checkpoint(made).vocabulary


@pytest.mark.parametrize("word", ODD_WORDS.values(), ids=ODD_WORDS)
def test_a_page_and_an_answer_show_a_word_bounded_and_without_controls(tiny: lmdemo.LSTMModel, word: str) -> None:
    vocabulary = lmdemo.Vocabulary(["<unk>", "<eos>", *(f"{word}{number}" for number in range(48))])
    *_, written = lmdemo.generate(lmdemo.build_variants(tiny, ["fp32"]), vocabulary, "", words=20)
    answer = "".join(api._generation(written)["fp32"]["words"])
    for text in (markup.texts(written, False, {}), markup.texts(written, True, {}), answer):
        assert len(text) < 20 * (LONGEST_SHOWN + 100)
        assert not any(char < " " or "\x7f" <= char < "\xa0" for char in text)


def test_a_byte_order_mark_in_a_corpus_changes_nothing(corpus: Path, tmp_path: Path) -> None:
    list(train(corpus, tmp_path / "plain", RECIPE))
    for name in TEXTS:
        (corpus / f"{name}.txt").write_bytes(BOM + (corpus / f"{name}.txt").read_bytes())
    list(train(corpus, tmp_path / "marked", RECIPE))
    assert loss(tmp_path / "marked") == loss(tmp_path / "plain")


RENAMED = {
    "WikiText": ("wiki.train.tokens", "Is it 'wiki.train.tokens'? Rename that to train.txt."),
    "WikiText, raw": ("wiki.train.raw", "Is it 'wiki.train.raw'? Rename that to train.txt."),
    "Penn Treebank": ("ptb.train.txt", "Is it 'ptb.train.txt'? Rename that to train.txt."),
    "a hidden extension": ("train.txt.txt", "Is it 'train.txt.txt'? Rename that to train.txt."),
    "a control character": ("train\x1b[2J.txt", r"Is it 'train\x1b[2J.txt'? Rename that to train.txt."),
    "no such file": ("text.txt", "a corpus folder has train.txt, valid.txt and test.txt."),
}


@pytest.mark.parametrize("command", [train, convert])
@pytest.mark.parametrize("kind", RENAMED)
def test_a_text_of_another_name_is_hinted_at(corpus: Path, tmp_path: Path, kind: str, command: Callable) -> None:
    name, sentence = RENAMED[kind]
    state = state_file(corpus, tmp_path)
    (corpus / "train.txt").rename(corpus / name)
    with pytest.raises(lmdemo.LmdemoError) as caught:
        list(train(corpus, tmp_path / "out", RECIPE)) if command is train else convert(state, corpus, tmp_path / "out")
    assert str(caught.value).startswith(f"No train.txt in {corpus};")
    assert str(caught.value).endswith(sentence)
    assert not (tmp_path / "out").exists()


def test_a_run_leaves_the_test_text_of_its_corpus(corpus: Path, tmp_path: Path) -> None:
    list(train(corpus, tmp_path / "run", RECIPE))
    assert (tmp_path / "run" / "test.txt").read_bytes() == (corpus / "test.txt").read_bytes()
    assert "test.txt" in (tmp_path / "run" / "SHA256SUMS").read_text()
    assert lmdemo.load_checkpoint(tmp_path / "run").test_name == "the checkpoint's test.txt"


def test_a_run_whose_test_text_is_none_does_not_begin(corpus: Path, tmp_path: Path) -> None:
    (corpus / "test.txt").write_text("")
    with pytest.raises(lmdemo.TrainingError, match=r"^test\.txt has fewer than two words"):
        next(train(corpus, tmp_path / "run", RECIPE))
    assert not (tmp_path / "run" / training.STATE).exists()


# --- a saved state -----------------------------------------------------------------------------------


def state_file(corpus: Path, folder: Path) -> Path:
    """The state dict of a model of the corpus, as the tutorial saves it."""
    torch.manual_seed(0)
    words = len(lmdemo.convert.corpus_vocabulary(corpus))
    torch.save(lmdemo.LSTMModel(words, 4, 4, 2).state_dict(), folder / "state.pt")
    return folder / "state.pt"


# --- tied weights, the example's --tied --------------------------------------------------------------


@pytest.fixture
def tied(corpus: Path) -> lmdemo.LSTMModel:
    torch.manual_seed(0)
    words = len(lmdemo.convert.corpus_vocabulary(corpus))
    return lmdemo.LSTMModel(words, 16, 16, 1, tied=True).eval()


def written(state: dict[str, torch.Tensor]) -> int:
    """Bytes that torch.save writes."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.tell()


def test_a_tie_is_kept_from_the_file_to_the_size_tab(tied: lmdemo.LSTMModel, corpus: Path, tmp_path: Path) -> None:
    torch.save(tied.state_dict(), tmp_path / "tied.pt")
    folder = convert(tmp_path / "tied.pt", corpus, tmp_path / "out")
    assert set(load_file(folder / "model.safetensors")) == tied.state_dict().keys() - {"decoder.weight"}
    loaded = lmdemo.load_checkpoint(folder)
    assert loaded.config == tied.config
    assert loaded.model.decoder.weight is loaded.model.encoder.weight
    assert all(torch.equal(tensor, tied.state_dict()[name]) for name, tensor in loaded.model.state_dict().items())
    sizes = lmdemo.sizes(lmdemo.build_variants(loaded.model))
    truth = written(tied.state_dict())
    matrix = tied.encoder.weight.nbytes
    for name, size in sizes.items():
        assert size.shared == (0 if name.startswith("int") else matrix)
    assert sizes["fp32"].total == sizes["fp32-packed"].total == truth
    assert sizes["fp32"].modules["decoder"] == sizes["fp32"].parts["decoder"] + matrix
    assert "embedding and decoder are one matrix, stored once" in prose.size_sentences(sizes)[1]
    assert "+ the embedding" in markup.size_table(sizes)
    figure = size_bars(sizes)
    assert [round(trace.x[0] * 1e6) for trace in figure.data] == list(sizes["fp32"].parts.values())
    assert f",{matrix}," in export.sizes(sizes)


def test_int8_of_a_tied_model_is_larger_where_the_embedding_is_most_of_it() -> None:
    sizes = lmdemo.sizes(lmdemo.build_variants(lmdemo.LSTMModel(4_000, 32, 32, 1, tied=True).eval()))
    assert all(sum(size.parts.values()) == pytest.approx(size.total, rel=0.02) for size in sizes.values())
    assert "int8 takes 119% of the bytes" in prose.size_sentences(sizes)[0]


@pytest.mark.parametrize("how", ["the same parameter", "the same memory"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_a_model_tied_by_hand_is_saved(
    tiny: lmdemo.LSTMModel, words: lmdemo.Vocabulary, tmp_path: Path, how: str, dtype: torch.dtype
) -> None:
    tiny = lmdemo.LSTMModel(50, 8, 8, 2)
    tiny.decoder.weight = (
        tiny.encoder.weight if how == "the same parameter" else torch.nn.Parameter(tiny.encoder.weight.data)
    )
    lmdemo.save_checkpoint(tmp_path, tiny, words, dtype)
    loaded = lmdemo.load_checkpoint(tmp_path)
    assert loaded.config.tied
    assert loaded.model.tied
    assert torch.equal(loaded.model.decoder.weight, tiny.encoder.weight.to(dtype).float())


def _store(folder: Path, model: lmdemo.LSTMModel, config: dict[str, object]) -> None:
    save_file({name: tensor.clone() for name, tensor in model.state_dict().items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(asdict(model.config) | config))
    (folder / "SHA256SUMS").unlink(missing_ok=True)


def test_a_folder_that_stores_both_matrices_is_read(words: lmdemo.Vocabulary, tmp_path: Path) -> None:
    model = lmdemo.LSTMModel(50, 8, 8, 2, tied=True)
    lmdemo.save_checkpoint(tmp_path, model, words)
    _store(tmp_path, model, {})
    assert lmdemo.load_checkpoint(tmp_path).model.tied
    model.decoder.weight = torch.nn.Parameter(model.encoder.weight + 1)
    _store(tmp_path, model, {})
    with pytest.raises(lmdemo.CheckpointError, match=r"encoder\.weight and decoder\.weight differ; config\.json says"):
        lmdemo.load_checkpoint(tmp_path)
    before = asdict(model.config)
    del before["tied"]  # a folder from before it was known
    (tmp_path / "config.json").write_text(json.dumps(before))
    assert not lmdemo.load_checkpoint(tmp_path).model.tied


@pytest.mark.parametrize("config", [{"tied": 1}, {"tied": None}, {"tied": "true"}, {"tied": True, "nhid": 9}])
def test_a_tie_that_cannot_be_is_refused(words: lmdemo.Vocabulary, tmp_path: Path, config: dict[str, object]) -> None:
    model = lmdemo.LSTMModel(50, 8, 8, 2)
    lmdemo.save_checkpoint(tmp_path, model, words)
    _store(tmp_path, model, config)
    with pytest.raises(lmdemo.CheckpointError, match="tied must be true or false, and true needs ninp and nhid of one"):
        lmdemo.load_checkpoint(tmp_path)
    with pytest.raises(lmdemo.InputError, match="ninp and nhid of one width"):
        lmdemo.LSTMModel(50, 8, 9, 2, tied=True)
