"""The door: what is let through to Gradio, and what is said to the rest.

Gradio opens many more routes than this page uses, parses bodies of any size, and runs what a request names with what
it carries. The door is ASGI middleware in front of it: it lets through the requests that the page and the documented
endpoints make, once they are whole, and answers every other one with a sentence. Ranges are not its business: each
handler checks its own fields. Before it, and before all other middleware, lies the threshold, which puts the headers
on every answer.
"""

import os

from starlette.middleware import Middleware

from lmdemo.ui.door.door import Door
from lmdemo.ui.door.forwarded import on_a_space
from lmdemo.ui.door.headers import security_headers
from lmdemo.ui.door.threshold import threshold

__all__ = ["Door", "door", "security_headers", "threshold"]


def door() -> list[Middleware]:
    """The middleware for an app."""
    return [Middleware(Door, on_a_space=on_a_space(os.environ))]
