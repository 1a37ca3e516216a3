"""What stays in memory of what was computed: heaps shared by threads, nothing of shapes that are gone."""

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


def test_operators_of_fifty_shapes_leave_no_more_than_those_of_twenty() -> None:
    """oneDNN would keep some MB of each, in every thread that met it."""
    code = """
import threading, torch
from lmdemo import onednn
onednn.keep_little()
from torch import nn
from lmdemo.memory import Growth, give_back

def meet(width):
    linear, lstm = nn.Linear(width, 200), nn.LSTM(width, width)
    packed = onednn.packed_linear(linear.weight.detach(), linear.bias.detach(), 50)
    with torch.inference_mode():
        for words in (50, 7):
            packed(lstm(torch.zeros(words, 1, width))[0].squeeze(1))

def meet_all(widths):
    for width in widths:
        meet(width)
    give_back()

def in_a_thread(widths):
    thread = threading.Thread(target=meet_all, args=(widths,))
    thread.start()
    thread.join()

meet_all(range(20, 60, 2))
growth = Growth()
meet_all(range(60, 120, 2))
in_a_thread(range(120, 180, 2))
print(growth.read())
"""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, check=True)
    assert int(told.stdout) < 5e6
