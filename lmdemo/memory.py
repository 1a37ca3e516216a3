"""The memory that the C library holds for this process: less of it, given back sooner, and how much something took."""

import ctypes
import gc
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from lmdemo.mkl import free_buffers

M_ARENA_MAX = -8  # mallopt(3)


def few_arenas() -> None:
    """Let the threads of this process, those that it starts from now on, share two of the C library's heaps.

    glibc gives each thread one of its own, and each keeps what its largest run needed: with the web server's threads
    that comes to 170 MB more. Other C libraries have nothing to be set here.
    """
    if _glibc():
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 2)


def give_back() -> None:
    """Give the system back what MKL and the C library hold free: an evaluation leaves some 40 MB, for 2 ms to give it.

    glibc does so by itself for the end of a heap only. Other C libraries are left to their own ways.
    """
    free_buffers()
    if _glibc():
        ctypes.CDLL(None).malloc_trim(0)


@contextmanager
def dropping_circles() -> Iterator[None]:
    """What is made within, and in the end held by itself alone, is gone then.

    `quantize_dynamic` and `torch.save` leave such circles, with all weights in them, until Python comes to look for
    any. Looked through is only what was made within: all of a served page would take a quarter of a second, in which
    nobody is served.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.collect()
        gc.unfreeze()


class Growth:
    """By how much the C library's heap has grown since this was made.

    What any thread of this process allocated and did not free; not the memory maps of other libraries.
    """

    def __init__(self) -> None:
        self._before = _in_use()

    def read(self) -> int | None:
        """Bytes so far; None where the C library does not tell."""
        now = _in_use()
        return None if now is None or self._before is None else now - self._before


class _Mallinfo(ctypes.Structure):
    """mallinfo2(3), of all heaps together."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    ]


def _in_use() -> int | None:
    """Bytes allocated and not freed; None where the C library does not tell: it is not glibc, or older than 2.33."""
    if not _glibc() or not hasattr(library := ctypes.CDLL(None), "mallinfo2"):
        return None
    library.mallinfo2.restype = _Mallinfo
    info = library.mallinfo2()
    return info.uordblks + info.hblkhd


@cache
def _glibc() -> bool:
    return platform.libc_ver()[0] == "glibc"
