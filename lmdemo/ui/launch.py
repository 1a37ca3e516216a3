"""How the page is served: what `launch` is to be given, and what is put in place once Gradio has made its app."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

import gradio as gr
from starlette.applications import Starlette

from lmdemo.server import gate, health, loader, sessions, tools
from lmdemo.server.headers import security_headers, threshold
from lmdemo.server.service import Service
from lmdemo.ui.theme import SCRIPTS, STYLE, THEME, VARIANT_COLOURS

# Whose last run is kept, the most recent first; more than can wait. A call of an endpoint counts as one too.
SESSIONS = 256


def launch_options(service: Service, frame_ancestors: str | None = None) -> dict[str, object]:
    """What `launch` of the page of `service` is to be given.

    Args:
        service: as given to `build_page`.
        frame_ancestors: hosts whose pages may frame it, with spaces between; None for all.

    Raises:
        InputError: `frame_ancestors` is not a list of hosts.
    """
    return {
        "theme": THEME,
        "css": VARIANT_COLOURS,
        "css_paths": [STYLE],
        # not `js`, which runs when what calls it has been drawn already; nor by an address, which a proxy may move
        "head": "".join(f"<script>{script.read_text(encoding='utf-8')}</script>" for script in SCRIPTS),
        "footer_links": ["api"],  # "settings" offers a recorder of the screen, and to install a page that cannot be
        "i18n": gr.I18n(en={"common.complete": "Done."}),  # read out after a run; Gradio has the key alone
        "run_history": False,
        "ssr_mode": False,
        "enable_monitoring": False,
        "state_session_capacity": SESSIONS,
        "mcp_server": tools.INSTALLED,
        "app_kwargs": {
            "routes": [loader.ROUTE, health.route(service)],
            "middleware": gate.middleware(),
            # made here: what the stack of middleware is built of, Starlette makes once the page is served
            "lifespan": partial(_lifespan, security_headers(frame_ancestors)),
        },
    }


@asynccontextmanager
async def _lifespan(headers: Sequence[tuple[bytes, bytes]], app: Starlette) -> AsyncIterator[None]:
    """What can be put in place only when Gradio has made its app, and before it is served."""
    sessions.remember_less(app)
    tools.answer_calls(sessions.page_of(app))
    async with threshold(app, headers):
        yield
