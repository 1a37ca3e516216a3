"""The real app, or a piece of Python, in a process of its own."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

import httpx
import psutil

from lmdemo.errors import LmdemoError

ROOT = Path(__file__).parent.parent.parent
PATIENCE = 600  # seconds the app may take to serve a page, or to write: only what hangs takes so long


@contextmanager
def running_app(
    *,
    under: Sequence[str] = (),
    log: Path | None = None,
    python: str = sys.executable,
    folder: Path = ROOT,
    host: str = "127.0.0.1",
    port: int = 0,
    **environment: str,
) -> Iterator[tuple[psutil.Process, str, float]]:
    """The app in a process of its own: the process, its address, the seconds to the first page.

    Args:
        under: a command that runs the app, which is given to it as further arguments.
        log: what the app writes to its standard error goes there; without it, to ours.
        python: the interpreter it runs on.
        folder: this repository, or a copy of it.
        host: where it is asked for the page; where it listens is for `environment` to say.
        port: that it listens on; 0 is a free one.
        environment: variables on top of those here.

    Raises:
        LmdemoError: no page was served in time.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = port or free.getsockname()[1]
    address = f"http://{host}:{port}"
    settings = plain_environment() | {"GRADIO_SERVER_PORT": str(port)} | environment
    command = [*under, python, "app.py"]
    began = time.perf_counter()
    with (
        log.open("wb") if log else nullcontext() as errors,
        subprocess.Popen(command, cwd=folder, env=settings, stdout=subprocess.DEVNULL, stderr=errors) as process,
    ):
        try:
            _wait_for_page(process, address)
            yield psutil.Process(process.pid), address, time.perf_counter() - began
        finally:
            process.terminate()


def plain_environment() -> dict[str, str]:
    """The variables here, without those that would put another checkpoint behind the page; one thread."""
    asked = ("LMDEMO_MODEL", "SPACE_AUTHOR_NAME")
    return {key: value for key, value in os.environ.items() if key not in asked} | {"OMP_NUM_THREADS": "1"}


def _wait_for_page(process: subprocess.Popen, address: str) -> None:
    deadline = time.monotonic() + PATIENCE
    with httpx.Client() as client:
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise LmdemoError("The app ended before it served a page.")
            try:
                if client.get(address).is_success:
                    return
            except httpx.TransportError:
                time.sleep(0.05)  # seldom enough not to take the processor from what is timed
    raise LmdemoError(f"The app served no page within {PATIENCE} seconds.")
