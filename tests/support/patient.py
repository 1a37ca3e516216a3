"""Requests over plain HTTP that wait as long as a test does: httpx's own give up after five seconds."""

from functools import partial

import httpx

from waiting import LAST_NET

PATIENT = {"timeout": LAST_NET, "verify": False}  # nothing here is encrypted: no certificates are read for each request

get, head, post, put, stream = (
    partial(method, **PATIENT) for method in (httpx.get, httpx.head, httpx.post, httpx.put, httpx.stream)
)
