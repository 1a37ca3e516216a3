"""A checkpoint published with the real client to a Hub on loopback, and what can be in its way."""

import os
import pty
import subprocess
import sys
import time
from collections.abc import Iterator
from hashlib import sha1
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from huggingface_hub import ModelCard, get_session

import lmdemo
from lmdemo import publish as publishing
from lmdemo.bench import ROOT
from lmdemo.card import Stated
from lmdemo.publish import publish
from local_hub import Fault, LocalHub
from local_repos import READER, TOKEN

TEXT = " = the = \n \n the word1 word2 <unk> . \n word3 the . word4 \n"
OURS = {"config.json", "model.safetensors", "vocab.txt", "test.txt", "README.md"}


@pytest.fixture
def folder(tmp_path: Path, tiny: lmdemo.LSTMModel, words: lmdemo.Vocabulary) -> Path:
    """A checkpoint among files that are none of its own."""
    folder = lmdemo.save_checkpoint(tmp_path / "model", tiny, words)
    (folder / "test.txt").write_text(TEXT, encoding="utf-8")
    (folder / "training.pt").write_bytes(b"state")
    (folder / ".env").write_text("SECRET=1")
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04")
    return folder


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A model of this test's own: what one test cached is no other's."""
    return f"someone/published-{sha1(request.node.name.encode()).hexdigest()[:12]}"


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    before = get_session().timeout
    yield
    assert get_session().timeout == before


def unasked(found: str) -> bool:
    raise AssertionError(f"asked although nothing is replaced: {found}")


def yes(_: str) -> bool:
    return True


def card_of(hub: LocalHub, name: str) -> ModelCard:
    return ModelCard(hub.repos[name].commits[-1][1]["README.md"].decode())


def commits(hub: LocalHub) -> int:
    return sum("/commit/" in request for request in hub.requests)


def written(models: dict, vocabulary: lmdemo.Vocabulary) -> list[tuple]:
    *_, last = lmdemo.generate(models, vocabulary, "the word1", words=20, seed=3)
    return [writing.words for writing in last.writings.values()]


def test_published_pulled_and_generated_it_is_the_same(hub: LocalHub, folder: Path, name: str) -> None:
    done = publish(folder, name, unasked)
    repo = hub.repos[name]
    assert len(repo.commits) == 2  # the Hub's own first one, and ours
    assert commits(hub) == 1
    assert repo.commits[-1][1].keys() - {".gitattributes"} == OURS
    before, after = lmdemo.load_checkpoint(folder), lmdemo.load_checkpoint(name)
    assert (done.url, done.commit) == (f"{hub.url}/{name}", after.revision)
    pairs = [lmdemo.build_variants(one.model, ["fp32", "int8"]) for one in (before, after)]
    for variant in ("fp32", "int8"):
        losses = [lmdemo.evaluate(pair[variant], before.test_ids).loss for pair in pairs]
        assert losses[0] == pytest.approx(losses[1], abs=1e-6)
    assert torch.equal(before.test_ids, after.test_ids)
    assert written(pairs[0], before.vocabulary) == written(pairs[1], after.vocabulary)


def test_the_card_parsed_back_has_the_figures_measured(hub: LocalHub, folder: Path, name: str, tmp_path: Path) -> None:
    done = publish(folder, name, unasked, stated=Stated("mit", "en", "someone/corpus", "Words, CC0."))
    card_of(hub, name).save(tmp_path / "README.md")
    data = ModelCard.load(tmp_path / "README.md").data
    assert (data.library_name, data.pipeline_tag, data.license) == ("pytorch", "text-generation", "mit")
    assert (data.language, data.datasets, data.model_name) == ("en", ["someone/corpus"], name.split("/")[1])
    checkpoint = lmdemo.load_checkpoint(folder)
    models = lmdemo.build_variants(checkpoint.model, ["fp32", "int8"])
    results = {variant: lmdemo.evaluate(model, checkpoint.test_ids) for variant, model in models.items()}
    assert {figure.variant: figure.result.loss for figure in done.measured.figures} == {
        variant: result.loss for variant, result in results.items()
    }
    stored = {(one.metric_args["variant"], one.metric_type): one for one in data.eval_results}
    assert len(stored) == len(data.eval_results) == 4
    for variant, result in results.items():
        assert stored[variant, "loss"].metric_value == round(result.loss, 4)
        assert stored[variant, "perplexity"].metric_value == round(result.perplexity, 2)
    one = stored["int8", "loss"]
    assert (one.task_type, one.dataset_type, one.dataset_split) == ("text-generation", "someone/corpus", "test")
    assert one.dataset_args == {"words": len(checkpoint.test_ids) - 1}
    assert one.verified is False
    assert one.metric_args["torch"] == torch.__version__
    assert f"| test, int8 (`quantize_dynamic`) | {len(checkpoint.test_ids) - 1} |" in card_of(hub, name).text
    assert f"torch {torch.__version__}, engine {torch.backends.quantized.engine}." in card_of(hub, name).text


def test_what_is_not_stated_is_left_out(hub: LocalHub, folder: Path, name: str) -> None:
    (folder / "test.txt").unlink()
    publish(folder, name, unasked)
    card = card_of(hub, name)
    assert (card.data.license, card.data.language, card.data.datasets) == (None, None, None)
    assert "| licence | not stated |" in card.text
    assert "on assets/sample.txt" in card.text
    assert {one.dataset_config for one in card.data.eval_results} == {"sample"}


def test_a_long_text_is_read_in_part_and_the_card_says_so(
    hub: LocalHub, folder: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "MEASURED_WORDS", 5)
    publish(folder, name, unasked)
    card = card_of(hub, name)
    assert {(one.dataset_split, one.dataset_args["words"]) for one in card.data.eval_results} == {("test[:5]", 5)}
    assert "| test[:5], fp32 | 5 |" in card.text


# --- the command -------------------------------------------------------------------------------------

READ = """
import sys, lmdemo
checkpoint = lmdemo.load_checkpoint(sys.argv[1])
models = lmdemo.build_variants(checkpoint.model, ["fp32", "int8"])
*_, last = lmdemo.generate(models, checkpoint.vocabulary, "the word1", words=20, seed=3)
print(lmdemo.evaluate(models["fp32"], checkpoint.test_ids).loss, *(one.words for one in last.writings.values()))
"""


def run(*arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, stdin=subprocess.DEVNULL)


def test_the_command_publishes_what_another_process_pulls(hub: LocalHub, folder: Path, name: str) -> None:
    done = run("-m", "lmdemo", "publish", folder, name)
    assert done.returncode == 0, done.stderr
    sha = hub.repos[name].commits[-1][0]
    lines = done.stdout.splitlines()
    assert "window 25: fp32 loss" in lines[0]
    assert lines[1:] == [
        f"Published: {hub.url}/{name}",
        f"Commit: {sha}",
        f"On a Space: set the variable LMDEMO_MODEL={name}",
    ]
    here, there = run("-c", READ, folder), run("-c", READ, name)
    assert here.returncode == there.returncode == 0
    assert here.stdout == there.stdout != ""


def test_the_command_asks_before_it_replaces(hub: LocalHub, folder: Path) -> None:
    name = "someone/lmdemo-lstm"
    sha = hub.put(name, folder)
    refused = run("-m", "lmdemo", "publish", folder, name)
    assert refused.returncode == 1
    assert refused.stderr == (
        f"lmdemo: {name} has a checkpoint already (commit {sha[:7]}); --yes replaces it, and without a terminal"
        " nobody can be asked.\n"
    )
    assert on_a_terminal("n\n", folder, name).endswith(f"lmdemo: {name} was left as it is.")
    assert hub.repos[name].commits[-1][0] == sha
    said = on_a_terminal("y\n", folder, name)
    assert f"{name} has a checkpoint already (commit {sha[:7]}). Replace it? [y/N]" in said
    second = hub.repos[name].commits[-1][0]
    assert second != sha
    assert f"On a Space of someone's: set nothing, it looks for {name} by itself" in said
    replaced = run("-m", "lmdemo", "publish", folder, name, "--yes", "--license", "mit")
    assert f"Commit: {hub.repos[name].commits[-1][0]}" in replaced.stdout
    assert len(hub.repos[name].commits) == 3


def on_a_terminal(answer: str, folder: Path, name: str) -> str:
    """What the command says to somebody who types `answer`."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "lmdemo", "publish", str(folder), name]
    with subprocess.Popen(command, cwd=ROOT, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        os.write(ours, answer.encode())
        said, _ = process.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)
    return said.decode().strip()


