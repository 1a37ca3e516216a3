"""What comes of the runs, on its way to whoever asked for them: what of it the queue still has, and who reads it.

Gradio keeps what it has to say to a session in its mailbox, and the names of the session's runs until the end of each
was read. Where either is missing it raises in the middle of a stream, or leaves a reader without an end.
"""

import json
import time
from typing import TYPE_CHECKING

from gradio.context import LocalContext
from gradio.server_messages import ProcessCompletedMessage
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

if TYPE_CHECKING:
    from gradio.queueing import Queue

GONE = "There is no such run here; it has ended, or the app was started anew."


def event_under_way() -> tuple[str | None, float | None]:
    """The name of the event that is being handled, and the seconds that it waited for its turn.

    Gradio tells a handler which event it handles, and keeps the event with the moment it joined the queue until it
    has ended. Neither is promised, so what is missing is None, and costs a figure in the log and no visitor's run.
    """
    name = LocalContext.event_id.get(None)
    queue = getattr(LocalContext.blocks.get(None), "_queue", None)
    joined = getattr(getattr(queue, "event_ids_to_events", {}).get(name), "enqueue_time", None)
    return name, None if joined is None else time.monotonic() - joined


def session_of(queue: "Queue", run: str) -> str | None:
    """The session that is told of a run; None if it is told nothing more."""
    told = (session for session, runs in queue.pending_event_ids_session.items() if run in runs)
    session = next(told, None)
    return session if session is not None and has_mailbox(queue, session) else None


def has_mailbox(queue: "Queue", session: str) -> bool:
    """Whether a session has a mailbox; it counts as used by that."""
    return session in queue.pending_messages_per_session


def gone_call() -> Response:
    """What a call is told of which there is nothing to come."""
    return _stream(f"event: error\ndata: {json.dumps({'error': GONE})}\n\n")


def gone_session() -> Response:
    """What a page is told of which nothing is known."""
    gone = {"msg": "unexpected_error", "message": GONE, "session_not_found": True, "success": False}
    return _stream(f"data: {json.dumps(gone)}\n\n")


def unread(queue: "Queue", session: str) -> int:
    """How many messages to a session have not been read."""
    box = queue.pending_messages_per_session.get(session)
    return 0 if box is None else box.qsize()


def end_is_told(queue: "Queue", session: str, run: str) -> bool:
    """Whether a run's end lies in the session's mailbox; each cancel would put another one there."""
    box = queue.pending_messages_per_session.get(session)
    messages = () if box is None else box._queue  # it has no public look inside
    return any(isinstance(message, ProcessCompletedMessage) and message.event_id == run for message in messages)


async def follow(app: ASGIApp, queue: "Queue", session: str, scope: Scope, receive: Receive, send: Send) -> None:
    """Serve the stream of what a session is told, until its client leaves.

    Gradio then forgets the session, and stumbles over that where another client reads of the same one: it tells that
    client so, and raises in the middle of its stream; it raises too when that client leaves.
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
    if left:
        _forget_dropped(queue, session)


def _forget_dropped(queue: "Queue", session: str) -> None:
    """Forget the runs of a session that Gradio ends since their reader has left: they are told no end.

    It forgets them with the mailbox, but keeps that if it finds the reader gone as it is about to send.
    """
    runs = queue.pending_event_ids_session.get(session, set())
    events = (queue.event_ids_to_events.get(run) for run in runs)
    runs -= {event._id for event in events if event is not None and not event.alive}


def _stream(text: str) -> Response:
    return Response(text, media_type="text/event-stream")
