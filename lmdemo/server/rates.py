"""How often an address may ask: what is answered at once holds no place in the queue, and takes time all the same."""

import time
from collections import OrderedDict
from collections.abc import Callable

from lmdemo.server.refusal import Refusal

PER_SECOND = 100.0  # requests that an address earns; a page of a visitor who drags a slider asks a few
AT_ONCE = 2_000.0  # that it may have earned: a school opens its pages in the same minute
ADDRESSES = 4_096  # that are remembered; one that is forgotten begins anew
# What a request counts, by what it costs to answer; the page is drawn from the description of all its parts.
PAGE, FILE, OTHER = 10.0, 0.1, 1.0


def cost(path: str) -> float:
    """What a request of this path counts."""
    if path in ("/", "/config", "/config/", "/gradio_api/info", "/gradio_api/openapi.json"):
        return PAGE
    return FILE if path.startswith(("/assets/", "/static/")) else OTHER


class Rates:
    """What each address may still ask for."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Nobody has asked."""
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # and when that was so

    def spend(self, address: str, amount: float) -> None:
        """Count a request.

        Raises:
            Refusal: the address has asked too often; with the seconds until it may again.
        """
        now = self._clock()
        left, since = self._left.pop(address, (AT_ONCE, now))
        left = min(AT_ONCE, left + (now - since) * PER_SECOND)
        enough = left >= amount
        self._left[address] = (left - amount if enough else left, now)
        if len(self._left) > ADDRESSES:
            self._left.popitem(last=False)
        if not enough:
            wait = max(1, round((amount - left) / PER_SECOND))
            raise Refusal(429, f"From one address {PER_SECOND:g} requests a second are answered; wait {wait} s.", wait)
