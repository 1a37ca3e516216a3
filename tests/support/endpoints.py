"""The endpoints over plain HTTP: their events, how to leave them, and whether a run that was left is over."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from account import jobs_in
from patient import post, stream
from waiting import wait_until

DEFAULTS = {"generate": ("It was", 5, 1.0, 0, 1), "evaluate": (500, 25), "inspect": ("It", ["was"], 0, 1.0, 0, 1, "")}
DEFAULTS["text"] = ("It was",)
DEFAULTS["shape"] = (40, 6, 8, 2, 5, False)
DEFAULTS["bits"] = (4, False, ["embedding", "LSTM", "decoder"], "It was", 5, 1.0, 0, 1)
LONG = {"generate": ("It was", 1000), "evaluate": (2500, 1)}  # seconds of computing


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
    """The first answer of a run, which goes on."""
    event, (answer,) = next(events)
    assert event == "generating"
    return answer


def assert_stopped(address: str, log: Path, before: int) -> list[dict]:
    """All runs in the log but the first `before` were stopped; those after the first of them are returned.

    Runs are served in turn, so when a short call has been served all before it have ended.
    """
    assert call(address, "generate", "It was", 2)[0] == "complete"
    wait_until(
        lambda: jobs_in(log)[before:][-1:] and jobs_in(log)[-1]["outcome"] == "done", "the line of the short call"
    )
    first, *others, _short = jobs_in(log)[before:]
    assert {one["outcome"] for one in (first, *others)} == {"stopped"}
    return others
