"""The app that is put under load: one of our own, or one that already runs on this machine."""

import ipaddress
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil

from lmdemo.bench.app import running_app
from lmdemo.errors import LmdemoError
from lmdemo.load.visitor import Events, page_events


@dataclass(frozen=True)
class App:
    """A running app, as far as it can be seen from outside."""

    address: str
    events: Events
    process: psutil.Process | None  # None where the system does not say which it is
    log: Path | None  # of our own only

    def memory(self) -> int | None:
        """Bytes resident."""
        return self.process.memory_info().rss if self.process else None

    def threads(self) -> int | None:
        """Threads of the process."""
        return self.process.num_threads() if self.process else None


@contextmanager
def app_under_load(url: str | None, **environment: str) -> Iterator[App]:
    """The app at `url`, or one of our own.

    Raises:
        LmdemoError: the address is not on this machine, or no page of ours is there.
    """
    if url is not None:
        address = loopback(url)
        yield App(address, page_events(_config(address)), _process_at(urlsplit(address).port or 80), None)
        return
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log")
        with running_app(log=log, **environment) as (process, address, _):
            yield App(address, page_events(_config(address)), process, log)


def loopback(url: str) -> str:
    """`url` without its path, if it is on this machine.

    Raises:
        LmdemoError: it is not.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        local = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = False
    if not local or parts.scheme != "http":
        raise LmdemoError("Load is put on this machine only: the address must be as in http://127.0.0.1:7860.")
    name = f"[{host}]" if ":" in host else host
    return f"http://{name}:{port or 80}"


def _config(address: str) -> Mapping:
    try:
        config = httpx.get(f"{address}/config", timeout=30, trust_env=False).raise_for_status().json()
        page_events(config)
    except (httpx.HTTPError, ValueError, KeyError) as error:
        raise LmdemoError(f"There is no page of ours at {address}.") from error
    return config


def _process_at(port: int) -> psutil.Process | None:
    """Whoever listens on a port here, if we may know."""
    try:
        found = (
            connection.pid
            for connection in psutil.net_connections("tcp")
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid
        )
        pid = next(found, None)
    except psutil.AccessDenied:
        return None
    return psutil.Process(pid) if pid else None
