"""Who may have another run wait: counted on plain records, by session, by address and in all.

A place in the queue costs nothing to ask for, so a few who take all they can must not shut out the others: an address
has at most as many as are left for everybody else, few that nobody reads, and only so many seconds of computing.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from lmdemo.server.refusal import Refusal

IN_ALL = 64
PER_SESSION = 4  # a page has one run a tab, and what it asks for beside them is short
PER_ADDRESS = 32  # a school behind one address, and half of the queue is left for the others
PER_ADDRESS_UNREAD = 16  # that nobody has begun to read; who asks reads at once
PER_ADDRESS_SECONDS = 120.0  # that they will take, by what runs took here


@dataclass(frozen=True)
class Function:
    """What runs on a page."""

    number: int
    endpoint: str | None  # its name, if it is one that is documented
    inputs: tuple[str, ...]  # their names; empty ones on the page
    queued: bool
    at_once: int  # how many may run


@dataclass(frozen=True)
class Place:
    """One run that waits or computes."""

    session: str | None  # of the page that asked; None for a program that names none
    address: str
    seconds: float  # that it will keep the others waiting
    read: bool  # somebody reads what comes of it


class QueueLimits:
    """Lets runs into a queue, counting those that are on their way as well."""

    def __init__(self) -> None:
        """Nobody is on the way."""
        self._entering: list[Place] = []

    @contextmanager
    def enter(self, asked: Place, there: Sequence[Place]) -> Iterator[None]:
        """A place in the queue beside those that are `there`, kept while the request goes to it.

        Raises:
            Refusal: the session, the address or the queue has as many runs as it may have.
        """
        check(asked, [*there, *self._entering])
        self._entering.append(asked)
        try:
            yield
        finally:
            self._entering.remove(asked)


def check(asked: Place, there: Sequence[Place]) -> None:
    """Whether one more may wait beside those that are `there`.

    Raises:
        Refusal: it may not; with the seconds until it is worth asking again.
    """
    wait = max(1, round(sum(place.seconds for place in there)))
    when = f"what is waiting takes about {wait} s, try again then."
    own = [place for place in there if place.address == asked.address]
    if asked.session is not None and sum(place.session == asked.session for place in there) >= PER_SESSION:
        raise Refusal(429, f"From one page {PER_SESSION} runs may wait; {when}", wait)
    if len(there) >= IN_ALL:
        raise Refusal(429, f"The queue is full: {IN_ALL} runs are waiting; {when}", wait)
    if len(own) >= min(PER_ADDRESS, IN_ALL - len(there)):
        raise Refusal(429, f"From one address {len(own)} runs may wait now; {when}", wait)
    if sum(not place.read for place in own) >= PER_ADDRESS_UNREAD:
        raise Refusal(429, f"From one address {PER_ADDRESS_UNREAD} runs may wait that nobody reads; read them.", wait)
    if own and sum(place.seconds for place in own) + asked.seconds > PER_ADDRESS_SECONDS:
        raise Refusal(429, f"From one address {PER_ADDRESS_SECONDS:g} s of runs may wait; {when}", wait)