# --- what is there already ---------------------------------------------------------------------------


def test_nothing_is_replaced_without_a_yes(hub: LocalHub, folder: Path, name: str) -> None:
    sha = hub.put(name, folder)
    hub.requests.clear()
    asked: list[str] = []
    with pytest.raises(lmdemo.HubError, match=f"^{name} was left as it is"):
        publish(folder, name, lambda found: bool(asked.append(found)))
    assert asked == [f"{name} has a checkpoint already (commit {sha[:7]})"]
    assert not any(request.startswith(("POST", "PUT")) for request in hub.requests)


def test_a_model_with_a_card_only_is_asked_for_too(hub: LocalHub, folder: Path, name: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    hub.put(name, tmp_path / "empty")
    publish(folder, name, unasked)
    hub.repos[name].commit(dict.fromkeys(OURS - {"README.md"}))
    asked: list[str] = []
    publish(folder, name, lambda found: asked.append(found) or True)
    assert "has a README.md already" in asked[0]


def test_what_the_folder_has_no_more_goes_from_the_hub(hub: LocalHub, folder: Path, name: str) -> None:
    hub.put(name, folder)
    (folder / "test.txt").unlink()
    publish(folder, name, yes)
    files = hub.repos[name].commits[-1][1]
    assert "test.txt" not in files  # it was another checkpoint's
    assert "training.pt" in files  # what is not a checkpoint's is not touched
    assert commits(hub) == 1


def test_a_commit_in_between_is_not_overwritten(hub: LocalHub, folder: Path, name: str) -> None:
    hub.put(name, folder)
    (folder / "test.txt").write_text(" the the . \n")
    hub.fault = Fault(overtaken=True)
    with pytest.raises(lmdemo.HubError, match=r"another commit came in between.*\(412\); nothing was committed\.$"):
        publish(folder, name, yes)
    assert hub.repos[name].commits[-1][1]["test.txt"].decode() == TEXT


def test_private_is_private_and_pulled_with_a_token(
    hub: LocalHub, folder: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = publish(folder, name, unasked, private=True)
    assert done.private
    assert hub.repos[name].private
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(lmdemo.HubError, match="or it is private"):
        lmdemo.load_checkpoint(name)
    monkeypatch.setenv("HF_TOKEN", READER)
    assert lmdemo.load_checkpoint(name).revision == done.commit
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert publish(folder, name, yes, private=True).private


def test_private_does_not_change_a_public_model(hub: LocalHub, folder: Path, name: str) -> None:
    sha = hub.put(name, folder)
    with pytest.raises(lmdemo.HubError, match="exists and is public; --private is for a new model"):
        publish(folder, name, yes, private=True)
    assert hub.repos[name].commits[-1][0] == sha


# --- refusals ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("odd", ["model", "a/b/c", "a b/c", "a/b@main", "../x", ""])
def test_a_name_that_is_none_is_refused(hub: LocalHub, folder: Path, odd: str) -> None:
    with pytest.raises(lmdemo.HubError, match="owner/name"):
        publish(folder, odd, unasked)
    assert not hub.requests


def test_a_folder_that_is_no_checkpoint_is_refused_before_the_hub_is_asked(
    hub: LocalHub, folder: Path, name: str
) -> None:
    with pytest.raises(lmdemo.CheckpointError, match=r"^No folder .*/nowhere to publish"):
        publish(folder / "nowhere", name, unasked)
    (folder / "model.safetensors").write_bytes(b"\x80\x04")
    with pytest.raises(lmdemo.CheckpointError, match="truncated or not a safetensors file"):
        publish(folder, name, unasked)
    assert not hub.requests


def test_a_folder_that_could_not_be_pulled_again_is_refused(
    hub: LocalHub, folder: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "MAX_FILE_BYTES", 1000)
    with pytest.raises(lmdemo.CheckpointError, match="that could not be pulled again"):
        publish(folder, name, unasked)
    assert not hub.requests


def test_tokens(hub: LocalHub, folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(lmdemo.HubError, match=r"needs a token that may write: put it in HF_TOKEN, or run `hf auth"):
        publish(folder, name, unasked)
    assert not hub.requests
    monkeypatch.setenv("HF_TOKEN", "hf_forged")
    with pytest.raises(lmdemo.HubError, match=r"does not accept the token.*\(401\)"):
        publish(folder, name, unasked)
    monkeypatch.setenv("HF_TOKEN", READER)
    with pytest.raises(lmdemo.HubError, match=r"may not write there: .*\(403\); nothing was committed\.$"):
        publish(folder, name, unasked)
    assert name not in hub.repos
    sha = hub.put(name, folder)
    with pytest.raises(lmdemo.HubError, match=r"may not write there: .*\(403\); nothing was committed\.$"):
        publish(folder, name, yes)
    assert hub.repos[name].commits[-1][0] == sha


def test_a_hub_out_of_reach_is_known_within_seconds(
    hub: LocalHub, folder: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(lmdemo.HubError, match="HF_HUB_OFFLINE is set"):
        publish(folder, name, unasked)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:1")
    began = time.monotonic()
    with pytest.raises(lmdemo.HubError, match=r"^Could not publish .*: the Hub could not be reached\.$"):
        publish(folder, name, unasked)
    assert time.monotonic() - began < 5
    assert not hub.requests


NOTHING = r"; nothing was committed\.$"
FAULTS: dict[str, tuple[Fault, str]] = {
    "info 500": (Fault(info=500), r"the Hub answered with an error \(500\)\.$"),
    "info 429": (Fault(info=429), r"takes no more requests from here for now \(429\)\.$"),
    "info hangs": (Fault(hang="info"), r"the Hub did not answer in time\.$"),
    "create 500": (Fault(step="create", status=500), r"the Hub answered with an error \(500\)" + NOTHING),
    "create hangs": (Fault(step="create", silent=True), "the Hub did not answer in time" + NOTHING),
    "preupload 403": (Fault(step="preupload", status=403), r"may not write there.*\(403\)" + NOTHING),
    "preupload hangs": (Fault(step="preupload", silent=True), "the Hub did not answer in time" + NOTHING),
    "upload 500": (Fault(step="store", status=500), r"the Hub answered with an error \(500\)" + NOTHING),
    "upload 400": (Fault(step="store", status=400), r"the Hub answered with an error \(400\)" + NOTHING),
    "upload hangs": (Fault(step="store", silent=True), "the Hub did not answer in time" + NOTHING),
    "commit 500": (Fault(step="commit", status=500), r"the Hub answered with an error \(500\)" + NOTHING),
    "commit 429": (Fault(step="commit", status=429), r"no more requests from here for now \(429\)" + NOTHING),
    "commit hangs": (Fault(step="commit", silent=True), "the Hub did not answer in time" + NOTHING),
}


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client does not sleep between its attempts, and a commit has a second."""
    monkeypatch.setattr("huggingface_hub.utils._http.time", SimpleNamespace(**vars(time) | {"sleep": lambda _: None}))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DOWNLOAD_TIMEOUT", 0.3)
    monkeypatch.setattr(publishing, "COMMIT_TIMEOUT", 1.0)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.usefixtures("impatient")
def test_a_fault_is_one_sentence_and_nothing_is_committed(hub: LocalHub, folder: Path, name: str, fault: str) -> None:
    hub.fault, sentence = FAULTS[fault]
    began = time.monotonic()
    with pytest.raises(lmdemo.HubError, match=f"^Could not publish {name}: .*{sentence}"):
        publish(folder, name, unasked)
    assert time.monotonic() - began < 10
    made = hub.repos.get(name)
    assert made is None or [files.keys() for _, files in made.commits] == [{".gitattributes"}]
    hub.calm()
    assert publish(folder, name, unasked).commit == hub.repos[name].commits[-1][0]


@pytest.mark.usefixtures("impatient")
def test_a_commit_whose_answer_is_lost_is_told_as_it_is(hub: LocalHub, folder: Path, name: str) -> None:
    hub.fault = Fault(step="commit", deaf=True)
    with pytest.raises(lmdemo.HubError, match="did not answer in time; yet the model now stands at commit") as caught:
        publish(folder, name, unasked)
    assert hub.repos[name].commits[-1][0][:7] in str(caught.value)


# --- the author's card -------------------------------------------------------------------------------

AUTHORS = """---
license: apache-2.0
tags:
- mine
colour: blue
model-index:
- name: theirs
  results:
  - task:
      type: text-generation
    dataset:
      type: other/data
      name: Other
      split: test
    metrics:
    - type: perplexity
      value: 12.5
---
# My own words

Kept as they stand. | “so” | \r
"""


def test_an_authors_card_is_completed_and_kept(hub: LocalHub, folder: Path, name: str) -> None:
    (folder / "README.md").write_bytes(AUTHORS.encode())
    publish(folder, name, unasked, stated=Stated(license="apache-2.0"))
    publish(folder, name, yes)
    card = card_of(hub, name)
    assert card.text == AUTHORS.split("---\n")[2]
    assert (card.data.license, card.data.tags, card.data["colour"]) == ("apache-2.0", ["mine"], "blue")
    assert (card.data.library_name, card.data.model_name) == ("pytorch", "theirs")
    assert [one.dataset_type for one in card.data.eval_results] == ["other/data", *["unknown"] * 4]
    assert (folder / "README.md").read_bytes() == AUTHORS.encode()


BROKEN = {
    "not YAML": "---\nlicense: [\n---\n",
    "a list": "---\n- a\n---\n",
    "numbers for names": "---\n1: a\n---\n",
    "an argument's name": "---\nself: a\n---\n",
    "a method's name": "---\nto_dict: 1\n---\n",
    "tags a number": "---\ntags: 5\n---\n",
    "a broken model-index": "---\nmodel-index:\n- name: a\n  results:\n  - task: {type: b}\n---\n",
    "a model-index of text": "---\nmodel-index: [{name: a, results: [{task: {type: b}, dataset: 1}]}]\n---\n",
    "an object": "---\na: !!python/object/apply:os.system ['touch ran']\n---\n",
    "deep": "---\na: " + "[" * 5000 + "\n---\n",
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_card_with_broken_metadata_is_refused(
    hub: LocalHub, folder: Path, name: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (folder / "README.md").write_text(BROKEN[kind], encoding="utf-8")
    with pytest.raises(lmdemo.CheckpointError, match=r"^The metadata of README\.md, between its first two lines"):
        publish(folder, name, unasked)
    assert not hub.requests
    assert not (tmp_path / "ran").exists()


def test_a_card_that_cannot_be_completed_is_refused(hub: LocalHub, folder: Path, name: str) -> None:
    (folder / "README.md").write_bytes(b"\xff\xfe")
    with pytest.raises(lmdemo.CheckpointError, match=r"^README\.md is not UTF-8 text"):
        publish(folder, name, unasked)
    (folder / "README.md").write_bytes(AUTHORS.encode())
    with pytest.raises(lmdemo.CheckpointError, match=r"^README\.md states another license than was given"):
        publish(folder, name, unasked, stated=Stated(license="mit"))
    with pytest.raises(lmdemo.CheckpointError, match=r"^README\.md has a text of its own"):
        publish(folder, name, unasked, stated=Stated(data="Some."))
    assert not hub.requests


def test_metadata_the_hub_does_not_take_makes_no_model(hub: LocalHub, folder: Path, name: str) -> None:
    with pytest.raises(lmdemo.HubError, match=r'does not take the metadata of the model card: .*"license.*must be one'):
        publish(folder, name, unasked, stated=Stated(license="mine"))
    assert name not in hub.repos
