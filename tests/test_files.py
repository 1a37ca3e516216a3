"""Every kind of file that people bring, made as they make it: the right value, or the sentence that says what to do."""

import io
import json
from argparse import Namespace
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from zipfile import ZipFile

import onnx
import pytest
import torch
from safetensors.torch import load_file, save_file, save_model

import lmdemo
from lmdemo import training
from lmdemo.card import Stated, measured_here, new_card
from lmdemo.convert import convert
from lmdemo.generation import GenerationSettings
from lmdemo.lab import Lab
from lmdemo.prompts import EXAMPLES, prompts
from lmdemo.report import answers, export, prose
from lmdemo.server.service import Request, Service
from lmdemo.text import LONGEST_SHOWN
from lmdemo.training import Recipe, train
from lmdemo.ui import evaluate, generate, markup, page, texts
from lmdemo.ui.plots import size_bars
from waiting import LAST_NET, finished

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
    answer = "".join(answers.generation(written)["fp32"]["words"])
    for text in (*(texts.side_by_side(written, raw, under_way=False) for raw in (False, True)), answer):
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


class Example(torch.nn.Module):
    """The example's RNNModel, with whatever its reader made of it."""

    def __init__(
        self, words: int, kind: type[torch.nn.Module] = torch.nn.LSTM, bias: bool = True, **rnn: object
    ) -> None:
        super().__init__()
        self.encoder = torch.nn.Embedding(words, 4)
        self.rnn = kind(4, 4, 2, bias=bias, **rnn)
        self.decoder = torch.nn.Linear(4, words, bias=bias)


def words_of(corpus: Path) -> int:
    return len(lmdemo.convert.corpus_vocabulary(corpus))


def example(corpus: Path, **changes: object) -> Example:
    torch.manual_seed(0)
    return Example(words_of(corpus), **changes)


def state_file(corpus: Path, folder: Path) -> Path:
    """The state dict of the example, as the tutorial saves it."""
    torch.save(example(corpus).state_dict(), folder / "state.pt")
    return folder / "state.pt"


Make = Callable[[Path, Path], object]  # from the corpus and the name of the file to be


def saved(wrap: Callable[[Example], object], **how: object) -> Make:
    """What torch.save makes of the example, wrapped."""
    return lambda corpus, path: torch.save(wrap(example(corpus)), path, **how)


def state(**changes: object) -> Make:
    """The state dict of another example."""
    return lambda corpus, path: torch.save(example(corpus, **changes).state_dict(), path)


def content(data: bytes) -> Make:
    return lambda _, path: path.write_bytes(data)


def half(make: Make) -> Make:
    """The first half of a download."""

    def cut(corpus: Path, path: Path) -> None:
        make(corpus, path)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    return cut


def laid_out(model: Example) -> dict[str, torch.Tensor]:
    """Weights as views of one buffer, as cuDNN lays them out."""
    state = model.state_dict()
    names = [name for name in state if name.startswith("rnn.")]
    pieces = torch.cat([state[name].flatten() for name in names]).split([state[name].numel() for name in names])
    return state | {name: piece.view_as(state[name]) for name, piece in zip(names, pieces, strict=True)}


def parallel(model: Example) -> dict[str, torch.Tensor]:
    return torch.nn.DataParallel(model).state_dict()


