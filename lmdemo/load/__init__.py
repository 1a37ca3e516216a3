"""`python -m lmdemo load`: the real app under a crowd, and whether it holds.

Visitors open the page, write, measure, stop runs, close the tab in the middle, and call the endpoints, over HTTP on
this machine and nowhere else. It needs the tools of tests/requirements.txt. Unlike the benchmark it passes or fails:
nothing may go wrong, nobody may be served before someone who came earlier, the timings have to hold, and memory,
threads and open runs have to be what they were. One file a subject; this one names what the command and tests use.
"""

from lmdemo.load.measure import Load
from lmdemo.load.measure import run as run_load
from lmdemo.load.report import Row, load_rows, markdown, soak_rows
from lmdemo.load.soak import Soak
from lmdemo.load.soak import run as run_soak

__all__ = ["Load", "Row", "Soak", "load_rows", "markdown", "run_load", "run_soak", "soak_rows"]
