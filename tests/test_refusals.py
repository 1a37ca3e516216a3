"""What people bring by mistake, and what they are told: one sentence for each, or the right value.

A row is a name, a function that makes the input and does what a user would, and the sentence. `fullmatch`: nothing
stands before or after it.
"""

import json
import math
import re
import shutil
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from test_model import TutorialModel
from torch import nn

import lmdemo
from lmdemo import training
from lmdemo.checkpoint import locate
from lmdemo.cli import main
from lmdemo.evaluation import token_range
from lmdemo.fidelity import fidelity
from lmdemo.publish import publish
from lmdemo.recipe import Recipe
from lmdemo.report import closeness, prose
from lmdemo.training import train
from lmdemo.training_state import write_state
from local_hub import Fault, LocalHub

RECIPE = Recipe(vocabulary=30, ninp=8, nhid=16, nlayers=1, dropout=0.1, epochs=2, streams=4, bptt=50)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A small corpus."""
    text = "".join(" " + " ".join(f"n{(line + n) % 20}" for n in range(15)) + " \n" for line in range(20))
    for name in ("train", "valid", "test"):
        (tmp_path / f"{name}.txt").write_text(text, encoding="utf-8")
    return tmp_path


def refused(action: Callable[[], object], sentence: str) -> None:
    """`action` ends in that sentence, whole."""
    with pytest.raises(lmdemo.LmdemoError) as caught:
        action()
    assert re.fullmatch(sentence, str(caught.value)), str(caught.value)


# --- a state of a run that cannot be gone on with ----------------------------------------------------


def trained(corpus: Path) -> Path:
    """The state of a run that has come to its end."""
    list(train(corpus, corpus / "out", RECIPE))
    return corpus / "out" / "training.pt"


def changed(path: Path, change: Callable[[dict], object]) -> None:
    state = torch.load(path, weights_only=True)
    change(state)
    write_state(path, state)


STATES: dict[str, Callable[[Path], object]] = {
    "random bytes": lambda path: path.write_bytes(bytes(range(256)) * 40),
    "nothing": lambda path: path.write_bytes(b""),
    "half a file": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "a whole module": lambda path: torch.save(lmdemo.LSTMModel(5, 3, 4, 1), path),
    "a list": lambda path: torch.save([1, 2], path),
    "keys are missing": lambda path: changed(path, lambda state: state.pop("hidden")),
    "a tensor as recipe": lambda path: changed(path, lambda state: state.update(recipe=torch.zeros(2))),
    "a tensor in the recipe": lambda path: changed(path, lambda state: state["recipe"].update(seed=torch.zeros(2))),
    "a text as model": lambda path: changed(path, lambda state: state.update(model="weights")),
    "other weights": lambda path: changed(path, lambda state: state["model"].update({"decoder.bias": torch.zeros(7)})),
    "a model of half precision": lambda path: changed(
        path, lambda state: state["model"].update({"decoder.bias": torch.zeros(22, dtype=torch.float16)})
    ),
    "another optimizer": lambda path: changed(
        path, lambda state: state["optimizer"]["state"][0].update(exp_avg=torch.ones(3))
    ),
    "no optimizer's state": lambda path: changed(path, lambda state: state["optimizer"]["state"].clear()),
    "another hidden state": lambda path: changed(path, lambda state: state.update(hidden=(torch.zeros(1, 4, 16),))),
    "another generator": lambda path: changed(path, lambda state: state.update(random=torch.zeros(5))),
    "no best weights": lambda path: changed(path, lambda state: state.update(best={})),
    "other best weights": lambda path: changed(path, lambda state: state["best"].pop("decoder.bias")),
    "a step that is none": lambda path: changed(path, lambda state: state.update(step="7")),
    "a step after the end": lambda path: changed(path, lambda state: state.update(step=10**9)),
}


@pytest.mark.parametrize("kind", STATES)
def test_a_damaged_or_foreign_state_of_a_run(corpus: Path, kind: str) -> None:
    path = trained(corpus)
    STATES[kind](path)
    refused(
        lambda: list(train(corpus, corpus / "out", RECIPE)),
        r".*/training\.pt is damaged, or no state of a run of train; delete that file, or choose another folder\.",
    )


# --- training that cannot start or comes to nothing --------------------------------------------------


def into(out: Path, corpus: Path, recipe: Recipe = RECIPE) -> Callable[[], object]:
    return lambda: list(train(corpus, out, recipe))


def test_a_file_in_the_place_of_the_folder(corpus: Path) -> None:
    in_place = r".* cannot be the folder for a checkpoint: a file is in its place\."
    refused(into(corpus / "train.txt", corpus), in_place)
    refused(into(corpus / "train.txt" / "out", corpus), in_place)
    refused(into(corpus / ("o" * 300), corpus), r"The folder .* could not be made \(File name too long\)\.")


@pytest.mark.parametrize("file", ["config.json", "README.md"])
def test_a_folder_in_the_place_of_a_file(corpus: Path, file: str) -> None:
    (corpus / "out" / file).mkdir(parents=True)
    options = "--vocabulary 30 --ninp 8 --nhid 16 --nlayers 1 --epochs 1 --streams 4 --threads 1".split()
    said = main(["train", "--corpus", str(corpus), "--out", str(corpus / "out"), *options])
    assert said in (
        "lmdemo: The checkpoint could not be written (Is a directory).",
        f"lmdemo: {corpus / 'out' / 'README.md'} could not be read or written (Is a directory).",
    )


@pytest.mark.parametrize("command", ["train", "convert"])
def test_the_command_with_a_file_for_the_folder(corpus: Path, command: str) -> None:
    (corpus / "a file").write_text("")
    state = [] if command == "train" else ["--state-dict", str(trained(corpus))]
    for out in ("a file", "a file/out"):
        said = main([command, "--corpus", str(corpus), "--out", str(corpus / out), *state])
        assert said.startswith("lmdemo: ")
        assert said.endswith(("a file is in its place.", "could not be written (File exists)."))


def test_a_state_that_cannot_be_written(corpus: Path) -> None:
    (corpus / "out" / "training.pt").mkdir(parents=True)
    refused(
        into(corpus / "out", corpus),
        r".*/training\.pt could not be written: is there space, and may this folder be changed\?",
    )


def test_a_corpus_too_small_is_named_with_the_number_that_was_given(corpus: Path) -> None:
    refused(
        into(corpus / "out", corpus, replace(RECIPE, streams=200)),
        r"train\.txt has 320 words and needs at least 400: it is read in 200 streams, two words in each\.",
    )
    (corpus / "valid.txt").write_text("n1 n2")
    refused(
        into(corpus / "out", corpus),
        r"valid\.txt has 3 words and needs at least 20: it is read in 10 streams, two words in each\.",
    )


def test_a_corpus_that_cannot_be_read(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(path: Path, *_: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(lmdemo.corpus, "read_corpus", denied)  # root may read anything
    refused(into(corpus / "out", corpus), r"train\.txt could not be read \(Permission denied\)\.")


def test_a_loss_that_is_no_number_from_the_start(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_numbers(model: lmdemo.LSTMModel) -> None:
        torch.nn.init.constant_(model.decoder.bias, math.nan)

    monkeypatch.setattr(lmdemo.LSTMModel, "init_weights", no_numbers)
    refused(
        into(corpus / "out", corpus),
        r"The training diverged: the validation loss is not a finite number\. Lower the learning rate \(0\.003\) or the"
        r" clip \(0\.5\), in another folder or without .*/training\.pt\.",
    )


def test_a_run_that_diverges_late_leaves_its_best_epoch(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measure, losses = training._valid_loss, []

    def diverged(model: lmdemo.LSTMModel, *rest: object) -> float:
        if losses:
            with torch.no_grad():
                model.decoder.bias.fill_(math.nan)
        losses.append(measure(model, *rest))
        return losses[-1]

    monkeypatch.setattr(training, "_valid_loss", diverged)
    good, bad = (p for p in train(corpus, corpus / "out", replace(RECIPE, epochs=3)) if p.valid_loss is not None)
    assert (good.best, bad.best) == (True, False)
    assert math.isnan(bad.valid_loss)
    loaded = lmdemo.load_checkpoint(corpus / "out")
    assert lmdemo.evaluate(loaded.model, loaded.test_ids).loss < 10


# --- what is asked of the Hub ------------------------------------------------------------------------


@pytest.fixture
def cached(hub: LocalHub, name: str, tmp_path: Path, tiny: lmdemo.LSTMModel, words: lmdemo.Vocabulary) -> Path:
    """The folder of a model in the client's cache, once pulled; the Hub has it still."""
    hub.put(name, lmdemo.save_checkpoint(tmp_path / "model", tiny, words))
    return locate(name).folder.parent.parent


