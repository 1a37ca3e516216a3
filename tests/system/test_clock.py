"""The app under a clock that jumps."""

import time
from email.utils import parsedate_to_datetime
from glob import glob
from pathlib import Path

from endpoints import begin, call, following
from lmdemo.bench import ROOT, running_app
from patient import get

FAKETIME = "/usr/lib/*-linux-gnu/faketime/libfaketimeMT.so.1"  # of Debian's package faketime


def test_a_clock_that_jumps_in_a_run_changes_no_figure(tmp_path: Path) -> None:
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
    faked["PYTHONPATH"] = str(ROOT / "tests" / "support" / "faked")
    with running_app(**faked) as (_, address, _):

        def day() -> int:
            return parsedate_to_datetime(get(address).headers["date"]).toordinal()

        for jump in ("+1d", "-1d"):
            before, began = day(), time.monotonic()
            with following(address, "evaluate", 5_000, 1) as events:
                begin(events)
                clock.write_text(jump)
                jumped = next(data for _, data in events if day() != before)
                event, (rows,) = next(events)
                elapsed = time.monotonic() - began
            assert event == "generating"  # it was within the run
            for row, earlier in zip(rows, jumped[0], strict=True):
                assert row["tokens"] > earlier["tokens"]
                assert 0 < earlier["seconds"] < row["seconds"]
            assert sum(row["seconds"] for row in rows) < elapsed
            event, (answer,) = call(address, "generate", "It was", 20)
            assert (event, len(answer["int8"]["words"])) == ("complete", 20)
