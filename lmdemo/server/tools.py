"""The endpoints as tools for agents, over the Model Context Protocol, where the package `mcp` is installed.

Gradio lists the public endpoints and speaks the protocol; what becomes of a call is decided here. Gradio's own handler
holds one of the server's threads as long as a call takes, computes on for a caller who has left, and answers in
Python's notation. Here a call goes to its endpoint over HTTP, as any other program's does: through the queue, in
JSON, and ended by leaving.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from importlib.util import find_spec
from time import monotonic
from typing import TYPE_CHECKING

import gradio as gr
import httpx2
from anyio import CancelScope

if TYPE_CHECKING:
    from gradio.mcp import GradioMCPServer

log = logging.getLogger(__name__)

INSTALLED = find_spec("mcp") is not None
AT_ONCE = 8  # calls that may wait or compute; the rest of the queue is left to visitors
FULL = "Too many calls are waiting; call again later."
TIMEOUT = httpx2.Timeout(10, read=60)  # seconds; a call in the queue hears something every 15
TELL_INTERVAL = 1.0  # seconds between two messages to a caller who asks for progress

Tell = Callable[[str], Awaitable[None]]


class ToolError(Exception):
    """A call that is not answered; its text is one sentence for the agent."""


def answer_calls(page: gr.Blocks) -> None:
    """Answer what agents call on a page that is being launched, before its first request.

    Nothing if Gradio offers them no tools there.
    """
    served: GradioMCPServer | None = page.mcp_server_obj
    if served is None:
        return
    types, handlers = served.types, served.mcp_server.request_handlers
    # there is nothing but tools, and Gradio's handler of prompts runs an endpoint whatever the name
    for kind in handlers.keys() - {types.PingRequest, types.ListToolsRequest, types.CallToolRequest}:
        del handlers[kind]
    http = httpx2.AsyncClient(timeout=TIMEOUT, trust_env=False)
    seats = asyncio.Semaphore(AT_ONCE)

    # without the protocol's own check of fields: the endpoint's sentences say what is allowed
    @served.mcp_server.call_tool(validate_input=False)
    async def call(name: str, arguments: dict[str, object]) -> list[object]:
        path, data = _request(served, name, arguments)
        if seats.locked():
            raise ToolError(FULL)
        async with seats:
            try:
                url = page.local_url.rstrip("/") + path  # known once the page is served
                answer = await _ask(http, url, data, _teller(served))
            except httpx2.HTTPError as error:
                log.exception("A call of %s failed.", name)
                raise ToolError("The call failed; the log of the server has the reason.") from error
        return [types.TextContent(type="text", text=answer)]


def _request(served: "GradioMCPServer", tool: str, arguments: Mapping[str, object]) -> tuple[str, list[object]]:
    """The path and the data of a call, or the sentence why there is no such call."""
    endpoint = served.tool_to_endpoint.get(tool)
    if endpoint is None:
        raise ToolError(f"The tool must be one of {', '.join(served.tool_to_endpoint)}.")
    parameters = served.api_info["named_endpoints"][endpoint]["parameters"]
    defaults = {parameter["parameter_name"]: parameter["parameter_default"] for parameter in parameters}
    if not arguments.keys() <= defaults.keys():
        names = ", ".join(defaults)
        raise ToolError(f"{tool} takes no arguments but {names}." if names else f"{tool} takes no arguments.")
    for parameter in parameters:
        name = parameter["parameter_name"]
        if name not in arguments and not parameter["parameter_has_default"]:
            raise ToolError(f"{tool} needs {name}.")
        if isinstance(arguments.get(name), dict):  # Gradio would look for a file in it
            raise ToolError(f"{name} must be text, a number or a list of them.")
    return f"/gradio_api/call{endpoint}", list((defaults | arguments).values())


async def _ask(http: httpx2.AsyncClient, url: str, data: list[object], tell: Tell) -> str:
    """The last answer to a call, as JSON; a caller who leaves ends it."""
    async with AsyncExitStack() as stack:
        # a caller who leaves in here waits until the call can be ended: what nobody reads is computed to its end
        with CancelScope(shield=True):
            started = await http.post(url, json={"data": data})
            if not started.is_success:  # refused at the gate, or the app is being stopped
                raise ToolError(_sentence(started.json()))
            events = await stack.enter_async_context(http.sse(f"{url}/{started.json()['event_id']}"))
        async for event in events:
            if event.event == "complete":
                (answer,) = event.json()
                return json.dumps(answer, ensure_ascii=False)
            if event.event == "error":
                raise ToolError(_sentence(event.json()))
            await tell("Computing." if event.event == "generating" else "In the queue.")
    raise ToolError("The server stopped before it had an answer.")


def _sentence(error: object) -> str:
    """What an error says to the caller, if it is one that has something to say."""
    said = error.get("error") if isinstance(error, dict) else error
    return str(said or "The call failed.")


def _teller(served: "GradioMCPServer") -> Tell:
    """What tells the present caller of progress, now and then, if it asked for that."""
    context = served.mcp_server.request_context
    token = context.meta and context.meta.progressToken
    began = reported = monotonic()

    async def tell(message: str) -> None:
        nonlocal reported
        if token is None or monotonic() - reported < TELL_INTERVAL:
            return
        reported = monotonic()
        await context.session.send_progress_notification(
            token, round(reported - began, 1), message=message, related_request_id=str(context.request_id)
        )

    return tell
