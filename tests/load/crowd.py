"""A crowd on the real app: `locust -f tests/load/crowd.py --headless -u 100 -r 2 -t 2m`.

It starts an app of its own on this machine. Visitors open the page, write, measure, press Stop, close the tab in the
middle, call the endpoints, leave answers unread. Nothing may go wrong, nobody may be served before someone who came
earlier, the timings have to hold, and memory, threads and open runs have to be what they were: else exit code 1.
"""

import math
import random
import sys
from argparse import ArgumentParser

import gevent
from locust import User, between, events
from locust.env import Environment
from locust.exception import StopUser

from account import jobs_in, overtakes, turns_of_jobs, unaccounted
from report import account_rows, markdown, memory_row, outcome_rows, speed_rows, thread_row, wait_rows
from under_load import EVALUATE, GENERATE, App, Deed, State, add_app_options
from visitor import Leave

LOOK = 0.2  # seconds between two looks at the memory
LEAVE_AFTER = (0.0, 1.0)  # seconds after the first sign of life
PROMPT = "It was a cold night in November, and"
WRITE = ("page/generate", (False, ["int8"], PROMPT, 80, 1.0, 0, 1, False))
WRITE_LONG = ("page/generate", (False, ["int8"], PROMPT, 1_000, 1.0, 0, 1, False))
MEASURE = ("page/evaluate", (1_000, 200, ["int8"]))
MEASURE_LONG = ("page/evaluate", (8_000, 200, ["fp32-packed", "int8"]))
EVERYTHING = [Deed(1, *what) for what in (WRITE, WRITE_LONG, MEASURE, MEASURE_LONG, GENERATE, EVALUATE)]
DEEDS = (
    Deed(6, *WRITE),
    Deed(3, *MEASURE),
    Deed(5, *GENERATE),
    Deed(4, *EVALUATE),
    Deed(2, *WRITE_LONG, Leave.CANCEL),
    Deed(1, *MEASURE_LONG, Leave.CANCEL),
    Deed(2, *WRITE_LONG, Leave.VANISH),
    Deed(1, *MEASURE_LONG, Leave.VANISH),
    Deed(1, *GENERATE, Leave.VANISH),
    Deed(1, *WRITE, Leave.NEVER_READ),
    Deed(1, *GENERATE, Leave.NEVER_READ),
)


class Crowd:
    """The app before the crowd came, while it is there, and after."""

    def __init__(self, environment: Environment) -> None:
        """Start the app and measure it at rest."""
        self.app, self.probes = App(environment), environment.parsed_options.probes
        self.app.warm_up(EVERYTHING)
        self.before = self.app.probe(self.probes)
        self.peak = self.before.memory
        self.came = len(self.app.asked)  # what was asked before the crowd
        self.left = self.requests = environment.parsed_options.requests or math.inf
        self._watching = gevent.spawn(self._watch)

    def report(self) -> tuple[str, bool]:
        """Measure the app at rest again: what came of it all as Markdown, and whether all of it passes."""
        asked, until = self.app.asked[self.came :], len(self.app.asked)
        self._watching.kill()
        self.app.rest()
        after: State = self.app.probe(self.probes)
        idle = [*self.app.asked[: self.came], *self.app.asked[until:]]
        errors = [*self.app.problems, *(one.problem for one in self.app.asked if one.failed)]
        print(*dict.fromkeys(errors), sep="\n", file=sys.stderr)
        jobs = jobs_in(self.app.log)
        rows = [
            *outcome_rows(asked, errors),
            *wait_rows(asked, overtakes(turns_of_jobs(jobs))),
            *speed_rows(asked, idle),
            memory_row(self.before.memory, self.peak, after.memory),
            thread_row(self.before.threads, after.threads),
            *account_rows(*unaccounted(self.app.asked, jobs)),
        ]
        return markdown(rows), all(row.passed for row in rows)

    def _watch(self) -> None:
        while True:
            self.peak = max(self.peak, self.app.process.memory_info().rss)
            gevent.sleep(LOOK)


class Visiting(User):
    """Asks for one thing after another; who vanishes comes back in a new page."""

    wait_time = between(2, 8)

    def on_start(self) -> None:
        """Nobody has opened a page yet."""
        self.visitor = None

    def on_stop(self) -> None:
        """Close the page."""
        if self.visitor is not None:
            self.visitor.leave()
            self.visitor = None

    def do(self, deed: Deed) -> None:
        """Ask, from a page that is opened if none is; the last of so many requests ends it all."""
        crowd, app = self.environment.crowd, self.environment.crowd.app
        if not crowd.left:
            raise StopUser
        crowd.left -= 1
        self.visitor = self.visitor or app.arrive()
        app.do(self.visitor, deed, random.uniform(*LEAVE_AFTER))
        if deed.leave in (Leave.VANISH, Leave.NEVER_READ):
            self.on_stop()
        if len(app.asked) - crowd.came == crowd.requests:
            gevent.spawn(self.environment.runner.quit)  # which waits for users, and so for this one too

    tasks = {lambda user, deed=deed: user.do(deed): deed.weight for deed in DEEDS}  # noqa: RUF012 - locust's own way


@events.init_command_line_parser.add_listener
def add_options(parser: ArgumentParser) -> None:
    """Of our own, beside locust's."""
    add_app_options(parser)
    parser.add_argument("--requests", type=int, help="after which it ends, if the time has not ended it before")
    parser.add_argument("--probes", type=int, default=30, help="calls of each endpoint at rest, before and after")


@events.init.add_listener
def begin(environment: Environment, **_: object) -> None:
    """Before anybody comes."""
    environment.crowd = Crowd(environment)


@events.quitting.add_listener
def end(environment: Environment, **_: object) -> None:
    """When everybody has been served."""
    text, passed = environment.crowd.report()
    environment.crowd.app.stop()
    environment.process_exit_code = int(not passed)
    print(text)
