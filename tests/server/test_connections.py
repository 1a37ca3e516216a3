"""Connections that ask nothing, and more of them than there are files for; over real sockets, with short limits."""

import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
import uvicorn
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from lmdemo.server import connections
from waiting import LAST_NET, wait_until

MOST = 8
ASK = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("hello")(scope, receive, send)


@contextmanager
def serving(patience: float) -> Iterator[int]:
    """A server with these limits: its port."""
    server = uvicorn.Server(uvicorn.Config(hello, port=0, log_level="error", lifespan="off", timeout_keep_alive=60))
    server.config.load()
    connections.bound(server, MOST, patience)
    listening = socket.create_server(("", 0))
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    yield listening.getsockname()[1]
    server.should_exit = True
    thread.join(LAST_NET)
    listening.close()


@pytest.fixture(scope="module")
def hasty() -> Iterator[int]:
    with serving(0.3) as port:
        yield port


@pytest.fixture
def patient() -> Iterator[int]:
    with serving(LAST_NET) as port:
        yield port


def connect(port: int, own: str = "127.0.0.1") -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=LAST_NET, source_address=(own, 0))


def answers(connection: socket.socket) -> bool:
    """Whether a request is answered, or the connection closed."""
    told = b""
    try:
        connection.sendall(ASK)
        while b"hello" not in told:
            if not (more := connection.recv(1_000)):
                return False
            told += more
    except ConnectionError:
        return False
    return True


def is_closed(connection: socket.socket) -> bool:
    """Waits for it."""
    try:
        return connection.recv(1_000) == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("begun", [b"", b"GET / HTTP/1.1\r\nHost:"])
def test_who_sends_no_whole_head_loses_the_connection(hasty: int, begun: bytes) -> None:
    with connect(hasty) as connection:
        connection.sendall(begun)
        assert is_closed(connection)


def test_so_does_who_begins_a_second_one_and_stops(hasty: int) -> None:
    def is_answered_then_closed() -> bool:
        with connect(hasty) as connection:
            if not answers(connection):
                return False  # a busy machine was so long about the first one
            connection.sendall(b"GET / HT")
            return is_closed(connection)

    wait_until(is_answered_then_closed, "an answer, and then the end of the connection")


def test_one_address_leaves_some_for_the_others(patient: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "lmdemo")
    with ExitStack() as held:
        for _ in range(MOST // 2):
            assert answers(held.enter_context(connect(patient)))
        for _ in range(20):
            assert not answers(held.enter_context(connect(patient)))
        assert answers(held.enter_context(connect(patient, "127.0.0.2")))
    (line,) = caplog.messages
    assert line == "Connections are refused: 4 are open, 4 of one address."
    wait_until(lambda: again(patient), "room again")


def again(port: int) -> bool:
    with connect(port) as connection:
        return answers(connection)


def test_running_out_of_files_is_a_line_a_minute() -> None:
    filtered = connections.OutOfFiles()
    lines = [logging.makeLogRecord({"msg": "socket.accept() out of system resource"}) for _ in range(1_000)]
    assert sum(map(filtered.filter, lines)) == 1
    assert filtered.filter(logging.makeLogRecord({"msg": "something else"}))


def test_the_same_is_said_again_after_a_while() -> None:
    now = 0.0
    due = connections.Seldom(lambda: now)
    assert (due(), due()) == (True, False)
    now = connections.OFTEN
    assert due()
