"""The page served in this process, for tests that look at Gradio's queue while it runs."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import gradio as gr
import httpx
import pytest
from starlette.middleware import Middleware

from little_text import little_text
from lmdemo.server.gradio_queue import RunQueue, queue_of
from lmdemo.server.service import Service
from lmdemo.server.shutdown import Closing, Stop
from lmdemo.ui import build_page, launch_options
from visitor import page_events
from waiting import LAST_NET, wait_until

SHORT = (False, ["int8"], "It was", 2, 1.0, 0, 1, False)  # what Write sends
LONG = (False, ["int8"], "It was", 1_000, 1.0, 0, 1, False)
CALL = ("It was", 1_000, 1.0, 0, 1)  # what a long call of /generate sends


@dataclass(frozen=True)
class Inside:
    """A page that runs here, as `app.py` serves it."""

    service: Service
    page: gr.Blocks
    write: int  # the number of the function that writes
    stop: Stop
    client: httpx.Client = field(repr=False)

    @property
    def queue(self) -> RunQueue:
        """What waits and runs."""
        return queue_of(self.page)

    def join(self, session: str, values: tuple = SHORT, **headers: str) -> httpx.Response:
        body = {"session_hash": session, "fn_index": self.write, "data": list(values)}
        return self.client.post("/gradio_api/queue/join", json=body, headers=headers)

    def begin_to_read(self, path: str) -> str:
        """What a stream of results begins with; whoever read it goes."""
        with self.client.stream("GET", path) as answer:
            return next(answer.iter_text())

    def wait_until_idle(self) -> None:
        """Until nothing waits or runs."""
        wait_until(lambda: not self.queue.places(), "an empty queue")

    def call(self, values: tuple = CALL) -> str:
        """Begin a call of /generate: its name."""
        answer = self.client.post("/gradio_api/call/generate", json={"data": list(values)})
        return answer.raise_for_status().json()["event_id"]


@contextmanager
def served_inside(**environment: str) -> Iterator[Inside]:
    """The page, built with these variables, until the end of the block."""
    with little_text():
        service, stop = Service(), Stop()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_ANALYTICS_CACHE_FREQUENCY", "1000000000")  # as app.py does
        for name, value in environment.items():
            patch.setenv(name, value)
        page = build_page(service)
        options = launch_options(service)
    given = options["app_kwargs"]
    options["app_kwargs"] = given | {"middleware": [Middleware(Closing, stop), *given["middleware"]]}
    page.launch(prevent_thread_lock=True, quiet=True, **options)
    service.start()
    service.lab.evaluation.result(timeout=LAST_NET)
    # of an address that uvicorn takes for nobody's proxy
    transport = httpx.HTTPTransport(local_address="127.0.1.1", limits=httpx.Limits(keepalive_expiry=2))
    with httpx.Client(base_url=page.local_url, transport=transport, timeout=LAST_NET) as client:
        write = page_events(client.get("/config").json()).run["page/generate"]
        yield Inside(service, page, write, stop, client)
    page.close()
    gc.collect()  # while these tests still say what may be left unclosed
