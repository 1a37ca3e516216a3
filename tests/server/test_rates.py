"""How often an address may ask, by a clock of the tests' own."""

import pytest

from lmdemo.server.rates import ADDRESSES, AT_ONCE, FILE, OTHER, PAGE, PER_SECOND, Rates, cost
from lmdemo.server.refusal import Refusal


def asked(rates: Rates, address: str, amount: float, most: int) -> int:
    """How many requests are answered before one is refused."""
    for number in range(most):
        try:
            rates.spend(address, amount)
        except Refusal:
            return number
    return most


def test_an_address_asks_so_often_and_others_are_answered() -> None:
    now = 0.0
    rates = Rates(lambda: now)
    assert asked(rates, "one", OTHER, 10_000) == AT_ONCE
    with pytest.raises(Refusal, match="From one address 100 requests a second are answered; wait 1 s") as refused:
        rates.spend("one", OTHER)
    assert (refused.value.status, refused.value.retry_after) == (429, 1)
    rates.spend("two", OTHER)
    now = 0.5
    assert asked(rates, "one", OTHER, 10_000) == PER_SECOND / 2
    now = 10_000.0
    assert asked(rates, "one", OTHER, 10_000) == AT_ONCE


def test_a_page_counts_for_more_than_its_files() -> None:
    assert [cost(path) for path in ("/", "/config", "/assets/a.js", "/gradio_api/run/x")] == [PAGE, PAGE, FILE, OTHER]


def test_no_more_addresses_are_remembered_than_so_many() -> None:
    rates = Rates(lambda: 0.0)
    for number in range(2 * ADDRESSES):
        rates.spend(str(number), OTHER)
    assert len(rates._left) == ADDRESSES
