"""/healthz, for a host to poll: green when the model answers, and while one from the Hub is prepared.

A large one takes longer to prepare than a probe waits. A host that restarted the app meanwhile would never see the end.
"""

import asyncio
import logging
import time

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lmdemo.generation import GenerationSettings
from lmdemo.server.service import Phase, Service

log = logging.getLogger(__name__)

PATIENCE = 10.0  # seconds the model may take to write a word, behind whatever step is being computed
FRESH = 5.0  # seconds an answer holds: polling must not take the processor from what is timed


class Health:
    """Lets the model in service write a word, one probe at a time."""

    def __init__(self, service: Service) -> None:
        """Nothing is asked yet."""
        self._service = service
        self._probe: asyncio.Task[float] | None = None
        self._began = float("-inf")

    async def answer(self, _request: Request) -> Response:
        """200 with the seconds the last probe took, or that a model is being prepared; or 503 with a sentence."""
        if self._probe is None or (self._probe.done() and time.monotonic() - self._began > FRESH):
            self._began = time.monotonic()
            self._probe = asyncio.create_task(asyncio.to_thread(self._write_a_word))
        try:
            # a probe that hangs goes on hanging: the next poll waits for the same one and starts no other
            seconds = await asyncio.wait_for(asyncio.shield(self._probe), PATIENCE)
        except TimeoutError:
            _, pull = self._service.state
            if pull is not None and pull.phase is Phase.PREPARING:
                return _answer(200, status="preparing", checkpoint=pull.request.source)
            return _answer(503, status="down", error=f"The model has not answered within {PATIENCE:g} s.")
        except Exception:
            log.exception("The model does not answer.")
            return _answer(503, status="down", error="The model does not answer; the log of the server has the reason.")
        lab = self._service.lab
        return _answer(200, status="ok", checkpoint=lab.checkpoint.name, variants=lab.variants, seconds=seconds)

    def _write_a_word(self) -> float:
        began = time.perf_counter()
        for _ in self._service.lab.generate(GenerationSettings("", 1)):
            pass
        return time.perf_counter() - began


def route(service: Service) -> Route:
    """The route of /healthz over `service`."""
    return Route("/healthz", Health(service).answer, methods=["GET"])


def _answer(code: int, **fields: object) -> Response:
    return JSONResponse(fields, code, {"Cache-Control": "no-store"})
