"""How many runs may wait: of one visitor, from one address, and in all; and how much of them may be left unread."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lmdemo.server import gradio_queue
from lmdemo.server.refusal import Refusal

if TYPE_CHECKING:
    from gradio.queueing import Event, Queue

PER_SESSION = 4  # a page has one run a tab, and what it asks for beside them is short
PER_ADDRESS = 32  # a school behind one address, and half of the queue is left for the others
IN_ALL = 64
UNREAD = 100  # messages to a session, before it may ask for more; a long run that is not read leaves some dozens
FIRST_GUESS = 5.0  # seconds a run takes, until some have been timed


class QueueLimits:
    """Counts the runs of a queue, waiting and running, and those that are on their way into it."""

    def __init__(self) -> None:
        """Nobody is on the way."""
        self._entering: Counter[str] = Counter()

    @contextmanager
    def place(self, queue: "Queue", session: str | None, address: str) -> Iterator[None]:
        """A place in the queue, kept while the request goes there.

        Raises:
            Refusal: the session, the address or the queue has as many runs as it may have, or the session does not
                read what comes of them.
        """
        if session is not None and gradio_queue.unread(queue, session) > UNREAD:
            raise Refusal(429, f"More than {UNREAD} messages to this page are unread; read what its runs have told.")
        events = list(queue.event_ids_to_events.values())
        keys = [(f"address {address}", PER_ADDRESS, sum(_address(event) == address for event in events))]
        if session is not None:
            keys.append((f"session {session}", PER_SESSION, sum(event.session_hash == session for event in events)))
        for key, most, there in keys:
            if there + self._entering[key] >= most:
                who = "address" if key.startswith("address") else "page"
                raise Refusal(429, f"From one {who} {most} runs may wait; {_when(queue, events)}", _wait(queue, events))
        if len(events) + self._entering["all"] >= IN_ALL:
            sentence = f"The queue is full: {IN_ALL} runs are waiting; {_when(queue, events)}"
            raise Refusal(429, sentence, _wait(queue, events))
        held = [key for key, _, _ in keys] + ["all"]
        self._entering.update(held)
        try:
            yield
        finally:
            self._entering.subtract(held)
            self._entering += Counter()  # drops the zeros


def address_of(client: tuple[str, int] | None) -> str:
    """The host a request comes from."""
    return client[0] if client else ""


def _address(event: "Event") -> str:
    return address_of(event.request.scope.get("client"))


def _wait(queue: "Queue", events: list["Event"]) -> int:
    """Seconds until what is here now has run, from how long each function has taken so far."""
    # looked up without a trace: for a function that is merely named there, Gradio tells visitors that it takes 0 s
    timed = (queue.process_time_per_fn.get(event.fn) for event in events)
    return max(1, round(sum(FIRST_GUESS if known is None else known.avg_time for known in timed)))


def _when(queue: "Queue", events: list["Event"]) -> str:
    seconds = _wait(queue, events)
    return f"what is waiting takes about {seconds} s, try again then."