def pulled(name: str) -> Callable[[], object]:
    return lambda: lmdemo.load_checkpoint(name)


@pytest.mark.usefixtures("hub")
def test_a_folder_that_is_mistyped_is_told_both() -> None:
    refused(
        pulled("models/germann"),
        r"Could not pull models/germann: no folder of that name is here, and the Hub has no such model, or it is"
        r" private and HF_TOKEN holds no token that may read it\.",
    )


@pytest.mark.parametrize("odd", ["o" * 5_000, "models/ger\0man", "a/b/c", "models\\german"])
def test_what_can_be_no_name(hub: LocalHub, odd: str) -> None:
    with pytest.raises(lmdemo.CheckpointError, match=r"^No checkpoint at .* nor a name on the Hub,") as caught:
        lmdemo.load_checkpoint(odd)
    assert len(str(caught.value)) < 400
    assert str(caught.value).isprintable()
    assert not hub.requests


def damage(cache: Path, kind: str) -> None:
    """A cache that another program, or a disk, has made something else of."""
    if kind == "refs are bytes":
        for ref in (cache / "refs").iterdir():
            ref.write_bytes(b"\xff\xfe\x00")
    elif kind == "snapshots are a file":
        shutil.rmtree(cache / "snapshots")
        (cache / "snapshots").write_text("")
    elif kind == "a folder in a file's place":
        for file in (cache / "snapshots").glob("*/config.json"):
            file.unlink()
            file.mkdir()


