"""The heaps of Linux’s C library, shared by threads."""

import os
import subprocess
import sys

from lmdemo.bench import ROOT


def test_threads_share_two_heaps() -> None:
    code = """
import ctypes, sys, threading
from lmdemo.memory import few_arenas
few_arenas()
held = threading.Barrier(6)
def hold():
    kept = [bytearray(600) for _ in range(1000)]
    held.wait()
threads = [threading.Thread(target=hold) for _ in range(6)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
libc = ctypes.CDLL(None)
libc.malloc_info(0, ctypes.c_void_p.in_dll(libc, "stdout"))
libc.fflush(None)
"""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, check=True)
    assert 1 <= told.stdout.count(b"<heap nr=") <= 2
