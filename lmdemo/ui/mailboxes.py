"""Where Gradio puts what it has to say to each session until the session fetches it."""

from asyncio import Queue

import gradio as gr
from gradio.server_messages import EventMessage
from gradio.utils import LRUCache

SESSIONS = 256  # that have asked for something last; more than can wait


class Mailboxes(LRUCache):
    """Those of the sessions that used them last; what is said to a session that has none any more is dropped.

    Gradio keeps the 2,000 that were made last, read or not. When one of a session that still waits has to go, the next
    message to it raises where the queue is run, and nobody is served any more.
    """

    def __contains__(self, session: object) -> bool:
        found = super().__contains__(session)
        if found:  # asked at every use
            self.move_to_end(session)
        return found

    def __missing__(self, session: str) -> Queue[EventMessage]:
        return Queue()


def bound(page: gr.Blocks) -> None:
    """Give the queue of `page` its mailboxes; after `page.queue()`, which makes it."""
    page._queue.pending_messages_per_session = Mailboxes(SESSIONS)
