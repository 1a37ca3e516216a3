"""A Space on ZeroGPU, the hardware of free accounts, ends an app of which no function asks for a GPU.

So one is registered, where the package `spaces` is there and finds itself on such hardware; it is never called, and all
that is measured stays on the processor. Every Gradio Space has `spaces`, which is why no requirements name it.
"""

from importlib import import_module
from importlib.util import find_spec


def register() -> None:
    """Register the function, if this is a Space; elsewhere than on ZeroGPU `spaces` does nothing with it."""
    if find_spec("spaces") is not None:
        import_module("spaces").GPU(_nothing)


def _nothing() -> None:
    """What a GPU is asked for."""
