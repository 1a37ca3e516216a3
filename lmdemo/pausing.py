"""Work that can be ended between its pieces, however deep below whoever asked for it they are.

Laying out the weights of a large model, quantizing it and finding its fastest ways take a second or two, in functions
that many others call. Each of these says where it may be ended; whether it is, and how, is said around all of them.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

from torch.overrides import TorchFunctionMode

_pause: ContextVar[Callable[[], None]] = ContextVar("pause", default=lambda: None)


@contextmanager
def interruptible(pause: Callable[[], None]) -> Iterator[None]:
    """While what is built or chosen within, by the thread that calls, can be ended: by what `pause` raises."""
    token = _pause.set(pause)
    try:
        yield
    finally:
        _pause.reset(token)


def pause_here() -> None:
    """Between two pieces of some milliseconds: call the `pause` of who made this interruptible, if anybody did."""
    _pause.get()()


class PausesBetweenCalls(TorchFunctionMode):
    """While what torch does by itself, as making a model or quantizing one, can be ended between two of its calls."""

    def __torch_function__(
        self, func: Callable, types: object, args: tuple = (), kwargs: Mapping[str, object] | None = None
    ) -> object:
        """Call `func`, after a pause."""
        pause_here()
        return func(*args, **(kwargs or {}))
