"""The app under a clock that jumps."""

import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from glob import glob
from pathlib import Path

import httpx

from calls import Calls
from lmdemo.bench import running_app

FAKETIME = "/usr/lib/*-linux-gnu/faketime/libfaketimeMT.so.1"  # of Debian's package faketime


def test_a_clock_that_jumps_in_a_run_changes_no_figure(tmp_path: Path, calls: Callable[[str], Calls]) -> None:
    libraries = glob(FAKETIME)
    assert libraries, "Without Debian's package faketime no clock jumps here."
    clock = tmp_path / "clock"
    clock.write_text("+0d")
    faked = {
        "LD_PRELOAD": libraries[0],
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_CACHE_DURATION": "1",  # second; then the file is read again
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",  # a clock that is set does not move that one either
    }
    with running_app(**faked) as (_, address, _):

        def day() -> int:
            return parsedate_to_datetime(httpx.get(address).headers["date"]).toordinal()

        call = calls(address)
        call.begin("evaluate", 500, 25).result()  # the app knows how long one takes
        for jump in ("+1d", "-1d"):
            before = day()
            began = time.monotonic()
            running = call.begin("evaluate", 3000, 5)
            call.wait_for_turn()
            clock.write_text(jump)
            while day() == before:
                assert not running.done(), "the run ended before the clock jumped"
                time.sleep(0.02)
            jumped = time.monotonic()
            ended, event, (rows,) = running.result()
            assert jumped < ended  # it was within the run
            assert event == "complete"
            assert [row["tokens"] for row in rows] == [3000, 3000]
            assert all(row["seconds"] > 0 for row in rows)
            assert sum(row["seconds"] for row in rows) < ended - began
            _, event, (answer,) = call.begin("generate", "It was", 20, 1, 0, 1).result()
            assert (event, len(answer["int8"]["words"])) == ("complete", 20)