CACHES = {
    "refs are bytes": r"what is cached of it here is damaged; `hf cache rm` removes it",
    "snapshots are a file": r"it could not be written to the cache \(.*\)",
    "a folder in a file's place": r"it could not be written to the cache \(.*\)",
}


@pytest.mark.parametrize("kind", CACHES)
def test_a_damaged_cache(hub: LocalHub, cached: Path, name: str, kind: str) -> None:
    damage(cached, kind)
    refused(pulled(name), rf"Could not pull {name}: {CACHES[kind]}\.")
    hub.fault = Fault(info=500)  # what is cached would serve
    refused(pulled(name), rf"Could not pull {name}: the Hub answered with an error \(500\)\.")


@pytest.mark.usefixtures("cached")
@pytest.mark.parametrize("token", ["hf_\N{LATIN SMALL LETTER E WITH ACUTE}", "hf_\N{ZERO WIDTH SPACE}"])
def test_a_token_with_a_character_that_none_has(
    hub: LocalHub, name: str, monkeypatch: pytest.MonkeyPatch, token: str, publishable: Path
) -> None:
    hub.requests.clear()
    monkeypatch.setenv("HF_TOKEN", token)
    reason = r"the token, which is HF_TOKEN's or that of `hf auth login`, holds a character that no token has\."
    refused(pulled(name), rf"Could not pull {name}: {reason}")
    refused(lambda: publish(publishable, name, lambda _: True), rf"Could not publish {name}: {reason}")
    assert not hub.requests


@pytest.mark.usefixtures("cached")
def test_an_endpoint_that_is_no_address(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "huggingface.co")
    refused(pulled(name), rf"Could not pull {name}: HF_ENDPOINT is not an address such as https://huggingface\.co\.")


# --- a checkpoint of absurd numbers ------------------------------------------------------------------


