"""Checkpoints pulled with the real client from a Hub on loopback."""

import shutil
from pathlib import Path

import pytest
import torch
from filelock import FileLock
from huggingface_hub import HfApi
from huggingface_hub.constants import ENDPOINT, HF_HUB_CACHE

import lmdemo
from lmdemo import checkpoint
from lmdemo.hub import hub_error
from lmdemo.hub_name import HubName
from local_hub import Fault, LocalHub, as_patient_as
from local_repos import READER, TOKEN


@pytest.fixture
def folder(tmp_path: Path, tiny: lmdemo.LSTMModel, words: lmdemo.Vocabulary) -> Path:
    """A checkpoint with the files of a repository that are none of its own."""
    lmdemo.save_checkpoint(tmp_path / "model", tiny, words)
    (tmp_path / "model" / "test.txt").write_text(" the word1 . \n")
    (tmp_path / "model" / "README.md").write_text("# card\n")
    (tmp_path / "model" / "setup.py").write_text("raise SystemExit\n")
    (tmp_path / "model" / "pytorch_model.bin").write_bytes(b"\x80\x04")
    return tmp_path / "model"


def files_of(hub: LocalHub) -> set[str]:
    """What was fetched; the large file, which has another address, is the weights."""
    gets = [request for request in hub.requests if request.startswith("GET")]
    small = {request.rsplit("/", 1)[1] for request in gets if "/resolve/" in request}
    return small | ({"model.safetensors"} if any("/large/" in request for request in gets) else set())


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("a/b", HubName("a/b")),
        ("a/b@main", HubName("a/b", "main")),
        ("A_b/c-d.e@refs/pr/1", HubName("A_b/c-d.e", "refs/pr/1")),
        ("a/b@v1.0+cpu", HubName("a/b", "v1.0+cpu")),
        (" a/b/ ", HubName("a/b")),
        ("a/b@main/\n", HubName("a/b", "main")),
        ("a/b/tree/main", HubName("a/b", "main")),
        ("hf.co/b", HubName("hf.co/b")),
        *(
            (f"{start}a/b{rest}", HubName("a/b", revision))
            for start in ("https://huggingface.co/", "http://hf.co/", "huggingface.co/", f"{ENDPOINT}/")
            for rest, revision in (
                ("", None),
                ("/", None),
                ("?library=x#readme", None),
                ("/tree/v1.0", "v1.0"),
                ("/tree/refs%2Fpr%2F1", "refs/pr/1"),
                ("/commit/" + "0" * 40, "0" * 40),
                ("/blob/main/config.json", "main"),
                ("/resolve/main/model.safetensors?download=true", "main"),
            )
        ),
        *(
            (odd, None)
            for odd in (
                *("a", "a b/c", "a/b/c", "./a", "../x", "/etc/passwd", "a/b@", "a/b.git", "a/b?c", "é/b", "", " / "),
                *("a/b@../x", "a/b@x/../../y", "a/b@x y", "a/b@-x", "a/b@x.", "a/b@x@{1}", "a/b\0", "a" * 5_000),
                *("a/b/tree/main/folder", "a/b/tree", "a/b/settings", "https://huggingface.co", "https://[a/b"),
                *("https://huggingface.co/a/b/blob/main/folder/config.json", "https://example.org/a/b"),
            )
        ),
    ],
    ids=lambda value: ascii(value).replace(ENDPOINT, "ENDPOINT")[:60],  # each worker has a Hub at a port of its own
)
def test_what_is_a_name_on_the_hub(text: str, name: HubName | None) -> None:
    assert HubName.parse(text) == name


@pytest.mark.parametrize(("kind", "what"), [("spaces", "a Space"), ("datasets", "a data set")])
def test_the_address_of_no_model_is_told(kind: str, what: str) -> None:
    for text in (f"https://huggingface.co/{kind}/a/b", f"{ENDPOINT}/{kind}/a/b/tree/main"):
        with pytest.raises(
            lmdemo.HubError, match=f"^That is the address of {what}; a checkpoint is a model on the Hub"
        ):
            HubName.parse(text)


def test_a_model_is_pulled_with_its_commit_and_only_its_own_files(
    hub: LocalHub, folder: Path, name: str, tiny: lmdemo.LSTMModel
) -> None:
    sha = hub.put(name, folder)
    loaded = lmdemo.load_checkpoint(name)
    assert (loaded.source, loaded.revision) == (name, sha)
    assert loaded.test_name == "the checkpoint's test.txt"
    assert all(torch.equal(tensor, tiny.state_dict()[key]) for key, tensor in loaded.model.state_dict().items())
    assert files_of(hub) == {"config.json", "model.safetensors", "vocab.txt", "test.txt"}


