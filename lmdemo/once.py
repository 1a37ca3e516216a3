"""What is made once, by whichever thread needs it first."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Made = TypeVar("Made")


class Once(Generic[Made]):
    """Made at the first call, in the thread that calls; whoever calls meanwhile waits for it.

    Where making it raises, that call raises, and the next one tries again.
    """

    def __init__(self, make: Callable[[], Made]) -> None:
        self._make = make
        self._making = threading.Lock()
        self._made: tuple[Made, ...] = ()

    @property
    def made(self) -> Made | None:
        """What was made, if it was, for who does not wait for it."""
        return self._made[0] if self._made else None

    def __call__(self) -> Made:
        """What was made."""
        with self._making:
            if not self._made:
                self._made = (self._make(),)
        return self._made[0]
