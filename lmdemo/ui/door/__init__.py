"""The door: what is let through to Gradio, and what is said to the rest.

Gradio opens many more routes than this page uses, parses bodies of any size, and runs what a request names with what
it carries. The door is ASGI middleware in front of it: it lets through the requests that the page and the documented
endpoints make, once they are whole, and answers every other one with a sentence. Ranges are not its business: each
handler checks its own fields.
"""

from starlette.middleware import Middleware

from lmdemo.ui.door.door import Door
from lmdemo.ui.door.threshold import threshold

__all__ = ["Door", "door", "threshold"]


def door(frame_ancestors: str | None = None) -> list[Middleware]:
    """The middleware for an app; `frame_ancestors` are the hosts whose pages may frame it, None for all.

    Raises:
        InputError: `frame_ancestors` is not a list of sources as a content security policy has them.
    """
    return [Middleware(Door, frame_ancestors=frame_ancestors)]
