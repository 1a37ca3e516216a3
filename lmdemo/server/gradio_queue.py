"""Gradio's queue: the one file that names it, and it names parts that Gradio does not promise.

Gradio runs what is asked for in its turn and puts what it has to say to a session into the session's mailbox. Here a
run begins only when somebody reads that mailbox, ends once, and is ended by its own session alone; what is kept for
who does not read is bounded, in mailboxes and in bytes; and how long runs take is known for whoever has to wait.
`tests/server/test_gradio_contract.py` lists what is used of Gradio, and says what a new one lacks.
"""

import asyncio
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager

import gradio as gr
from gradio.block_function import BlockFunction
from gradio.context import LocalContext
from gradio.queueing import Event, Queue
from gradio.routes import App
from gradio.server_messages import EventMessage, ProcessCompletedMessage
from gradio.utils import SyncToAsyncIterator, error_payload
from starlette.types import ASGIApp, Receive, Scope, Send

from lmdemo.server import streams
from lmdemo.server.endings import Endings
from lmdemo.server.headers import address_of
from lmdemo.server.mailboxes import Mailboxes, Runs
from lmdemo.server.queue_limits import Function, Place

GRACE = 10.0  # seconds that a run waits for a reader before its place goes to somebody else
MAILBOXES = 256  # of the sessions that have asked for something last; more than can wait
UNREAD = 100  # messages to a session, before it may ask for more; a long run that is not read leaves some dozens
UNREAD_BYTES = 4_000_000  # for one session; a run that goes on beyond that is ended
UNREAD_BYTES_IN_ALL = 32_000_000  # after which the mailbox that holds the most goes
RECENT = 16  # runs of a function, by which its next one is judged
FIRST_GUESS = 3.0  # seconds a run takes, until one has been timed
FLUSH = 0.4  # seconds that the last results have to go out as the app ends
READ = 1.0  # seconds that a last sentence is on the page before Gradio's own, that the connection was lost, replaces it
LOOK = 0.02  # seconds between two looks at the runs that are to finish

NOT_READ = f"Nobody has read this run within {GRACE:g} s, so it was not begun."
TOO_MUCH_UNREAD = "The run was ended, since nobody reads what it shows."
STOPPED = "The app was stopped before this run was done; try again in a minute."


