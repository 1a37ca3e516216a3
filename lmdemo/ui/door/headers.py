"""The headers of every answer: a page that loads from its own host alone and may be embedded.

What is no HTTP the server answers itself, before any app; its sentence has none of them.
"""

import re

from lmdemo.errors import InputError

# Gradio's front end makes functions of the templates' code, sets styles as it draws, and starts with inline scripts.
POLICY = {
    "default-src": "'self'",
    "script-src": "'self' 'unsafe-inline' 'unsafe-eval'",
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data: blob:",  # charts are made into pictures here
    "font-src": "'self' data:",
    "worker-src": "'self' blob:",
    "object-src": "'none'",
    "base-uri": "'self'",
    "form-action": "'none'",
}
FIXED = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",  # the address holds the prompt
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
SOURCE = re.compile(r"'self'|'none'|\*|https?:|(https?://)?(\*\.)?[\w.-]+(:(\d+|\*))?", re.ASCII)


def security_headers(frame_ancestors: str | None) -> list[tuple[bytes, bytes]]:
    """Name and value of each, for pages of `frame_ancestors` to frame; without any, for all pages.

    Raises:
        InputError: `frame_ancestors` is not a list of sources as a content security policy has them.
    """
    policy = POLICY
    if frame_ancestors and frame_ancestors.split():
        sources = frame_ancestors.split()
        if not all(SOURCE.fullmatch(source) for source in sources):
            raise InputError(
                "LMDEMO_FRAME_ANCESTORS must be hosts with spaces between, as in https://docs.example.org."
            )
        policy = POLICY | {"frame-ancestors": " ".join(sources)}
    headers = FIXED | {"content-security-policy": "; ".join(f"{name} {value}" for name, value in policy.items())}
    return [(name.encode(), value.encode()) for name, value in headers.items()]
