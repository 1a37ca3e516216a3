"""An agent that does what it is told: the real client of the Model Context Protocol, a line of JSON at a time.

Run by an interpreter that has the package `mcp`, with the server's address. A line {"call": tool, "arguments": {...}}
is answered by {"error": bool, "texts": [...], "heard": [...]}, any other line by what the server lists.
"""

import asyncio
import json
import sys

from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client


async def obey(address: str) -> None:
    """Answer each line of the standard input with one on the standard output."""
    async with streamable_http_client(address) as (read, write, _), ClientSession(read, write) as session:
        offered = (await session.initialize()).capabilities.model_dump(mode="json", exclude_none=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            order = json.loads(line)
            answer = await (call(session, **order) if "call" in order else listed(session, offered))
            print(json.dumps(answer), flush=True)


async def call(session: ClientSession, call: str, arguments: dict) -> dict:
    """Call a tool, and hear of its progress."""
    heard = []

    async def hear(progress: float, _: float | None, message: str | None) -> None:
        heard.append((progress, message))

    result = await session.call_tool(call, arguments, progress_callback=hear)
    return {"error": result.isError, "texts": [content.text for content in result.content], "heard": heard}


async def listed(session: ClientSession, offered: dict) -> dict:
    """The tools with their schemas, and what kinds of things the server offers."""
    tools = [tool.model_dump(mode="json") for tool in (await session.list_tools()).tools]
    return {"offered": [kind for kind in offered if offered[kind]], "tools": tools}


if __name__ == "__main__":
    asyncio.run(obey(sys.argv[1]))
