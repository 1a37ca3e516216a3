"""Where the app listens: at the port and the address that were asked for, or not at all, with one sentence."""

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import lmdemo
from lmdemo.bench import ROOT
from lmdemo.bench.app import plain_environment
from lmdemo.inputs import certificates
from lmdemo.server.listening import NAME, PORT, listening, taken
from patient import get
from short import running_shortly
from waiting import LAST_NET

IPV6 = ("::1", "::", "[::1]", "[::]")


@pytest.fixture
def busy() -> Iterator[int]:
    """A port at which something listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def free() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def start(**settings: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "app.py"],
        cwd=ROOT,
        env=plain_environment() | settings,
        capture_output=True,
        text=True,
        timeout=LAST_NET,
        check=False,
    )


def test_what_is_asked_for_goes_to_launch_and_gradio_reads_none_of_it() -> None:
    port = free()
    environment = {NAME: "localhost", PORT: str(port), "OTHER": "1"}
    assert listening(environment) == {"server_name": "localhost", "server_port": port}
    assert environment == {"OTHER": "1"}


@pytest.mark.parametrize("empty", [{}, {NAME: "", PORT: " "}])
def test_nothing_asked_for_leaves_the_port_to_gradio(empty: dict[str, str]) -> None:
    assert listening(empty) == {"server_name": None, "server_port": None}


@pytest.mark.parametrize("name", IPV6)
def test_ipv6_is_named_as_in_an_address(name: str) -> None:
    assert listening({NAME: name})["server_name"] in ("[::1]", "[::]")


@pytest.mark.parametrize("text", ["0", "99999", "-1", "7860.0", "http", "9" * 5000])
def test_what_is_no_port_is_refused(text: str) -> None:
    with pytest.raises(lmdemo.LmdemoError, match=r"^GRADIO_SERVER_PORT must be a whole number from 1 to 65,535\.$"):
        listening({PORT: text})


@pytest.mark.parametrize("name", ["192.0.2.1", "no such host", "x" * 300, "fe80::1%lo", "2001:db8::1"])
def test_what_is_no_address_here_is_refused(name: str) -> None:
    with pytest.raises(lmdemo.LmdemoError, match=r"^GRADIO_SERVER_NAME must be an address or a name of this machine"):
        listening({NAME: name})


@pytest.mark.parametrize("name", ["", "0.0.0.0", "::1"])
def test_a_port_that_is_taken_is_refused(busy: int, name: str) -> None:
    with pytest.raises(lmdemo.LmdemoError, match=rf"^GRADIO_SERVER_PORT: port {busy} is taken on this machine"):
        listening({NAME: name, PORT: str(busy)})


def test_what_cannot_be_used_stops_the_start_with_one_sentence_before_gradio_reads_it(busy: int) -> None:
    for settings, sentence in (
        ({PORT: str(busy)}, str(taken(busy))),
        ({PORT: "http"}, "GRADIO_SERVER_PORT must be a whole number from 1 to 65,535."),
        ({"SSL_CERT_FILE": "/no/such.pem"}, "SSL_CERT_FILE must name a file of certificates in PEM format."),
    ):
        refused = start(**settings)
        assert refused.returncode == 1
        assert refused.stderr == f"lmdemo cannot start: {sentence}\n"


def test_what_holds_no_certificates_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").touch()
    for path in (tmp_path / "missing.pem", tmp_path / "empty.pem", tmp_path):
        with pytest.raises(lmdemo.InputError, match=r"^SSL_CERT_FILE must name"):
            certificates({"SSL_CERT_FILE": str(path)})
    certificates({"SSL_CERT_FILE": ""})


def test_an_ipv6_address_and_a_path_before_every_address_are_served() -> None:
    with running_shortly(host="[::1]", GRADIO_SERVER_NAME="::", GRADIO_ROOT_PATH="/demo/lm") as (_, address, _):
        page = get(address).text
        assert get(f"{address}/config").json()["title"]
    assert re.search(r'"root":"[^"]*/demo/lm"', page)
