"""What a host that polls /healthz is told while the model has no time for it."""

import asyncio
import json
from dataclasses import replace

import pytest
from starlette.requests import Request as HttpRequest

from lmdemo.server import health
from lmdemo.server.service import Phase, Pull, Request, Service
from threads import in_a_thread


def poll(service: Service) -> tuple[int, dict]:
    """The answer while the service's turn is taken."""

    async def ask() -> tuple[int, dict]:
        with service._turns.turn:
            answer = await health.Health(service).answer(HttpRequest({"type": "http"}))
        return answer.status_code, json.loads(answer.body)

    return in_a_thread(asyncio.run, ask())


@pytest.mark.parametrize("phase", Phase)
def test_only_a_model_that_is_being_prepared_may_keep_the_one_in_service_from_answering(
    phase: Phase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "PATIENCE", 0.2)
    service = Service()
    service._state = service.lab, replace(Pull(Request("ada/large")), phase=phase)
    code, said = poll(service)
    if phase is Phase.PREPARING:
        assert (code, said) == (200, {"status": "preparing", "checkpoint": "ada/large"})
    else:
        assert (code, said["status"]) == (503, "down")
        assert "not answered within 0.2 s" in said["error"]