def compiled(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return torch.compile(model, backend="eager").state_dict()


READ = {
    "the tutorial's": (state(), []),
    "legacy": (saved(Example.state_dict, _use_new_zipfile_serialization=False), []),
    "on a GPU": (saved(laid_out), []),
    "half precision": (saved(lambda model: model.half().state_dict()), []),
    "double precision": (saved(lambda model: model.double().state_dict()), []),
    "parameters": (saved(lambda model: dict(model.named_parameters())), []),
    "safetensors": (lambda corpus, path: save_file(example(corpus).state_dict(), path), []),
    "DataParallel": (saved(parallel), ["Taken off every tensor's name: 'module.'."]),
    "compiled": (saved(compiled), ["Taken off every tensor's name: '_orig_mod.'."]),
    "compiled, then DataParallel": (
        saved(lambda model: parallel(torch.compile(model, backend="eager"))),
        ["Taken off every tensor's name: 'module._orig_mod.'."],
    ),
    "DataParallel, then compiled": (
        saved(lambda model: compiled(torch.nn.DataParallel(model))),
        ["Taken off every tensor's name: '_orig_mod.module.'."],
    ),
    "state_dict": (
        saved(lambda model: {"epoch": 3, "state_dict": model.state_dict()}),
        ["Taken from 'state_dict' in file.pt."],
    ),
    "model_state_dict": (
        saved(lambda model: {"model_state_dict": model.state_dict(), "loss": 5.1, "optimizer_state_dict": {}}),
        ["Taken from 'model_state_dict' in file.pt."],
    ),
    "Lightning": (
        saved(lambda model: {"state_dict": {f"model.{name}": t for name, t in parallel(model).items()}}),
        ["Taken from 'state_dict' in file.pt.", "Taken off every tensor's name: 'model.module.'."],
    ),
}


@pytest.mark.parametrize("kind", READ)
def test_a_saved_state_is_read(corpus: Path, tmp_path: Path, kind: str) -> None:
    make, report = READ[kind]
    told: list[str] = []
    make(corpus, tmp_path / "file.pt")
    loaded = lmdemo.load_checkpoint(convert(tmp_path / "file.pt", corpus, tmp_path / "out", told.append)).model
    rounded = torch.float16 if kind == "half precision" else torch.float32
    for name, tensor in example(corpus).state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor.to(rounded).float())
    assert told == report


def test_layers_without_biases_compute_the_same(corpus: Path, tmp_path: Path) -> None:
    model, told = example(corpus, bias=False), []
    torch.save(model.state_dict(), tmp_path / "file.pt")
    loaded = lmdemo.load_checkpoint(convert(tmp_path / "file.pt", corpus, tmp_path / "out", told.append))
    ids = loaded.test_ids[:20].unsqueeze(1)
    expected = model.decoder(model.rnn(model.encoder(ids))[0])
    assert torch.allclose(loaded.model(ids, loaded.model.init_hidden(1))[0], expected, atol=1e-6)
    assert told == [
        "Made with bias=False; zeros stand in, which compute the same: 'rnn.bias_ih_l0', 'rnn.bias_hh_l0',"
        " 'rnn.bias_ih_l1', 'rnn.bias_hh_l1', 'decoder.bias'."
    ]


def onnx_file(_: Path, path: Path) -> None:
    node = onnx.helper.make_node("Relu", ["x"], ["y"])
    values = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in "xy"]
    graph = onnx.helper.make_graph([node], "model", values[:1], values[1:])
    onnx.save(onnx.helper.make_model(graph, producer_name="pytorch"), path)


def scripted(_: Path, path: Path) -> None:
    traced = torch.jit.trace(torch.nn.Linear(2, 2), torch.zeros(1, 2))
    torch.jit.save(traced, path)


def quantized(name: str, whole: bool) -> Make:
    def make(corpus: Path, path: Path) -> None:
        model = lmdemo.build_variants(lmdemo.LSTMModel(words_of(corpus), 4, 4, 1).eval(), [name])[name]
        torch.save(model if whole else model.state_dict(), path)

    return make


