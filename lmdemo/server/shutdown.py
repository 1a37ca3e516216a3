"""The page served until SIGTERM or Ctrl-C, and an end that does not cut a run off in the middle of a word.

From the signal on no new run begins, those that wait for their turn end in a sentence, and the one under way has a
few seconds to finish; what does not finish ends so too, and keeps what it has shown. Without this SIGTERM ends the
process at once, and whoever waits for a result gets a broken connection. A second signal still does that.
"""

import asyncio
import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import FrameType

import gradio as gr
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from lmdemo.server import connections, gradio_queue
from lmdemo.server.listening import taken
from lmdemo.server.refusal import Refusal

SIGNALS = (signal.SIGTERM, signal.SIGINT)
PATIENCE = 3.0  # seconds that a run under way has to finish: the whole end takes less than five

REFUSED = "The app is being stopped and takes no new runs; try again in a minute."


@dataclass
class Stop:
    """Whether the app was asked to stop, and the event loop that serves it, known from the first request on."""

    asked: threading.Event = field(default_factory=threading.Event)
    loop: asyncio.AbstractEventLoop | None = None


def serve(page: gr.Blocks, launch: Mapping[str, object], begin: Callable[[], None]) -> None:
    """Serve `page` until the first of `SIGNALS`, then end the process with code 0; called in the main thread.

    Under `gradio app.py` it is called once more after each edit, in the thread that watches the files: that `page` then
    takes the place of the one before, in the server that runs.

    Args:
        launch: arguments of `page.launch`.
        begin: called once the page is served, which nothing that it does may delay.
    """
    if not gr.NO_RELOAD:
        page.launch(**launch)  # there it takes theme and style and starts nothing
        begin()
        return
    stop = Stop()

    def tell(_number: int, _frame: FrameType | None) -> None:
        stop.asked.set()
        for number in SIGNALS:
            signal.signal(number, signal.SIG_DFL)

    given = launch.get("app_kwargs", {})
    middleware = [Middleware(Closing, stop), *given.get("middleware", ())]
    try:
        page.launch(prevent_thread_lock=True, **{**launch, "app_kwargs": {**given, "middleware": middleware}})
    except OSError:  # Gradio's word for no free port; the one that was asked for was free a moment ago
        sys.exit(f"lmdemo cannot start: {taken(launch.get('server_port'))}")
    for number in SIGNALS:
        signal.signal(number, tell)
    connections.bound(page.server)
    # What is there now stays: 340,000 objects that each full collection of cycles would go through, for 0.16 s in
    # which nothing else runs, and of which a quarter as much again would have to come before one were made.
    gc.freeze()
    begin()
    while not stop.asked.wait(timeout=1):  # without a timeout Ctrl-C does not get through on Windows
        pass
    if stop.loop is not None:
        with suppress(TimeoutError):  # a server that hangs does not keep the process
            ending = gradio_queue.queue_of(page).finish(PATIENCE)
            asyncio.run_coroutine_threadsafe(ending, stop.loop).result(PATIENCE + gradio_queue.READ + 0.5)
    # At once: an ordinary exit takes the interpreter from under threads that compute in torch, which aborts.
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


class Closing:
    """ASGI middleware: once asked to stop, what would begin a run is answered with 503 and a sentence."""

    def __init__(self, app: ASGIApp, stop: Stop) -> None:
        self.app, self.stop = app, stop

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or hand it on."""
        if scope["type"] == "http":  # Gradio begins its queue with one, in the loop of the port that it took
            self.stop.loop = asyncio.get_running_loop()
        if self.stop.asked.is_set() and _begins_a_run(scope):
            await Refusal(503, REFUSED, retry_after=60).response()(scope, receive, send)
        else:
            await self.app(scope, receive, send)


def _begins_a_run(scope: Scope) -> bool:
    """Whether it is a POST to an endpoint, in the queue or not; what only draws passes."""
    if scope["type"] != "http" or scope["method"] != "POST":
        return False
    return "/gradio_api/call/" in scope["path"] or scope["path"].endswith("/gradio_api/queue/join")
