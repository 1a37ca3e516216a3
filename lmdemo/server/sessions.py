"""What Gradio remembers of each visitor's session, and no more than is used: the one file that names how it does."""

from datetime import datetime

import gradio as gr
from gradio.blocks import Block
from gradio.context import LocalContext
from gradio.routes import App
from gradio.state_holder import SessionState, StateHolder


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


def remember_less(app: App) -> None:
    """Give the app of a page its memories; before the first request."""
    app.state_holder = Memories()
    app.state_holder.set_blocks(page_of(app))


def page_of(app: App) -> gr.Blocks:
    """The page that an app serves."""
    return app.get_blocks()


def session_under_way() -> str | None:
    """The session of the page whose event is being handled; None for a program's call, and outside of any."""
    request = LocalContext.request.get(None)
    return getattr(request, "session_hash", None)