class RunQueue(Queue):
    """Gradio's queue, which begins what is read and keeps no more than it must."""

    def __init__(self, made: Queue) -> None:
        """As `made` was set up, with nothing in it."""
        super().__init__(
            made.live_updates,
            made.max_thread_count,
            made.update_intervals,
            made.max_size,
            made.blocks,
            made.default_concurrency_limit,
        )
        self.pending_event_ids_session = Runs()
        self.pending_messages_per_session = Mailboxes(MAILBOXES, self.pending_event_ids_session)
        self._readers: Counter[str] = Counter()  # by session
        self._tasks: dict[str, asyncio.Task] = {}  # of the runs under way, by name
        self._endings = Endings(lambda steps: SyncToAsyncIterator(steps, None).aclose())
        self._ended: set[str] = set()  # the runs still here whose end was sent
        self._taken: defaultdict[int, deque[float]] = defaultdict(lambda: deque(maxlen=RECENT))  # seconds, by function

    # -- what limits and readers ask

    def places(self) -> list[Place]:
        """What waits and computes; never those that Gradio merely has not forgotten."""
        return [
            Place(
                event.session_hash,
                address_of(event.request.scope),
                self.seconds(_plain(event.fn)),
                self._is_read(event),
            )
            for event in [*self._waiting(), *self._computing()]
        ]

    def seconds(self, function: Function) -> float:
        """How long a run of `function` will keep others waiting, from what runs took here."""
        taken = self._taken.get(function.number) or [seconds for some in self._taken.values() for seconds in some]
        return (sum(taken) / len(taken) if taken else FIRST_GUESS) / function.at_once

    def unread(self, session: str) -> int:
        """How many messages to a session have not been read."""
        box = self.pending_messages_per_session.get(session)
        return 0 if box is None else box.qsize()

    def session_of(self, run: str) -> str | None:
        """The session that hears of a run; None if it hears nothing more."""
        session = next((one for one, runs in self.pending_event_ids_session.items() if run in runs), None)
        return session if session is not None and self.has_mailbox(session) else None

    def has_mailbox(self, session: str) -> bool:
        """Whether a session has a mailbox; it counts as used by that."""
        return session in self.pending_messages_per_session

    # -- what becomes of runs

    async def cancel(self, session: str, run: str) -> None:
        """End a run of this session; nothing if it has ended, or is another's.

        Gradio's own way ends in a KeyError the second time, and takes the word of whoever asks.
        """
        event = self.event_ids_to_events.get(run)
        if event is None or event.session_hash != session or run in self._ended:
            return
        self.send_message(event, ProcessCompletedMessage(output={}, success=True))
        await self._end(event)

    def close_at_end(self, run: str, steps: Generator) -> None:
        """Close what computes a run when it is over; nothing if it is."""
        if run in self.event_ids_to_events:
            self._endings.expect(run, steps)

    async def finish(self, patience: float) -> None:
        """Let the runs under way finish in time; those that wait, and those that do not finish, end in a sentence."""
        unfinished = self._waiting()
        for event in unfinished:
            self._refuse(event, STOPPED)
            self._leave(event)
        deadline = time.monotonic() + patience
        while (computing := self._computing()) and time.monotonic() < deadline:
            await asyncio.sleep(LOOK)
        for event in computing:
            self._refuse(event, STOPPED)
            event.alive = False
        await asyncio.sleep(READ if unfinished or computing else FLUSH)

    async def follow(self, app: ASGIApp, session: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the stream of what is said to a session, until its client leaves."""
        with self._reading(session):
            left = await streams.serve(app, scope, receive, send)
        if left:
            self._forget_dropped(session)

    # -- what Gradio calls

    async def push(self, *asked: object, **more: object) -> tuple:
        """As Gradio's; a run that nobody begins to read leaves again."""
        answer = await super().push(*asked, **more)
        taken, run, _ = answer
        if taken:
            asyncio.get_running_loop().call_later(GRACE, self._drop_unread, run)
        return answer

    def get_events(self) -> tuple[list[Event], bool, str] | None:
        """The next run: of those that somebody reads, the one that has waited longest where one may begin."""
        for name, line in self.event_queue_per_concurrency_id.items():
            if line.concurrency_limit is not None and line.current_concurrency >= line.concurrency_limit:
                continue
            event = next(filter(self._is_read, line.queue), None)
            if event is not None:
                line.queue.remove(event)
                return [event], False, name
        return None

    async def process_events(self, events: list[Event], batch: bool, begin_time: float, fn: BlockFunction) -> None:
        """As Gradio's, timed; nothing of it stays here, however it ended."""
        (event,) = events
        self._tasks[event._id] = asyncio.current_task()
        began = time.monotonic()
        try:
            await super().process_events(events, batch, begin_time, fn)
        finally:
            self._taken[fn._id].append(time.monotonic() - began)
            self._forget(event)

    def send_message(self, event: Event, event_message: EventMessage) -> None:
        """As Gradio's; a run's end is sent once, and a run that nobody reads is ended."""
        if not event.alive or event._id in self._ended:
            return
        if isinstance(event_message, ProcessCompletedMessage):
            self._ended.add(event._id)
        super().send_message(event, event_message)
        if self.pending_messages_per_session.bytes_of(event.session_hash) > UNREAD_BYTES:
            self._refuse(event, TOO_MUCH_UNREAD)
            event.alive = False
        self.pending_messages_per_session.make_room(UNREAD_BYTES_IN_ALL)

    # -- how

    def _waiting(self) -> list[Event]:
        return [event for line in self.event_queue_per_concurrency_id.values() for event in line.queue]

    def _computing(self) -> list[Event]:
        return [event for job in self.active_jobs if job for event in job]

    def _is_read(self, event: Event) -> bool:
        return event.session_hash in self._readers

    @contextmanager
    def _reading(self, session: str) -> Iterator[None]:
        self._readers[session] += 1
        try:
            yield
        finally:
            self._readers[session] -= 1
            self._readers += Counter()  # drops the zeros

    def _drop_unread(self, run: str) -> None:
        event = self.event_ids_to_events.get(run)
        if event is not None and not self._is_read(event) and event in self._waiting():
            self._refuse(event, NOT_READ)
            self._leave(event)

    def _refuse(self, event: Event, sentence: str) -> None:
        """End a run with a sentence to whoever waits for it."""
        answer = error_payload(gr.Error(sentence), show_error=False)
        if event._id not in self._ended:
            self._ended.add(event._id)
            super().send_message(event, ProcessCompletedMessage(output=answer, success=False))

    async def _end(self, event: Event) -> None:
        """Take a run out of the line, or off the processor; what it computes from here on reaches nobody."""
        event.alive = False
        if event in self._waiting():
            self._leave(event)
        elif event._id in self._tasks:
            task = self._tasks[event._id]
            task.cancel()
            await asyncio.wait([task])

    def _leave(self, event: Event) -> None:
        self.event_queue_per_concurrency_id[event.concurrency_id].queue.remove(event)
        self._forget(event)

    def _forget(self, event: Event) -> None:
        self.event_ids_to_events.pop(event._id, None)
        self._tasks.pop(event._id, None)
        self._endings.end(event._id)
        self._ended.discard(event._id)

    def _forget_dropped(self, session: str) -> None:
        """Forget a session's runs that Gradio ended as their reader left: no end of these is sent, some it keeps."""
        runs = self.pending_event_ids_session.get(session, set())
        events = (self.event_ids_to_events.get(run) for run in runs)
        runs -= {event._id for event in events if event is not None and not event.alive}


def install(page: gr.Blocks, in_all: int) -> RunQueue:
    """Give a page its queue: at most `in_all` runs wait; where nothing else is said, four compute."""
    page.queue(default_concurrency_limit=4, max_size=in_all, api_open=False)
    page._queue = RunQueue(page._queue)
    return page._queue


def queue_of(page: gr.Blocks) -> RunQueue:
    """The queue of a page that has been given its own."""
    return page._queue


def page_of(app: App) -> gr.Blocks:
    """The page that Gradio's app serves."""
    return app.get_blocks()


def function(page: gr.Blocks, number: int) -> Function | None:
    """The function of this number; None if there is none that runs here."""
    found = page.fns.get(number)
    return None if found is None or found.fn is None or found.is_cancel_function else _plain(found)


def endpoints(page: gr.Blocks) -> dict[str, Function]:
    """The documented ones, by name."""
    found = map(_plain, page.fns.values())
    return {one.endpoint: one for one in found if one.endpoint}


def event_under_way() -> tuple[str | None, float | None, Callable[[], bool]]:
    """The name of the event that is being handled, the seconds that it waited, and whether nobody waits for it now.

    What Gradio does not say is None, and costs a figure in the log and no visitor's run.
    """
    name, page = LocalContext.event_id.get(None), LocalContext.blocks.get(None)
    event = page._queue.event_ids_to_events.get(name) if page is not None else None
    if event is None:
        return name, None, lambda: False
    return name, time.monotonic() - event.enqueue_time, lambda: not event.alive


def close_at_end(steps: Generator) -> None:
    """Close what computes for the event that is being handled when that is over, however it comes about."""
    name, page = LocalContext.event_id.get(None), LocalContext.blocks.get(None)
    if name is not None and page is not None:
        page._queue.close_at_end(name, steps)


def _plain(found: BlockFunction) -> Function:
    public = found.api_visibility == "public" and found.api_name
    names = [name or "" for name in found.input_parameter_names] if public else [""] * len(found.inputs)
    at_once = found.concurrency_limit if isinstance(found.concurrency_limit, int) else 1
    return Function(found._id, found.api_name if public else None, tuple(names), bool(found.queue), at_once)