def transformer(model: Example) -> dict[str, torch.Tensor]:
    layer = torch.nn.TransformerEncoderLayer(4, 2, 8)
    layers = torch.nn.TransformerEncoder(layer, 2, enable_nested_tensor=False).state_dict()
    return {f"encoder.{name}": tensor for name, tensor in layers.items()} | {"decoder.weight": model.decoder.weight}


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 113945374\n"
CUT = r"is cut short or damaged: a download, a copy or a save that did not come to its end\. Fetch it again\.$"
EXAMPLES_LSTM = r"; lmdemo shows an LSTM\. Train the example with --model LSTM\.$"
QUANTIZED = r"holds a quantized model, and lmdemo quantizes by itself\. Give it the state dict of the fp32 model"
REFUSED = {
    "GRU": (state(kind=torch.nn.GRU), "^file.pt is a GRU" + EXAMPLES_LSTM),
    "plain RNN": (state(kind=torch.nn.RNN), "^file.pt is a plain RNN" + EXAMPLES_LSTM),
    "Transformer": (saved(transformer), "^file.pt is a Transformer" + EXAMPLES_LSTM),
    "projection": (state(proj_size=2), r"an LSTM with a projection, .* Train it with proj_size=0\.$"),
    "bidirectional": (state(bidirectional=True), r"is a bidirectional LSTM, .* Train it with bidirectional=False\.$"),
    "quantized": (quantized("int8", whole=False), QUANTIZED),
    "quantized embedding": (quantized("int8-embedding", whole=False), QUANTIZED),
    "quantized module": (quantized("int8", whole=True), QUANTIZED),
    "quantized tensor": (
        saved(lambda m: m.state_dict() | {"x": torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8)}),
        QUANTIZED,
    ),
    "TorchScript": (scripted, r"is a TorchScript program\. .* torch\.save\(torch\.jit\.load\('file\.pt', map_location"),
    "arguments of a command line": (
        saved(lambda model: {"args": Namespace(lr=20), "state_dict": model.state_dict()}),
        r"holds objects other than tensors and plain values \('argparse\.Namespace'\).* torch\.save\(model\.state_dict",
    ),
    "LFS pointer": (content(LFS), r"is a pointer of Git LFS, not the file itself\. Fetch that with `git lfs pull`\.$"),
    "HTML": (
        content(b"\n<!DOCTYPE html><html><head><title>404</title>"),
        r"is a web page, .* Download the file itself\.",
    ),
    "XML": (content(b"<?xml version='1.0'?><Error><Code>AccessDenied</Code>"), "is a web page, an error or a login"),
    "ONNX": (onnx_file, r"is an ONNX model\. Save the state dict of the model it was exported from: torch\.save"),
    "nothing": (content(b""), r"is empty: a download or a save that did not come to its end\."),
    "half of a zip": (half(state()), CUT),
    "half, legacy": (half(saved(Example.state_dict, _use_new_zipfile_serialization=False)), CUT),
    "half of safetensors": (half(lambda corpus, path: save_file(example(corpus).state_dict(), path)), CUT),
    "another zip": (lambda _, path: ZipFile(path, "w").close(), r"is a zip archive that torch\.save did not write\.$"),
    "text": (content(b"epoch 1 loss 5.1"), r"is not a file that torch\.save wrote\.$"),
    "a tensor missing": (
        saved(lambda m: {name: t for name, t in m.state_dict().items() if name != "rnn.weight_ih_l1"}),
        r"holds other tensors than encoder, rnn and decoder of this model; missing: 'rnn\.weight_ih_l1'\.$",
    ),
    "tensors too many": (
        saved(lambda m: m.state_dict() | {f"x\x1b{n}": torch.ones(1) for n in range(7)}),
        r"; foreign: 'x\\x1b0', 'x\\x1b1', 'x\\x1b2', 'x\\x1b3', 'x\\x1b4' and 2 more\.$",
    ),
    "another shape": (
        saved(lambda m: m.state_dict() | {"decoder.bias": torch.ones(3)}),
        r"decoder\.bias is \(3,\); beside encoder\.weight and rnn\.weight_hh_l0 it must be",
    ),
    "a number among them": (
        saved(lambda m: m.state_dict() | {"epoch": 3}),
        r"is not a state dict: names with a tensor each; 'epoch' is of the type int\.$",
    ),
    "another model": (
        saved(lambda _: {"fc.weight": torch.ones(2)}),
        r"has no encoder\.weight and rnn\.weight_hh_l0, but",
    ),
}


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # of the one who makes the file
@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_saved_state_is_said_to_be_what_it_is(corpus: Path, tmp_path: Path, kind: str) -> None:
    make, sentence = REFUSED[kind]
    make(corpus, tmp_path / "file.pt")
    with pytest.raises(lmdemo.CheckpointError, match=sentence) as caught:
        convert(tmp_path / "file.pt", corpus, tmp_path / "out")
    assert len(str(caught.value)) < 400
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "make",
    [
        saved(lambda model: model),
        saved(lambda model: model, pickle_protocol=4),
        saved(lambda model: model, _use_new_zipfile_serialization=False),
        saved(Example.state_dict, pickle_protocol=4),
        saved(Example.state_dict, pickle_protocol=4, _use_new_zipfile_serialization=False),
    ],
    ids=["a module", "a module, protocol 4", "a module, legacy", "protocol 4", "protocol 4, legacy"],
)
def test_the_line_that_a_sentence_names_makes_a_state_dict(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Make
) -> None:
    monkeypatch.chdir(tmp_path)
    make(corpus, tmp_path / "model.pt")
    with pytest.raises(lmdemo.CheckpointError) as caught:
        convert(tmp_path / "model.pt", corpus, tmp_path / "out")
    exec(str(caught.value).partition(": ")[2], {"torch": torch})
    loaded = lmdemo.load_checkpoint(convert(tmp_path / "state.pt", corpus, tmp_path / "out")).model
    assert torch.equal(loaded.decoder.weight, example(corpus).decoder.weight)


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


