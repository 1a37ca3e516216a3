"""Whose request it is on a Space, where all of them come from the host's own proxy.

Each proxy appends to X-Forwarded-For where a request came to it from, so what stands last is the host's word and what
stands before it may be the visitor's own. Elsewhere nobody vouches for the header: there uvicorn takes it from a proxy
on the same machine, or from those in FORWARDED_ALLOW_IPS, and has put the visitor in the client's place already.
"""

from collections.abc import Mapping
from ipaddress import ip_address

from starlette.types import Scope


def on_a_space(environment: Mapping[str, str]) -> bool:
    """Whether the app runs on a Space."""
    return bool(environment.get("SPACE_ID"))


def with_visitor(scope: Scope) -> Scope:
    """`scope` of a request on a Space, with the visitor for its client."""
    told = b",".join(value for name, value in scope["headers"] if name == b"x-forwarded-for")
    visitor = _visitor(told.decode("latin-1"))
    return scope if visitor is None else scope | {"client": (visitor, 0)}


def _visitor(told: str) -> str | None:
    """The last address in the header that is not of the host's own network; None if it does not tell one."""
    for entry in reversed(told.split(",")):
        try:
            address = ip_address(entry.strip())
        except ValueError:  # what stands before it is not the host's word any more
            return None
        if address.is_global:
            return str(address)
    return None
