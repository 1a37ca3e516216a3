"""Which checkpoint is in service while one is pulled, and what is said about it."""

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

import lmdemo
from little_text import little_text
from lmdemo.checkpoint import Located
from lmdemo.generation import GenerationSettings
from lmdemo.lab import Lab
from lmdemo.server import service as service_module
from lmdemo.server.service import Phase, Request, Service, request_from
from lmdemo.ui import pulls
from local_hub import Fault, LocalHub, Repo
from waiting import LAST_NET, wait_until

NAME = "someone/service"


@pytest.fixture
def sha(hub: LocalHub, tmp_path: Path, tiny: lmdemo.LSTMModel, words: lmdemo.Vocabulary) -> str:
    lmdemo.save_checkpoint(tmp_path, tiny, words)
    (tmp_path / "test.txt").write_text(" the word1 word2 . \n" * 60)
    return hub.put(NAME, tmp_path)


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of the bundled checkpoint the one that `sha` saved, which is measured in no time."""
    checkpoint = replace(lmdemo.load_checkpoint(tmp_path), source="bundled")
    monkeypatch.setattr(service_module, "load_checkpoint", lambda _: checkpoint)


@pytest.fixture
def serve() -> Iterator[Callable[[str], Service]]:
    """Start a service; at the end wait for what it computes in the background, which must not outlive the tests."""
    labs: list[Lab] = []

    def start(name: str, guessed: bool = False) -> Service:
        service = Service(Request(name, guessed=guessed))
        labs.append(service.lab)
        service.start()
        return service

    yield start
    for lab in labs:
        assert lab.evaluation.result(timeout=LAST_NET) is not None


def settled(service: Service) -> Phase:
    """The phase in which a pull ends."""
    wait_until(lambda: not service.state[1].under_way, "the end of a pull")
    return service.state[1].phase


def test_what_the_environment_asks_for() -> None:
    assert request_from({}) == Request()
    assert request_from({"SPACE_AUTHOR_NAME": "ada"}) == Request("ada/lmdemo-lstm", guessed=True)
    assert request_from({"SPACE_AUTHOR_NAME": "ada", "LMDEMO_MODEL": "a/b@v1"}) == Request("a/b@v1")


def test_a_run_ends_on_the_model_it_began_with_and_new_ones_get_the_pulled(
    hub: LocalHub, sha: str, serve: Callable[[str], Service]
) -> None:
    hub.fault = Fault(hang="info")
    with little_text(300):
        service = serve(NAME)
    assert service.lab.checkpoint.source == "bundled"
    assert service.state[1].phase is Phase.PULLING
    before = service.lab.checkpoint.vocabulary.words
    run = service.lab.generate(GenerationSettings("It was", words=200))
    first = next(run)
    hub.release()
    assert settled(service) is Phase.SERVING
    assert (service.lab.checkpoint.source, service.lab.checkpoint.revision) == (NAME, sha)
    assert service.lab.evaluation.result(timeout=0) is not None  # computed before anyone is switched to it
    *_, last = run
    assert last.final
    assert first.writings.keys() == last.writings.keys()
    assert all(len(writing.words) == 200 and set(writing.words) <= set(before) for writing in last.writings.values())
    assert not set(last.writings["fp32"].words) <= set(service.lab.checkpoint.vocabulary.words)
    *_, new = service.lab.generate(GenerationSettings("It was", words=5))
    assert set(new.writings["fp32"].words) <= set(service.lab.checkpoint.vocabulary.words)


@pytest.mark.parametrize(
    ("fault", "damage", "sentence"),
    [
        (Fault(info=500), {}, "Could not pull {}: the Hub answered with an error (500)."),
        (
            Fault(wrong=True),
            {},
            "Could not pull {}: model.safetensors is not the file that the Hub states for commit {:.7};"
            " its checksum differs.",
        ),
        (
            Fault(),
            {"config.json": b'{"architectures": ["GPT2LMHeadModel"], "n_embd": 768}'},
            "{} is not fit: config.json must be an object with ntoken, ninp, nhid, nlayers, dropout.",
        ),
        (
            Fault(),
            {"model.safetensors": b"\x80\x02}q\x00." * 1000},
            "{} is not fit: model.safetensors is truncated or not a safetensors file.",
        ),
    ],
    ids=["500", "wrong bytes", "another kind", "a pickle"],
)
@pytest.mark.usefixtures("sha", "small")
def test_a_pull_that_fails_leaves_the_bundled_in_service(
    hub: LocalHub,
    name: str,
    serve: Callable[[str], Service],
    fault: Fault,
    damage: Mapping[str, bytes],
    sentence: str,
) -> None:
    hub.repos[name] = Repo()
    sha = hub.repos[name].commit({**hub.repos[NAME].commits[-1][1], **damage})
    hub.fault = fault
    service = serve(name)
    assert settled(service) is Phase.REFUSED
    assert service.state[1].problem == sentence.format(name, sha)
    assert service.lab.checkpoint.source == "bundled"


@pytest.mark.usefixtures("sha", "small")
def test_a_model_is_read_while_another_computation_has_the_turn(
    hub: LocalHub, sha: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = threading.Event()
    load = service_module.load

    def then_told(located: Located) -> lmdemo.Checkpoint:
        checkpoint = load(located)
        read.set()
        return checkpoint

    monkeypatch.setattr(service_module, "load", then_told)
    hub.repos["someone/read"] = hub.repos[NAME]
    service = Service(Request(f"someone/read@{sha}"))
    bundled = service.lab
    with service._turns.turn:
        service.start()
        assert read.wait(LAST_NET)
    assert settled(service) is Phase.SERVING
    assert bundled.evaluation.result(timeout=LAST_NET) is not None


@pytest.mark.usefixtures("sha", "small")
@pytest.mark.parametrize("damaged", [False, True], ids=["missing", "damaged"])
def test_a_guess_that_fails_is_a_line_in_the_log_and_nothing_on_the_page(
    hub: LocalHub, serve: Callable[[str, bool], Service], damaged: bool, caplog: pytest.LogCaptureFixture
) -> None:
    name = f"{NAME}-guess-{damaged}"
    if damaged:
        hub.repos[name] = hub.repos[NAME]
        hub.fault = Fault(wrong=True)
    service = serve(name, True)
    assert pulls.line(service.state[1]) == ""
    assert settled(service) is Phase.REFUSED
    assert pulls.line(service.state[1]) == ""
    assert service.lab.checkpoint.source == "bundled"
    (line,) = (record.getMessage() for record in caplog.records if record.name.startswith("lmdemo"))
    assert name in line


def test_what_is_neither_a_folder_nor_a_name_is_refused_at_once() -> None:
    with pytest.raises(lmdemo.CheckpointError, match="neither a folder"):
        Service(Request("no/such/folder"))