@pytest.mark.parametrize("kind", ["torch", "safetensors"])
def test_a_tie_is_kept_from_the_file_to_the_size_tab(
    tied: lmdemo.LSTMModel, corpus: Path, tmp_path: Path, kind: str
) -> None:
    if kind == "torch":
        torch.save(tied.state_dict(), tmp_path / "tied.pt")
    else:
        save_model(tied, str(tmp_path / "tied.pt"))
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
    again = convert(folder / "model.safetensors", corpus, tmp_path / "again")
    assert (again / "model.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()
    assert "+ the embedding" in markup.size_table(sizes)
    *bars, _ends = size_bars(sizes).data
    assert [round(trace.x[0] * 1e3) for trace in bars] == list(sizes["fp32"].parts.values())  # in kB
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


# --- a model of another language ---------------------------------------------------------------------

GERMAN = (
    " = Die Lampen = \n \n Die Lampen wurden um halb sechs angezündet , und viele Leute sahen es . Der Wärter ging nach"
    " Hause . \n Niemand wusste , wer das <unk> gelöscht hatte . \n = Das Meer = \n Ja . \n"
)


@pytest.fixture
def german(corpus: Path, tmp_path: Path) -> Path:
    """What a run leaves."""
    for name in TEXTS:
        (corpus / f"{name}.txt").write_text(GERMAN * 3, encoding="utf-8")
    list(train(corpus, tmp_path / "german", replace(RECIPE, vocabulary=40)))
    return tmp_path / "german"


def forget_the_test_text(folder: Path) -> None:
    """What is left is this project's English prose."""
    (folder / "test.txt").unlink()


@pytest.mark.parametrize("own", [True, False])
def test_a_text_that_is_hardly_the_models_is_said_to_be_beside_the_figures(german: Path, own: bool) -> None:
    if not own:
        forget_the_test_text(german)
    lab = Lab(lmdemo.load_checkpoint(german))
    share = lab.checkpoint.unknown_share
    assert share == 0 if own else 0.5 < share < 1
    *_, final = lab.evaluate(100, 10, ["int8"])
    card = str(new_card("german", lab.checkpoint, Stated(), measured_here(unknown_share=share)))
    sentence = f"{share:.0%} of the test text’s words are not in the vocabulary"
    for text in (evaluate.draw(final)["doubts"], export.as_markdown(final), card):
        assert (sentence in text) is not own
    assert json.loads(export.as_json(final))["unknown_share"] == share


def test_prompts_are_words_that_the_model_knows(german: Path, bundled: lmdemo.Checkpoint) -> None:
    assert prompts(bundled.vocabulary, bundled.test_ids) == EXAMPLES
    lab = Lab(lmdemo.load_checkpoint(german))
    assert lab.prompts == (
        "Die Lampen wurden um halb sechs angezündet,",
        "Der Wärter ging nach Hause",
        "Niemand wusste, wer das",
    )
    forget_the_test_text(german)
    lab = Lab(lmdemo.load_checkpoint(german))
    assert lab.prompts == ()
    *_, final = lab.generate(GenerationSettings(lab.prompt, 5))
    assert final.unknown == ()


def test_a_page_offers_the_prompts_of_the_model_in_service(german: Path) -> None:
    service = Service(Request(str(german)))
    offered = service.lab.prompts

    def shown(prompt: str) -> dict:
        return finished(page._follow(service, "bundled with the app", prompt))

    update = shown(EXAMPLES[0])
    assert update["prompt"] == offered[0]
    assert update["examples"].constructor_args["samples"] == [[text] for text in offered]
    assert "prompt" not in shown("typed by a visitor")
    assert generate.sample(service, 1) == {"prompt": offered[1]}
    assert generate.sample(service, 3) == {}
    service.start()
    service.lab.example.result(timeout=LAST_NET)
    assert finished(generate.arrive(service, "http://host/"))["prompt"] == offered[0]
    service.lab.evaluation.result(timeout=LAST_NET)  # nothing is left running
