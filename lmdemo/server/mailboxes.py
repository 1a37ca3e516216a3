"""What is said to each session until it is read: bounded in sessions and in bytes."""

import asyncio
from collections import OrderedDict


class _Mailbox(asyncio.Queue):
    """What a session has still to read, and about how many bytes that is."""

    def _init(self, maxsize: int) -> None:
        super()._init(maxsize)
        self.bytes = 0

    def _put(self, item: object) -> None:
        super()._put(item)
        self.bytes += _size(getattr(item, "output", None))

    def _get(self) -> object:
        item = super()._get()
        self.bytes -= _size(getattr(item, "output", None))
        return item


class Runs(dict[str, set[str]]):
    """The names of each session's runs whose end was not read; of a session that was forgotten there are none."""

    def __missing__(self, session: str) -> set[str]:
        return set()


class Mailboxes(OrderedDict[str, asyncio.Queue]):
    """Those of the sessions that used them last; what is said to a session that has none any more is dropped.

    With a mailbox goes what is kept beside it, the names of the session's runs: Gradio forgets a name when the end of
    its run is read, which nobody does any more.

    Gradio keeps the 2,000 that were made last, read or not. When one of a session that still waits has to go, the next
    message to it raises where the queue is run, and nobody is served any more.
    """

    def __init__(self, most: int, runs: Runs) -> None:
        """No session has one yet; `runs` are the names of the runs by session."""
        super().__init__()
        self.most = most
        self._runs = runs

    def bytes_of(self, session: str) -> int:
        """How many wait for a session."""
        box = self.get(session)
        return 0 if box is None else box.bytes

    def make_room(self, most: int) -> None:
        """Keep to so many bytes: the mailbox that holds the most goes, until it is so."""
        while sum(box.bytes for box in self.values()) > most:
            del self[max(self, key=self.bytes_of)]

    def __setitem__(self, session: str, _made: asyncio.Queue) -> None:
        super().__setitem__(session, _Mailbox())
        while len(self) > self.most:
            self.popitem(last=False)

    def __delitem__(self, session: str) -> None:
        super().__delitem__(session)
        self._runs.pop(session, None)

    def popitem(self, last: bool = True) -> tuple[str, asyncio.Queue]:
        """As in any ordered dictionary; this is how one makes room for the next."""
        session, mailbox = super().popitem(last)
        self._runs.pop(session, None)
        return session, mailbox

    def __contains__(self, session: object) -> bool:
        found = super().__contains__(session)
        if found:  # asked at every use
            self.move_to_end(session)
        return found

    def __missing__(self, session: str) -> asyncio.Queue:
        return asyncio.Queue()


def _size(value: object) -> int:
    """About how many bytes something takes, by its texts and how many things it holds."""
    match value:
        case str() | bytes():
            return len(value)
        case dict():
            return sum(map(_size, value.values()), 8 * len(value))
        case list() | tuple():
            return sum(map(_size, value), 8 * len(value))
    return 8