@pytest.mark.parametrize("value", ["1" + "0" * 400, "1" + "0" * 5_000, "-" + "9" * 5_000, "1e999"])
@pytest.mark.parametrize(
    ("field", "sentence"),
    [
        ("dropout", r"config\.json: dropout must be a number from 0 up to, not including, 1\."),
        ("ntoken", r"config\.json: ntoken must be a whole number from 1 to 1,000,000\."),
    ],
)
def test_a_huge_number_in_the_configuration(publishable: Path, field: str, sentence: str, value: str) -> None:
    config = json.loads((publishable / "config.json").read_text()) | {field: "here"}
    (publishable / "config.json").write_text(json.dumps(config).replace('"here"', value))
    refused(lambda: lmdemo.load_checkpoint(publishable), sentence)


# --- models of other classes, and losses beyond all measure -------------------------------------------


class Example(TutorialModel):
    """The word_language_model example's: flat log-probabilities."""

    def forward(self, input: torch.Tensor, hidden: tuple) -> tuple:
        decoded, hidden = super().forward(input, hidden)
        return decoded.view(-1, decoded.shape[-1]).log_softmax(1), hidden


@pytest.mark.parametrize("kind", [TutorialModel, Example])
def test_the_tutorials_own_class_has_all_variants(kind: type[nn.Module], tiny: lmdemo.LSTMModel) -> None:
    theirs = kind(50, 6, 8, 2)
    theirs.load_state_dict(tiny.state_dict())
    built, expected = lmdemo.build_variants(theirs), lmdemo.build_variants(tiny)
    assert list(built) == list(lmdemo.VARIANTS)
    assert built["fp32"].encoder.weight is theirs.encoder.weight
    ids = torch.arange(50)
    for name, model in built.items():
        # as near as two builds of one variant: which way is fastest may differ between them
        assert lmdemo.evaluate(model, ids).loss == pytest.approx(lmdemo.evaluate(expected[name], ids).loss, abs=1e-2)


def test_a_tie_is_kept(tiny: lmdemo.LSTMModel) -> None:
    theirs = TutorialModel(50, 8, 8, 2)
    theirs.decoder.weight = theirs.encoder.weight
    assert lmdemo.build_variants(theirs, ["fp32"])["fp32"].config.tied
    assert not lmdemo.build_variants(tiny, ["fp32"])["fp32"].config.tied


def other(**parts: nn.Module) -> nn.Module:
    model = TutorialModel(50, 6, 8, 2)
    for name, part in parts.items():
        setattr(model, name, part)
    return model


class Scaled(TutorialModel):
    def forward(self, input: torch.Tensor, hidden: tuple) -> tuple:
        decoded, hidden = super().forward(input, hidden)
        return 2 * decoded, hidden


KIND = r"Variants are built from a model with an nn\.Embedding encoder, .*"
WAY = r"The model's LSTM must read one way, time first, with biases .*"
PRECISION = r"The model's weights are {} on {}; variants are built from float32 on the CPU: model\.float\(\)\.cpu\(\)\."
MODELS: dict[str, tuple[Callable[[], object], str]] = {
    "half": (lambda: lmdemo.LSTMModel(50, 6, 8, 2).half(), PRECISION.format("float16", "cpu")),
    "double": (lambda: lmdemo.LSTMModel(50, 6, 8, 2).double(), PRECISION.format("float64", "cpu")),
    "nowhere": (lambda: lmdemo.LSTMModel(50, 6, 8, 2).to("meta"), PRECISION.format("float32", "meta")),
    "a GRU": (lambda: other(rnn=nn.GRU(6, 8, 2)), KIND),
    "quantized": (lambda: lmdemo.build_variants(lmdemo.LSTMModel(50, 6, 8, 2), ["int8"])["int8"], KIND),
    "a layer": (lambda: nn.Linear(3, 4), KIND),
    "nothing": (lambda: None, KIND),
    "both ways": (lambda: other(rnn=nn.LSTM(6, 8, 2, bidirectional=True), decoder=nn.Linear(16, 50)), WAY),
    "projected": (lambda: other(rnn=nn.LSTM(6, 8, 2, proj_size=4), decoder=nn.Linear(4, 50)), WAY),
    "no biases": (lambda: other(rnn=nn.LSTM(6, 8, 2, bias=False)), WAY),
    "batch first": (lambda: other(rnn=nn.LSTM(6, 8, 2, batch_first=True)), WAY),
    "another width": (lambda: other(decoder=nn.Linear(9, 50)), WAY),
    "another forward": (lambda: Scaled(50, 6, 8, 2), r"The model does more between its encoder, rnn and decoder .*"),
}


