"""The server's connections: who sends no request loses theirs, and there are never more than files that may be open.

uvicorn waits for a request for ever, and asyncio logs each connection that it has no file left for. Here uvicorn's
protocol is given a limit of time and number; nothing else of it is changed.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import uvicorn

from lmdemo.server.headers import address_of

try:
    import resource
except ImportError:  # Windows, which counts no files
    resource = None

log = logging.getLogger(__name__)

HEAD_PATIENCE = 15.0  # seconds that the head of a request may take to arrive
FILES = 4_096  # that this process asks to have open at once, where it may
SHARE = 0.75  # of them for connections; the rest is for what is read, and for Gradio's own
OFTEN = 60.0  # seconds between two lines that say the same


@dataclass
class Seldom:
    """Says the same thing once in `OFTEN` seconds."""

    clock: Callable[[], float] = time.monotonic
    _last: float = field(default=float("-inf"), init=False)

    def __call__(self) -> bool:
        """Whether it is time to say it again, which then counts as said."""
        now = self.clock()
        due = now - self._last >= OFTEN
        if due:
            self._last = now
        return due


class OutOfFiles(logging.Filter):
    """Lets through one of asyncio's lines a minute about connections that there was no file for."""

    def __init__(self) -> None:
        super().__init__()
        self._due = Seldom()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a line is logged."""
        return "accept() out of system resource" not in record.getMessage() or self._due()


def bound(server: uvicorn.Server, most: int | None = None, patience: float = HEAD_PATIENCE) -> None:
    """Bound the connections that `server` takes from now on: `most` in all, half of what is left from one address."""
    config = server.config
    config.http_protocol_class = _bounded(config.http_protocol_class, most or _most(), patience)
    logging.getLogger("asyncio").addFilter(OutOfFiles())


def _most() -> int:
    """How many fit below the limit of open files, which is raised as far as it may be."""
    if resource is None:
        return int(FILES * SHARE)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(hard, FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    return int((FILES if soft == resource.RLIM_INFINITY else min(soft, FILES)) * SHARE)


def _bounded(protocol: type, most: int, patience: float) -> type:
    """uvicorn's `protocol`, whichever it chose, with these limits."""
    due = Seldom()

    class Bounded(protocol):
        refused = False
        awaiting: asyncio.TimerHandle | None = None  # the head of a request

        def connection_made(self, transport: asyncio.Transport) -> None:
            host = _address(transport.get_extra_info("peername"))
            own = sum(_address(other.client) == host for other in self.connections)
            if own >= most - len(self.connections):
                self.refused = True
                transport.abort()
                if due():
                    log.warning("Connections are refused: %d are open, %d of one address.", len(self.connections), own)
                return
            super().connection_made(transport)
            self._await_head()

        def data_received(self, data: bytes) -> None:
            if self.refused:
                return
            super().data_received(data)
            if self.cycle is None or self.cycle.response_complete:
                self._await_head()
            else:
                self._stop_waiting()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_waiting()
            if not self.refused:
                super().connection_lost(exc)

        def _await_head(self) -> None:
            if self.awaiting is None:
                self.awaiting = self.loop.call_later(patience, self.transport.abort)

        def _stop_waiting(self) -> None:
            if self.awaiting is not None:
                self.awaiting.cancel()
                self.awaiting = None

    return Bounded


def _address(peer: tuple | None) -> str:
    return address_of({"client": peer})
