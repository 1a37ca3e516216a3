"""Serving a stream of Gradio's, whose reader may leave in the middle, or find another reader of the same session."""

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send


async def serve(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> bool:
    """Serve a stream to its end, or until its client leaves; whether it left.

    Gradio forgets a session that is left, and raises where another client reads of the same one, or leaves it.
    """
    left = False

    async def listen() -> Message:
        nonlocal left
        message = await receive()
        left = left or message["type"] == "http.disconnect"
        return message

    try:
        await app(scope, listen, send)
    except KeyError:
        if not left:
            raise
    except RuntimeError as error:
        if not isinstance(error.__cause__, HTTPException):
            raise
        await send({"type": "http.response.body", "body": b"", "more_body": False})
    return left
