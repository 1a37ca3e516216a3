"""What is asked of MKL, which lies within torch's own library on x86; the one file that names it."""

import ctypes
from functools import cache
from pathlib import Path

import torch


def tanh_address() -> int | None:
    """Where the function lies that torch's own tanh calls, so that its last bit is the same; None if not in MKL."""
    return _address("vmsTanh")


def free_buffers() -> None:
    """Give the C library back what MKL keeps for products of every shape that it has met, several MB for each.

    It comes anew with the next product. Nothing where there is no MKL.
    """
    if address := _address("mkl_serv_free_buffers"):
        ctypes.CFUNCTYPE(None)(address)()


@cache
def _address(name: str) -> int | None:
    try:
        library = ctypes.CDLL(str(Path(torch.__file__).parent / "lib" / "libtorch_cpu.so"))
        return ctypes.cast(getattr(library, name), ctypes.c_void_p).value
    except (OSError, AttributeError):  # another system's library; one without MKL
        return None