def test_a_revision_is_that_revision(hub: LocalHub, folder: Path, name: str) -> None:
    first = hub.put(name, folder)
    (folder / "test.txt").write_text(" the the the . \n")
    second = hub.put(name, folder)
    assert lmdemo.load_checkpoint(name).revision == second
    old = lmdemo.load_checkpoint(f"{name}@{first}")
    assert old.revision == first
    assert len(old.test_ids) == 4
    with pytest.raises(lmdemo.HubError, match=r"the Hub has no such revision of it\.$"):
        lmdemo.load_checkpoint(f"{name}@v9")


def test_progress_counts_every_byte(hub: LocalHub, folder: Path, name: str) -> None:
    hub.put(name, folder)
    seen: list[tuple[int, int]] = []
    checkpoint.locate(name, lambda here, total: seen.append((here, total)))
    pulled = (*checkpoint.REQUIRED, *checkpoint.OPTIONAL)
    total = sum((folder / file).stat().st_size for file in pulled)
    assert seen == sorted(seen)
    assert seen[-1] == (total, total)


def test_a_folder_of_that_name_comes_first(
    hub: LocalHub, folder: Path, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(folder, tmp_path / name)
    assert lmdemo.load_checkpoint(name).revision is None
    assert not hub.requests


def test_a_private_model_needs_a_token(hub: LocalHub, folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sha = hub.put(name, folder, private=True)
    with pytest.raises(lmdemo.HubError, match="no such model, or it is private and HF_TOKEN"):
        lmdemo.load_checkpoint(name)
    monkeypatch.setenv("HF_TOKEN", "hf_forged")
    with pytest.raises(lmdemo.HubError, match=r"does not accept the token in HF_TOKEN \(401\)"):
        lmdemo.load_checkpoint(name)
    monkeypatch.setenv("HF_TOKEN", READER)
    assert lmdemo.load_checkpoint(name).revision == sha


FAULTS: dict[str, tuple[Fault, str]] = {
    "401": (Fault(info=401, code="RepoNotFound"), "the Hub has no such model, or it is private"),
    "403 gated": (Fault(info=403, code="GatedRepo"), "to approved accounts only"),
    "404": (Fault(info=404, code="RepoNotFound"), "the Hub has no such model"),
    "429": (Fault(info=429), r"takes no more requests from here for now \(429\)"),
    "500": (Fault(info=500), r"the Hub answered with an error \(500\)"),
    "hangs": (Fault(hang="info"), "the Hub did not answer in time"),
    "half a file": (Fault(half=True), "the Hub broke the connection off"),
    "hangs in a file": (Fault(hang="file"), "the Hub did not answer in time"),
    "wrong bytes": (Fault(wrong=True), "model.safetensors is not the file that the Hub states for commit"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_one_sentence_and_leaves_nothing_wrong_behind(
    hub: LocalHub, folder: Path, name: str, fault: str
) -> None:
    sha = hub.put(name, folder)
    hub.fault, sentence = FAULTS[fault]
    told = pytest.raises(lmdemo.HubError, match=f"^Could not pull {name}: .*{sentence}")
    with as_patient_as(hub.fault), told as caught:
        lmdemo.load_checkpoint(name)
    assert str(caught.value).endswith(".")
    hub.calm()
    assert lmdemo.load_checkpoint(name).revision == sha


@pytest.mark.parametrize("fault", ["429", "500", "hangs"])
def test_a_warm_cache_serves_while_the_hub_is_out_of_order(hub: LocalHub, folder: Path, name: str, fault: str) -> None:
    sha = hub.put(name, folder)
    assert lmdemo.load_checkpoint(name).revision == sha
    hub.fault, sentence = FAULTS[fault]
    with as_patient_as(hub.fault):
        located = checkpoint.locate(name)
        assert lmdemo.load_checkpoint(f"{name}@{sha}").revision == sha
    assert located.revision == sha
    assert sentence.split(" (")[0].replace("\\", "") in located.problem


def test_what_the_hub_has_withdrawn_is_not_served_from_the_cache(hub: LocalHub, folder: Path, name: str) -> None:
    hub.put(name, folder)
    lmdemo.load_checkpoint(name)
    del hub.repos[name]
    with pytest.raises(lmdemo.HubError, match="no such model"):
        lmdemo.load_checkpoint(name)


def test_a_warm_cache_is_neither_fetched_nor_believed_again(hub: LocalHub, folder: Path, name: str) -> None:
    hub.put(name, folder)
    located = checkpoint.locate(name)
    hub.requests.clear()
    checkpoint.locate(name)
    assert not files_of(hub)
    weights = located.folder / "model.safetensors"
    weights.resolve().write_bytes(bytes(weights.stat().st_size))
    hub.fault = Fault(info=500)
    with pytest.raises(lmdemo.HubError, match=r"\(500\)"):  # damaged here, and nothing to mend it from
        lmdemo.load_checkpoint(name)
    hub.calm()
    assert lmdemo.load_checkpoint(name).revision == located.revision
    assert files_of(hub) == {"model.safetensors"}


def test_a_model_of_another_kind_is_named_before_anything_is_fetched(hub: LocalHub, folder: Path, name: str) -> None:
    (folder / "vocab.txt").unlink()
    hub.put(name, folder)
    with pytest.raises(lmdemo.HubError, match=r"on the Hub has no vocab.txt; a checkpoint needs config.json"):
        lmdemo.load_checkpoint(name)
    assert not files_of(hub)


def test_a_model_of_absurd_size_is_not_fetched(
    hub: LocalHub, folder: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.put(name, folder)
    monkeypatch.setattr(checkpoint, "MAX_FILE_BYTES", 1000)
    with pytest.raises(lmdemo.HubError, match=r"is over 0 GB; that is not pulled"):
        lmdemo.load_checkpoint(name)
    assert not files_of(hub)


class _Runs:
    def __reduce__(self) -> tuple:
        return (Path("ran").write_text, ("x",))


def test_a_pickle_offered_as_weights_does_not_run(
    hub: LocalHub, folder: Path, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"encoder.weight": _Runs()}, folder / "model.safetensors")
    hub.put(name, folder)
    with pytest.raises(lmdemo.CheckpointError, match="truncated or not a safetensors file"):
        lmdemo.load_checkpoint(name)
    assert not (tmp_path / "ran").exists()


def test_a_pickle_beside_the_weights_is_neither_fetched_nor_run(
    hub: LocalHub, folder: Path, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"encoder.weight": _Runs()}, folder / "pytorch_model.bin")
    sha = hub.put(name, folder)
    located = checkpoint.locate(name)
    assert lmdemo.load_checkpoint(name).revision == sha
    assert not (located.folder / "pytorch_model.bin").exists()
    assert not any("pytorch_model.bin" in request for request in hub.requests)
    hub.repos[name].commit({"model.safetensors": None})  # nor in the place of weights that are missing
    with pytest.raises(lmdemo.HubError, match=r"has no model\.safetensors"):
        lmdemo.load_checkpoint(name)
    assert not (tmp_path / "ran").exists()


def test_a_full_disk_is_named() -> None:
    with pytest.raises(OSError, match="No space left") as full, open("/dev/full", "wb", buffering=0) as disk:
        disk.write(b"x")
    assert str(hub_error("Could not pull a/b", full.value)) == (
        "Could not pull a/b: it could not be written to the cache (No space left on device)."
    )


def test_the_chunk_storages_own_errors_have_a_sentence() -> None:
    error = ConnectionError("Network error: Request error: HTTP status client error (404 Not Found)")
    assert str(hub_error("Could not pull a/b", error)) == (
        "Could not pull a/b: the connection to the Hub's storage failed."
    )


def test_offline_is_said(hub: LocalHub, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(lmdemo.HubError, match="HF_HUB_OFFLINE is set, and it is not in the cache"):
        lmdemo.load_checkpoint(name)
    assert not hub.requests


def test_what_the_client_uploads_is_pulled_again_with_the_same_loss(hub: LocalHub, folder: Path, name: str) -> None:
    client = HfApi(token=TOKEN)
    client.create_repo(name)
    sha = client.upload_folder(repo_id=name, folder_path=folder).oid
    before, after = lmdemo.load_checkpoint(folder), lmdemo.load_checkpoint(name)
    assert after.revision == sha == hub.repos[name].commits[-1][0]
    losses = [lmdemo.evaluate(one.model, one.test_ids, window=2).loss for one in (before, after)]
    assert losses[0] == pytest.approx(losses[1], abs=1e-6)


def test_a_lock_that_another_process_does_not_give_back_is_told(
    hub: LocalHub, name: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.put(name, folder)
    monkeypatch.setattr("lmdemo.hub.LOCK_PATIENCE", 0.5)
    files = HfApi().model_info(name, files_metadata=True).siblings
    (stated,) = (file for file in files if file.rfilename == "vocab.txt")
    lock = Path(HF_HUB_CACHE, ".locks", f"models--{name.replace('/', '--')}", f"{stated.blob_id}.lock")
    lock.parent.mkdir(parents=True)
    with FileLock(lock), pytest.raises(lmdemo.HubError, match="another process on this machine has held the lock on a"):
        lmdemo.load_checkpoint(name)
    assert lmdemo.load_checkpoint(name).source == name
