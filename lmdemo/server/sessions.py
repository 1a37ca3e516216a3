"""What Gradio keeps of each visitor's session, bounded: what it has to say to it, and what it remembers of it."""

from asyncio import Queue
from datetime import datetime

import gradio as gr
from gradio.blocks import Block
from gradio.routes import App
from gradio.server_messages import EventMessage
from gradio.state_holder import SessionState, StateHolder
from gradio.utils import LRUCache

MAILBOXES = 256  # of the sessions that have asked for something last; more than can wait


class Runs(dict):
    """The names of each session's runs whose end was not read; of a session that was forgotten there are none."""

    def __missing__(self, session: str) -> set[str]:
        return set()


class Mailboxes(LRUCache):
    """Those of the sessions that used them last; what is said to a session that has none any more is dropped.

    With a mailbox goes what is kept beside it, the names of the session's runs: Gradio forgets a name when the end of
    its run is read, which nobody does any more.

    Gradio keeps the 2,000 that were made last, read or not. When one of a session that still waits has to go, the next
    message to it raises where the queue is run, and nobody is served any more.
    """

    def __init__(self, most: int, runs: dict[str, set[str]]) -> None:
        """No session has one yet; `runs` are the names of the runs by session."""
        super().__init__(most)
        self._runs = runs

    def __delitem__(self, session: str) -> None:
        super().__delitem__(session)
        self._runs.pop(session, None)

    def popitem(self, last: bool = True) -> tuple[str, Queue[EventMessage]]:
        """As in any ordered dictionary; this is how one makes room for the next."""
        session, mailbox = super().popitem(last)
        self._runs.pop(session, None)
        return session, mailbox

    def __contains__(self, session: object) -> bool:
        found = super().__contains__(session)
        if found:  # asked at every use
            self.move_to_end(session)
        return found

    def __missing__(self, session: str) -> Queue[EventMessage]:
        return Queue()


class _Session(SessionState):
    """A visitor's State values. Components are the page's own, but for the one that was changed last.

    Gradio keeps a copy of each component that an event fills and describes the whole page anew for each session, 0.2 MB
    in 9 ms: for links that restore a page from the server's disk, and to check values against properties that were
    changed. Ours have everything in their address, and handlers check their fields themselves.
    """

    def __init__(self, page: gr.Blocks) -> None:
        self.blocks_config = page.default_config
        self.state_data: dict[int, object] = {}
        self.config_values: dict[int, dict] = {}
        self._state_ttl: dict[int, tuple[float | None, datetime]] = {}
        self.is_closed = False
        self.STATE_TTL_WHEN_CLOSED = 3600  # seconds
        self._changed: tuple[int, Block] | None = None

    def __getitem__(self, key: int) -> object:
        if self._changed and self._changed[0] == key:  # read for what is to be sent of it, right after it was set
            return self._changed[1]
        return super().__getitem__(key)

    def __setitem__(self, key: int, value: object) -> None:
        block = self.blocks_config.blocks.get(key)
        if isinstance(block, gr.State):
            self.state_data[key] = value
            self._state_ttl[key] = block.time_to_live, datetime.now()
        else:
            self._changed = key, value

    def _update_config(self, key: int) -> None:
        pass

    def _update_value_in_config(self, key: int, value: object) -> None:
        pass


class Memories(StateHolder):
    """What sessions remember, of those that asked for something last."""

    def __getitem__(self, session: str) -> SessionState:
        """The session's; a new one is made for a name that is new."""
        if session not in self.session_data:
            self.session_data[session] = _Session(self.blocks)
        return super().__getitem__(session)


def bound_mailboxes(page: gr.Blocks) -> None:
    """Give the queue of `page` its mailboxes; after `page.queue()`, which makes it."""
    runs = page._queue.pending_event_ids_session = Runs()
    page._queue.pending_messages_per_session = Mailboxes(MAILBOXES, runs)


def remember_less(app: App) -> None:
    """Give the app of a page its memories; before the first request."""
    app.state_holder = Memories()
    app.state_holder.set_blocks(app.get_blocks())
