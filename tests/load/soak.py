"""Many short sessions: `locust -f tests/load/soak.py --headless -u 4 -r 4 -t 30m --sessions 2000`.

It starts an app of its own on this machine and looks at its memory after each session: whether it grows with them, also
with those who ask for six texts of 1,000 words and read none. If it does, or anything goes wrong: exit code 1.
"""

import random
import sys
from argparse import ArgumentParser

import gevent
from locust import User, constant, events, task
from locust.env import Environment
from locust.exception import StopUser

import lmdemo
from account import jobs_in, unaccounted
from report import Row, account_rows, markdown, outcome_rows, slope_rows, thread_row
from under_load import App, Deed, add_app_options
from visitor import Leave

WRITE = ("page/generate", (False, ["int8"], "It was", 20, 1.0, 0, 1, False))
LONG = ("page/generate", (False, ["int8"], "It was", 500, 1.0, 0, 1, False))
LONGEST = ("page/generate", (False, list(lmdemo.VARIANTS)[1:], "It was", 1_000, 1.0, 0, 1, False))
CALL = ("api/generate", ("It was", 20, 1.0, 0, 1))
DEEDS = (
    Deed(4, *WRITE),
    Deed(4, *CALL),
    Deed(4, "api/evaluate", (200, 25)),
    Deed(4, "page/evaluate", (400, 200, ["int8"])),
    Deed(4, *LONG, Leave.CANCEL),
    Deed(4, *LONG, Leave.VANISH),
    Deed(4, *WRITE, Leave.NEVER_READ),
    Deed(4, *CALL, Leave.NEVER_READ),
    Deed(1, *LONGEST, Leave.NEVER_READ),
)
LEAVE_AFTER = (0.0, 0.2)  # seconds


class Soak:
    """Memory over sessions."""

    def __init__(self, environment: Environment) -> None:
        """Start the app."""
        self.app = App(environment)
        self.app.warm_up([Deed(1, deed.kind, deed.data) for deed in DEEDS if deed.leave is Leave.NOT])
        self.threads = self.app.process.num_threads()
        self.left = self.sessions = environment.parsed_options.sessions
        self.memory: list[int] = []  # bytes resident after each session

    def report(self) -> tuple[str, bool]:
        """What came of it as Markdown, and whether all of it passes."""
        self.app.rest()
        errors = [*self.app.problems, *(one.problem for one in self.app.asked if one.failed)]
        print(*dict.fromkeys(errors), sep="\n", file=sys.stderr)
        rows = [
            Row("sessions", f"{len(self.memory):,}", "all, in the time", len(self.memory) == self.sessions),
            *outcome_rows(self.app.asked, errors),
            *slope_rows(self.memory),
            thread_row(self.threads, self.app.process.num_threads()),
            *account_rows(*unaccounted(self.app.asked, jobs_in(self.app.log))),
        ]
        return markdown(rows), all(row.passed for row in rows)


class Passing(User):
    """Opens the page, asks for one thing, and is gone."""

    wait_time = constant(0)

    @task
    def pass_by(self) -> None:
        """One session; the last one ends it all."""
        soak = self.environment.soak
        if not soak.left:
            raise StopUser
        soak.left -= 1
        (deed,) = random.choices(DEEDS, [deed.weight for deed in DEEDS])
        with soak.app.arrive() as visitor:
            soak.app.do(visitor, deed, random.uniform(*LEAVE_AFTER))
        soak.memory.append(soak.app.process.memory_info().rss)
        if len(soak.memory) == soak.sessions:
            gevent.spawn(self.environment.runner.quit)  # which waits for users, and so for this one too


@events.init_command_line_parser.add_listener
def add_options(parser: ArgumentParser) -> None:
    """Of our own, beside locust's."""
    add_app_options(parser)
    parser.add_argument("--sessions", type=int, default=2_000, help="to be opened")


@events.init.add_listener
def begin(environment: Environment, **_: object) -> None:
    """Before anybody comes."""
    environment.soak = Soak(environment)


@events.quitting.add_listener
def end(environment: Environment, **_: object) -> None:
    """When everybody has been served."""
    text, passed = environment.soak.report()
    environment.soak.app.stop()
    environment.process_exit_code = int(not passed)
    print(text)
