"""The endpoints over plain HTTP: their events, how to leave them, and whether a run that was left is over."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice

from patient import post, stream

DEFAULTS = {"generate": ("It was", 5, 1.0, 0, 1), "evaluate": (500, 25), "inspect": ("It", ["was"], 0, 1.0, 0, 1)}
DEFAULTS["text"] = ("It was",)
DEFAULTS["bits"] = (4, False, ["embedding", "LSTM", "decoder"], "It was", 5, 1.0, 0, 1)
LONG = {"generate": ("It was", 1000), "evaluate": (5000, 1)}  # seconds of computing


@contextmanager
def following(address: str, name: str, *data: object) -> Iterator[Iterator[tuple[str, object]]]:
    """An endpoint over plain HTTP, with whatever JSON can carry: the events with their data; left at the end.

    Heartbeats, which come while a run waits or computes for long, are no events of the run.
    """
    # NaN and Infinity too, as Python writes and reads them
    body = json.dumps({"data": data + DEFAULTS[name][len(data) :]})
    headers = {"Content-Type": "application/json"}
    started = post(f"{address}/gradio_api/call/{name}", content=body, headers=headers)
    started.raise_for_status()
    url = f"{address}/gradio_api/call/{name}/{started.json()['event_id']}"
    with stream("GET", url) as answer:
        lines = (line for line in answer.iter_lines() if line)
        yield (
            (event.removeprefix("event: "), json.loads(data.removeprefix("data: ")))
            for event, data in zip(lines, lines, strict=True)
            if event != "event: heartbeat"
        )


def call(address: str, name: str, *data: object) -> tuple[str, object]:
    """The last event of an endpoint and its data."""
    with following(address, name, *data) as events:
        *_, last = events
    return last


def begin(events: Iterator[tuple[str, object]]) -> object:
    """An early answer of a run that goes on, when it has found its pace."""
    *_, (event, (answer,)) = islice(events, 3)
    assert event == "generating"
    return answer


def is_served_at_once(address: str, left: object) -> bool:
    """Whether a short call is served as soon as the run that stood at `left` could be ended: within a second.

    Or on a busy machine within a third of what that run still had to compute.
    """
    began = time.monotonic()
    assert call(address, "generate", "It was", 2)[0] == "complete"
    return time.monotonic() - began < max(1, left_to_compute(left) / 3)


def left_to_compute(answer: object) -> float:
    """The seconds that a run of `LONG` had to compute on from this answer."""
    if isinstance(answer, list):
        return sum(row["seconds"] * (LONG["evaluate"][0] / row["tokens"] - 1) for row in answer)
    writings = (answer[name] for name in ("fp32", "int8"))
    return sum(writing["seconds"] * (LONG["generate"][1] / len(writing["words"]) - 1) for writing in writings)
