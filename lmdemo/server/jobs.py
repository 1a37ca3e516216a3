"""A job: a run that a visitor or another program started, bounded in seconds and logged in one line.

It knows nothing of pages nor of the queue before it. What was typed never reaches the log: of a text only its length.
"""

import logging
import math
import time
import traceback
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from lmdemo.errors import InputError, JobError
from lmdemo.evaluation import Comparison
from lmdemo.generation import Generation
from lmdemo.inference import Pause
from lmdemo.inputs import real_number
from lmdemo.inspecting import Inspection
from lmdemo.measured import Evaluation
from lmdemo.memory import give_back
from lmdemo.own_text import TextReading
from lmdemo.rounding import MATRICES
from lmdemo.shaping import ShapeRun
from lmdemo.simulation import Simulated
from lmdemo.sweeping import Sweep
from lmdemo.variants import VARIANTS

log = logging.getLogger(__name__)
Snapshot = TypeVar("Snapshot", Generation, Comparison, Evaluation, Inspection, Simulated, TextReading, ShapeRun, Sweep)

LONGEST = 60.0  # seconds a job may take
LONGEST_RANGE = (1, 3600)
PACKAGE = Path(__file__).parent.parent


@dataclass(frozen=True)
class Job:
    """What is to be run, as it came from outside: nothing in it has been checked."""

    kind: str  # where it was started and what it does, as in page/generate
    asked: Mapping[str, object]  # by name
    name: str | None = None  # of the event that asked for it, as the queue gave it to whoever asked
    waited: float | None = None  # seconds in the queue; None if nobody knows
    left: Callable[[], bool] = lambda: False  # whether nobody waits for it any more


@dataclass(frozen=True)
class _End:
    """How a job ended."""

    outcome: str = "done"
    error: str | None = None  # a sentence for what was refused, else the class of what was raised
    where: str | None = None  # it was raised


def longest_from(environment: Mapping[str, str]) -> float:
    """The seconds that a job may take: `LMDEMO_MAX_SECONDS`, or LONGEST.

    Raises:
        InputError: it is no number, or one out of its range.
    """
    asked: object = environment.get("LMDEMO_MAX_SECONDS") or LONGEST
    try:
        asked = float(asked)
    except ValueError:
        asked = math.nan
    return real_number("LMDEMO_MAX_SECONDS", asked, *LONGEST_RANGE)


class _Left(Exception):  # noqa: N818 - nothing went wrong
    """Nobody waits for this run any more."""


def run(
    job: Job, start: Callable[[Pause], Iterator[Snapshot]], longest: float = LONGEST
) -> Generator[Snapshot, None, None]:
    """The snapshots of what `start` starts, for at most `longest` seconds and the step under way then.

    `start` is given the pause that ends a run which was left, wherever it is.

    The seconds count from the first snapshot: until then a run may have waited while a model from the Hub was prepared.

    Raises:
        InputError: before the first snapshot, for what `start` refuses.
        JobError: the time was over, after the last snapshot that was measured; or something failed.
    """
    began = time.perf_counter()
    deadline: float | None = None
    last: Snapshot | None = None
    end = _End()

    def pause() -> None:
        if job.left():
            raise _Left

    try:
        for last in start(pause):
            deadline = deadline or time.perf_counter() + longest
            pause()
            yield last
            if time.perf_counter() > deadline and not last.final:
                end = replace(end, outcome="too long")
                raise JobError(
                    f"The run was ended after {longest:g} seconds, the most that one may take here; ask for less."
                )
    except GeneratorExit:  # Stop was pressed, or nobody is there any more
        end = _End("stopped")
        raise
    except _Left:
        end = _End("stopped")
    except InputError as error:
        end = _End("refused", str(error))  # which never repeats what was typed
        raise
    except JobError:
        raise
    except Exception as error:
        end = _End("failed", type(error).__name__, _where(error))  # no message: it may hold what was typed
        raise JobError("The run failed; the log of this server says where.") from error
    finally:
        give_back()
        _log(job, last, time.perf_counter() - began, end)


def _log(job: Job, last: Snapshot | None, seconds: float, end: _End) -> None:
    fields = {
        "event": job.name,
        "kind": job.kind,
        "asked": {name: _loggable(value) for name, value in job.asked.items()},
        "queue_seconds": None if job.waited is None else round(job.waited, 4),
        "seconds": round(seconds, 4),
        **({} if last is None else last.computed),
        "outcome": end.outcome,
    }
    fields |= {name: value for name, value in (("error", end.error), ("where", end.where)) if value}
    log.log(logging.ERROR if end.outcome == "failed" else logging.INFO, "job", extra={"fields": fields})


def _loggable(value: object) -> object:
    """A number, or the name of a variant or a matrix, as it is, of a text its length, of anything else what it is."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return value if abs(value) < 1e15 else "a number out of all range"  # NaN too: it is not less
    if isinstance(value, str):
        return value if value in (*VARIANTS, *MATRICES) else f"{len(value)} characters"
    if isinstance(value, list | tuple):
        return [_loggable(one) for one in value[: len(VARIANTS)] if not isinstance(one, list | tuple)]
    return type(value).__name__


def _where(error: BaseException) -> str:
    """The last line of this package on the way to an error, as file:line."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(PACKAGE)]
    last = (ours or frames)[-1]
    return f"{Path(last.filename).name}:{last.lineno}"