@pytest.mark.parametrize("kind", MODELS)
def test_a_model_of_another_kind(kind: str) -> None:
    make, sentence = MODELS[kind]
    model = make()
    for names in (["int8"], ["fp32"]):
        refused(lambda names=names: lmdemo.build_variants(model, names), sentence)


@pytest.mark.parametrize("ids", [[1, 2, 3], torch.zeros(3), torch.zeros(3, 3, dtype=torch.int64), None])
def test_test_words_that_are_no_ids(tiny: lmdemo.LSTMModel, ids: object) -> None:
    sentence = r"The test words must be their ids in a tensor of one dimension, int64\."
    refused(lambda: lmdemo.evaluate(tiny, ids), sentence)
    refused(lambda: lmdemo.compare({"fp32": tiny}, ids), sentence)


def test_no_models(words: lmdemo.Vocabulary) -> None:
    ids = torch.arange(9)
    for run in (lambda: lmdemo.compare({}, ids), lambda: fidelity({}, ids), lambda: lmdemo.generate({}, words, "the")):
        refused(run, r"Models must be one or more, by name\.")


@pytest.mark.parametrize(("nats", "shown"), [(129.0, "over 10^12"), (2_000.0, "over 10^12"), (5.0, "148.4")])
def test_a_loss_beyond_all_measure_is_shown_in_a_few_digits(tiny: lmdemo.LSTMModel, nats: float, shown: str) -> None:
    with torch.no_grad():
        tiny.decoder.weight.zero_()
        tiny.decoder.bias.copy_(torch.tensor([0.0] + [-nats] * 49))  # all words but the first cost `nats`
        if nats < 10:
            tiny.decoder.bias[0] = math.log(math.exp(nats) - 49) - nats
    *_, run = fidelity({"fp32": tiny, "again": tiny}, torch.arange(50))
    *_, comparison = lmdemo.compare({"fp32": tiny}, torch.arange(50))
    loss = comparison.results["fp32"].loss
    assert loss == pytest.approx(nats, rel=1e-4)
    assert run.results["fp32"].loss.value == pytest.approx(nats, rel=1e-4)
    assert closeness.perplexity(run.results["fp32"].perplexity).startswith(shown)
    assert f"(perplexity {shown})" in prose.loss_verdict(comparison)


# --- a test text of any size -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "read", "name"),
    [
        (" the word1 . \n" * 5_000, 20_000, "the checkpoint's test.txt"),
        (" the word1 . \n" * 5_000 + " the", 20_001, "the first 20,000 words of the checkpoint's test.txt"),
        (" the word1 . \n" * 2_000_000, 20_001, "the first 20,000 words of the checkpoint's test.txt"),
        ("the " * 3_000_000, 20_001, "the first 20,000 words of the checkpoint's test.txt"),  # a line without an end
        (f"the {'x' * 500} " * 10_000, 7_921, "the first 7,920 words of the checkpoint's test.txt"),
    ],
    ids=["as long as a run", "a word longer", "30 MB", "one line", "long words"],
)
def test_of_a_test_text_no_more_is_read_than_a_run_reads(
    publishable: Path, tiny: lmdemo.LSTMModel, text: str, read: int, name: str
) -> None:
    (publishable / "test.txt").write_text(text)
    tracemalloc.start()
    loaded = lmdemo.load_checkpoint(publishable)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (len(loaded.test_ids), loaded.test_name) == (read, name)
    assert loaded.test_ids[:3].tolist() in ([2, 5, 3], [2, 2, 2], [2, 0, 2])
    assert peak < 60e6  # bytes; a list of all words of the longest would be 200e6
    assert token_range(len(loaded.test_ids) - 1)[1] == read - 1
    assert lmdemo.evaluate(tiny, loaded.test_ids[:50]).tokens == 49
