"""Which checkpoint visitors are served from: the bundled one at once, the one asked for when it has come.

A pull from the Hub runs behind the page and can only end in a switch or in a sentence; whatever a visitor
computes meanwhile goes on with the lab it began with.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum

from lmdemo.checkpoint import hub_name, load, load_checkpoint, locate
from lmdemo.errors import HubError, LmdemoError
from lmdemo.hub import DEFAULT_NAME
from lmdemo.lab import Lab
from lmdemo.server import jobs
from lmdemo.server.gradio_queue import close_at_end, event_under_way
from lmdemo.server.jobs import LONGEST, Job, Snapshot
from lmdemo.server.sessions import session_under_way
from lmdemo.turns import Turns

log = logging.getLogger(__name__)

REMEMBERED = 1_024  # of the runs that pages began, by session and kind; a page asks within a minute of its arrival


class Phase(Enum):
    """How far a pull has come."""

    PULLING = "pulling"  # files are on their way
    PREPARING = "preparing"  # they are here: read, quantized, first results computed
    SERVING = "serving"  # visitors have it
    REFUSED = "refused"  # it did not come, or was not fit


@dataclass(frozen=True)
class Request:
    """The checkpoint that was asked for."""

    source: str | None = None  # a folder, or owner/name[@revision]; None is the bundled checkpoint
    guessed: bool = False  # nobody asked: what comes of it is the log's business, and the page's only if it serves


@dataclass(frozen=True)
class Pull:
    """Where a checkpoint that was asked of the Hub stands."""

    request: Request
    phase: Phase = Phase.PULLING
    here: int = 0  # bytes
    total: int = 0  # bytes in all; 0 until the Hub has said
    problem: str = ""  # the sentence, when something went wrong

    @property
    def under_way(self) -> bool:
        """Whether a page should go on asking."""
        return self.phase in (Phase.PULLING, Phase.PREPARING)


def request_from(environment: Mapping[str, str]) -> Request:
    """What the environment asks for: `LMDEMO_MODEL`; on a Space without it, its account's own lmdemo-lstm.

    It is looked for under the Space's own account, so that nobody else can put a model in its place.
    """
    if source := environment.get("LMDEMO_MODEL", "").strip():
        return Request(source)
    if account := environment.get("SPACE_AUTHOR_NAME"):
        return Request(f"{account}/{DEFAULT_NAME}", guessed=True)
    return Request()


class Service:
    """The lab in service and the pull behind it; safe to use from many threads."""

    def __init__(self, request: Request | None = None, longest: float = LONGEST) -> None:
        """Load the bundled checkpoint, or the folder that is asked for; nothing is pulled yet.

        Args:
            request: the checkpoint to serve; without it the bundled one.
            longest: seconds that a visitor's run may take.

        Raises:
            CheckpointError: the source is neither a sound folder nor a name on the Hub.
        """
        request = request or Request()
        name = hub_name(request.source) if request.source is not None else None
        self.longest = longest
        self._turns = Turns()
        self._begun: deque[tuple[str | None, str]] = deque(maxlen=REMEMBERED)
        lab = Lab(load_checkpoint(None if name else request.source), self._turns)
        self._state = (lab, Pull(replace(request, source=str(name))) if name else None)

    @property
    def lab(self) -> Lab:
        """The lab that new work begins with."""
        return self._state[0]

    @property
    def state(self) -> tuple[Lab, Pull | None]:
        """The lab in service and the pull, as they stood at one moment; no pull if nothing was asked of the Hub."""
        return self._state

    def start(self) -> None:
        """Begin the first results and the pull in the background, unless that was begun before."""
        lab, pull = self._state
        if lab.start() and pull is not None:
            threading.Thread(target=self._bring, args=(lab, pull), name="pull", daemon=True).start()

    def run(self, kind: str, start: Callable[..., Iterator[Snapshot]], **asked: object) -> Iterator[Snapshot]:
        """A job of this `kind`, as in page/generate, for the event that is being handled: what
        `start(**asked, pause=…)` starts.

        Raises:
            InputError, JobError: as `jobs.run`.
        """
        self._begun.append((session_under_way(), kind))
        job = Job(kind, asked, *event_under_way())
        steps = jobs.run(job, lambda pause: start(**asked, pause=pause), self.longest)
        close_at_end(steps)
        return steps

    def has_begun(self, kind: str) -> bool:
        """Whether the page whose event is being handled has begun a run of this kind, not long ago.

        What a page fetches as it arrives may come late; what its visitor asked for meanwhile stays.
        """
        session = session_under_way()
        return session is not None and (session, kind) in self._begun

    def _bring(self, bundled: Lab, pull: Pull) -> None:
        """Pull, prepare, switch; whatever happens ends in a phase that the page can show."""

        def report(here: int, total: int) -> None:
            self._state = bundled, replace(pull, here=here, total=total)

        try:
            located = locate(pull.request.source, report)
            self._state = bundled, replace(pull, phase=Phase.PREPARING)
            lab = Lab(load(located), self._turns)  # which takes turns to compute; nobody waits for the reading
            lab.start()
            lab.evaluation.result()
            self._state = lab, replace(pull, phase=Phase.SERVING, problem=located.problem)
            bundled.close()
        except LmdemoError as error:
            # the Hub's end names the model; what is found in its files names the file only
            problem = str(error) if isinstance(error, HubError) else f"{pull.request.source} is not fit: {error}"
            log.warning("%s", problem)
            self._state = bundled, replace(pull, phase=Phase.REFUSED, problem=problem)
        except Exception:  # a thread that ends in silence would leave the page waiting
            log.exception("%s could not be prepared.", pull.request.source)
            problem = f"{pull.request.source} could not be prepared; the log of the server has the reason."
            self._state = bundled, replace(pull, phase=Phase.REFUSED, problem=problem)
