"""The answer to who reads what is not there any more, as Gradio's two clients expect it: a stream of one event."""

import json

from starlette.responses import Response

GONE = "There is no such run here; it has ended, or the app was started anew."


def call() -> Response:
    """The answer to who reads a call of which there is nothing to come."""
    return _stream(f"event: error\ndata: {json.dumps({'error': GONE})}\n\n")


def session() -> Response:
    """The answer to a page of which nothing is known."""
    gone = {"msg": "unexpected_error", "message": GONE, "session_not_found": True, "success": False}
    return _stream(f"data: {json.dumps(gone)}\n\n")


def _stream(text: str) -> Response:
    return Response(text, media_type="text/event-stream")
