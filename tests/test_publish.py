"""A checkpoint published with the real client to a Hub on loopback, pulled again, and what it may replace."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import lmdemo
from lmdemo import publish as publishing
from lmdemo.bench import ROOT
from lmdemo.checkpoint import locate
from lmdemo.cli import main
from lmdemo.publish import publish
from local_hub import Fault, LocalHub
from local_repos import READER, TOKEN
from publishing import OURS, unasked, yes
from waiting import LAST_NET

pytestmark = pytest.mark.usefixtures("may_write")


def commits(hub: LocalHub) -> int:
    return sum("/commit/" in request for request in hub.requests)


def written(models: dict, vocabulary: lmdemo.Vocabulary) -> list[tuple]:
    *_, last = lmdemo.generate(models, vocabulary, "the word1", words=20, seed=3)
    return [writing.words for writing in last.writings.values()]


def test_published_pulled_and_generated_it_is_the_same(hub: LocalHub, publishable: Path, name: str) -> None:
    done = publish(publishable, name, unasked)
    repo = hub.repos[name]
    assert len(repo.commits) == 2  # the Hub's own first one, and ours
    assert commits(hub) == 1
    assert repo.commits[-1][1].keys() - {".gitattributes"} == OURS
    before, after = lmdemo.load_checkpoint(publishable), lmdemo.load_checkpoint(name)
    assert (done.url, done.commit) == (f"{hub.url}/{name}", after.revision)
    pairs = [lmdemo.build_variants(one.model, ["fp32", "int8"]) for one in (before, after)]
    for variant in ("fp32", "int8"):
        losses = [lmdemo.evaluate(pair[variant], before.test_ids).loss for pair in pairs]
        assert losses[0] == pytest.approx(losses[1], abs=1e-6)
    assert torch.equal(before.test_ids, after.test_ids)
    assert written(pairs[0], before.vocabulary) == written(pairs[1], after.vocabulary)


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


def test_the_command_publishes_what_another_process_pulls(hub: LocalHub, publishable: Path, name: str) -> None:
    done = run("-m", "lmdemo", "publish", publishable, name)
    assert done.returncode == 0, done.stderr
    sha = hub.repos[name].commits[-1][0]
    lines = done.stdout.splitlines()
    assert "window 25: fp32 loss" in lines[0]
    assert "of the test text’s words are not in the vocabulary" in lines[1]
    assert lines[2:] == [
        f"Published: {hub.url}/{name}",
        f"Commit: {sha}",
        f"On a Space: set the variable LMDEMO_MODEL={name}",
    ]
    here = lmdemo.load_checkpoint(publishable)
    models = lmdemo.build_variants(here.model, ["fp32", "int8"])
    expected = lmdemo.evaluate(models["fp32"], here.test_ids).loss, *written(models, here.vocabulary)
    there = run("-c", READ, name)
    assert there.returncode == 0, there.stderr
    assert there.stdout == " ".join(map(str, expected)) + "\n"


def test_the_command_asks_before_it_replaces(
    hub: LocalHub, publishable: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    name = "someone/lmdemo-lstm"
    sha = hub.put(name, publishable)
    with monkeypatch.context() as no_terminal, Path(os.devnull).open() as nothing:
        no_terminal.setattr(sys, "stdin", nothing)
        assert main(["publish", str(publishable), name]) == (
            f"lmdemo: {name} has a checkpoint already (commit {sha[:7]}); --yes replaces it, and without a terminal"
            " nobody can be asked."
        )
    assert on_a_terminal("n\n", publishable, name).endswith(f"lmdemo: {name} was left as it is.")
    assert hub.repos[name].commits[-1][0] == sha
    said = on_a_terminal("y\n", publishable, name)
    assert f"{name} has a checkpoint already (commit {sha[:7]}). Replace it? [y/N]" in said
    second = hub.repos[name].commits[-1][0]
    assert second != sha
    assert f"On a Space of someone's: set nothing, it looks for {name} by itself" in said
    assert main(["publish", str(publishable), name, "--yes", "--license", "mit"]) == 0
    assert f"Commit: {hub.repos[name].commits[-1][0]}" in capsys.readouterr().out
    assert len(hub.repos[name].commits) == 3


def on_a_terminal(answer: str, publishable: Path, name: str) -> str:
    """What the command says to somebody who types `answer`."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "lmdemo", "publish", str(publishable), name]
    with subprocess.Popen(command, cwd=ROOT, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        os.write(ours, answer.encode())
        said, _ = process.communicate(timeout=LAST_NET)
    os.close(ours)
    os.close(theirs)
    return said.decode().strip()


# --- what is there already ---------------------------------------------------------------------------


def test_nothing_is_replaced_without_a_yes(hub: LocalHub, publishable: Path, name: str) -> None:
    sha = hub.put(name, publishable)
    hub.requests.clear()
    asked: list[str] = []
    with pytest.raises(lmdemo.HubError, match=f"^{name} was left as it is"):
        publish(publishable, name, lambda found: bool(asked.append(found)))
    assert asked == [f"{name} has a checkpoint already (commit {sha[:7]})"]
    assert not any(request.startswith(("POST", "PUT")) for request in hub.requests)


def test_a_model_with_a_card_only_is_asked_for_too(hub: LocalHub, publishable: Path, name: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    hub.put(name, tmp_path / "empty")
    publish(publishable, name, unasked)
    hub.repos[name].commit(dict.fromkeys(OURS - {"README.md"}))
    asked: list[str] = []
    publish(publishable, name, lambda found: asked.append(found) or True)
    assert "has a README.md already" in asked[0]


def test_what_the_folder_has_no_more_goes_from_the_hub(hub: LocalHub, publishable: Path, name: str) -> None:
    hub.put(name, publishable)
    (publishable / "test.txt").unlink()
    publish(publishable, name, yes)
    files = hub.repos[name].commits[-1][1]
    assert "test.txt" not in files  # it was another checkpoint's
    assert "training.pt" in files  # what is not a checkpoint's is not touched
    assert commits(hub) == 1


def test_a_commit_in_between_is_not_overwritten(hub: LocalHub, publishable: Path, name: str) -> None:
    hub.put(name, publishable)
    before = (publishable / "test.txt").read_bytes()
    (publishable / "test.txt").write_text(" the the . \n")
    hub.fault = Fault(overtaken=True)
    with pytest.raises(lmdemo.HubError, match=r"another commit came in between.*\(412\); nothing was committed\.$"):
        publish(publishable, name, yes)
    assert hub.repos[name].commits[-1][1]["test.txt"] == before


def test_private_is_private_and_pulled_with_a_token(
    hub: LocalHub, publishable: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = publish(publishable, name, unasked, private=True)
    assert done.private
    assert hub.repos[name].private
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(lmdemo.HubError, match="or it is private"):
        lmdemo.load_checkpoint(name)
    monkeypatch.setenv("HF_TOKEN", READER)
    assert lmdemo.load_checkpoint(name).revision == done.commit
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert publish(publishable, name, yes, private=True).private


def test_private_does_not_change_a_public_model(hub: LocalHub, publishable: Path, name: str) -> None:
    sha = hub.put(name, publishable)
    with pytest.raises(lmdemo.HubError, match="exists and is public; --private is for a new model"):
        publish(publishable, name, yes, private=True)
    assert hub.repos[name].commits[-1][0] == sha


# --- what is sent is what was checked ----------------------------------------------------------------

LINKS = {"test.txt": "a text", "README.md": "# a card\n", "vocab.txt": "a\n"}


@pytest.mark.parametrize("file", LINKS)
def test_a_link_out_of_the_folder_is_not_followed(
    hub: LocalHub, publishable: Path, name: str, tmp_path: Path, file: str
) -> None:
    (tmp_path / "id_rsa").write_text(LINKS[file])
    (publishable / file).unlink(missing_ok=True)
    (publishable / file).symlink_to(Path("..") / "id_rsa")
    with pytest.raises(lmdemo.CheckpointError, match=f"^{file} of .* is a link that leads out of this folder"):
        publish(publishable, name, unasked)
    assert not hub.requests


def test_a_link_within_the_folder_is_its_file(hub: LocalHub, publishable: Path, name: str) -> None:
    (publishable / "test.txt").rename(publishable / "mine.txt")
    (publishable / "test.txt").symlink_to("mine.txt")
    publish(publishable, name, unasked)
    assert hub.repos[name].commits[-1][1]["test.txt"] == (publishable / "mine.txt").read_bytes()


def test_what_was_pulled_is_published_again_and_only_if_it_is_what_was_pulled(
    hub: LocalHub, publishable: Path, name: str
) -> None:
    hub.put(name, publishable)
    snapshot = locate(name).folder  # links to the blobs of the client's cache
    assert publish(snapshot, f"{name}-again", unasked).commit == hub.repos[f"{name}-again"].commits[-1][0]
    (snapshot / "test.txt").resolve().write_text("another text \n")
    with pytest.raises(
        lmdemo.CheckpointError, match=r"^test\.txt of .* is not the file that the Hub's client put there"
    ):
        publish(snapshot, f"{name}-again", yes)


@pytest.mark.parametrize("moment", ["_check_replacing", "_measure", "_check_card", "_send"])
def test_files_replaced_while_it_publishes_change_nothing(
    hub: LocalHub, publishable: Path, name: str, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    hub.put(name, publishable)
    before = {file: (publishable / file).read_bytes() for file in OURS - {"README.md"}}
    then = getattr(publishing, moment)

    def replaced(*arguments: object, **options: object) -> object:
        for file in before:
            (publishable / file).write_bytes(b"other")
        return then(*arguments, **options)

    monkeypatch.setattr(publishing, moment, replaced)
    publish(publishable, name, yes)
    sent = hub.repos[name].commits[-1][1]
    assert {file: sent[file] for file in before} == before
