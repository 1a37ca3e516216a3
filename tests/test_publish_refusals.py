"""What can be in the way of publishing is one sentence, and nothing is left half done."""

import time
from pathlib import Path
from types import SimpleNamespace

import pytest

import lmdemo
from lmdemo import publish as publishing
from lmdemo.publish import publish
from local_hub import Fault, LocalHub, as_patient_as
from local_repos import READER
from publishing import unasked, yes

pytestmark = pytest.mark.usefixtures("may_write")


@pytest.mark.parametrize("odd", ["model", "a/b/c", "a b/c", "a/b@v1", "https://huggingface.co/spaces/a/b", "../x", ""])
def test_a_name_that_is_none_is_refused(hub: LocalHub, publishable: Path, odd: str) -> None:
    with pytest.raises(lmdemo.HubError, match="owner/name"):
        publish(publishable, odd, unasked)
    assert not hub.requests


def test_a_folder_that_is_no_checkpoint_is_refused_before_the_hub_is_asked(
    hub: LocalHub, publishable: Path, name: str
) -> None:
    with pytest.raises(lmdemo.CheckpointError, match=r"^No folder .*/nowhere to publish"):
        publish(publishable / "nowhere", name, unasked)
    (publishable / "model.safetensors").write_bytes(b"\x80\x04")
    with pytest.raises(lmdemo.CheckpointError, match="truncated or not a safetensors file"):
        publish(publishable, name, unasked)
    assert not hub.requests


def test_a_folder_that_could_not_be_pulled_again_is_refused(
    hub: LocalHub, publishable: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "MAX_FILE_BYTES", 1000)
    with pytest.raises(lmdemo.CheckpointError, match="that could not be pulled again"):
        publish(publishable, name, unasked)
    assert not hub.requests


def test_tokens(hub: LocalHub, publishable: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(lmdemo.HubError, match=r"needs a token that may write: put it in HF_TOKEN, or run `hf auth"):
        publish(publishable, name, unasked)
    assert not hub.requests
    monkeypatch.setenv("HF_TOKEN", "hf_forged")
    with pytest.raises(lmdemo.HubError, match=r"does not accept the token.*\(401\)"):
        publish(publishable, name, unasked)
    monkeypatch.setenv("HF_TOKEN", READER)
    with pytest.raises(lmdemo.HubError, match=r"may not write there: .*\(403\); nothing was committed\.$"):
        publish(publishable, name, unasked)
    assert name not in hub.repos
    sha = hub.put(name, publishable)
    with pytest.raises(lmdemo.HubError, match=r"may not write there: .*\(403\); nothing was committed\.$"):
        publish(publishable, name, yes)
    assert hub.repos[name].commits[-1][0] == sha


def test_a_hub_out_of_reach_is_known_within_seconds(
    hub: LocalHub, publishable: Path, name: str, slept: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(lmdemo.HubError, match="HF_HUB_OFFLINE is set"):
        publish(publishable, name, unasked)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:1")
    with pytest.raises(lmdemo.HubError, match=r"^Could not publish .*: the Hub could not be reached\.$"):
        publish(publishable, name, unasked)
    assert sum(slept) < 5
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
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that the client would sleep between its attempts; here it goes on at once."""
    seconds = []
    monkeypatch.setattr("huggingface_hub.utils._http.time", SimpleNamespace(**vars(time) | {"sleep": seconds.append}))
    return seconds


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_a_sentence_and_nothing_is_committed(
    hub: LocalHub, publishable: Path, name: str, slept: list[float], fault: str
) -> None:
    hub.fault, sentence = FAULTS[fault]
    told = pytest.raises(lmdemo.HubError, match=f"^Could not publish {name}: .*{sentence}")
    with as_patient_as(hub.fault), told:
        publish(publishable, name, unasked)
    assert sum(slept) < 30
    made = hub.repos.get(name)
    assert made is None or [files.keys() for _, files in made.commits] == [{".gitattributes"}]
    hub.calm()
    assert publish(publishable, name, unasked).commit == hub.repos[name].commits[-1][0]


@pytest.mark.usefixtures("slept")
def test_a_commit_whose_answer_is_lost_is_told_as_it_is(hub: LocalHub, publishable: Path, name: str) -> None:
    hub.fault = Fault(step="commit", deaf=True)
    told = pytest.raises(lmdemo.HubError, match="did not answer in time; yet the model now stands at commit")
    with as_patient_as(hub.fault), told as caught:
        publish(publishable, name, unasked)
    assert hub.repos[name].commits[-1][0][:7] in str(caught.value)
