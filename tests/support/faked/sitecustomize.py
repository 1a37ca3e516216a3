"""For an app under libfaketime: Python's sleep by select.

Where libfaketime 0.9.10 leaves the monotonic clock alone, clock_nanosleep fails with EINVAL, which Python sleeps with.
"""

import select
import time


def sleep(seconds: float) -> None:
    select.select([], [], [], seconds)


time.sleep = sleep
