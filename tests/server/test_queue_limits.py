"""Who may have another run wait, on plain records."""

import pytest

from lmdemo.server.queue_limits import (
    IN_ALL,
    PER_ADDRESS,
    PER_ADDRESS_SECONDS,
    PER_ADDRESS_UNREAD,
    PER_SESSION,
    Place,
    QueueLimits,
    check,
)
from lmdemo.server.refusal import Refusal


def place(address: str = "a", session: str | None = None, seconds: float = 1.0, read: bool = True) -> Place:
    return Place(session, address, seconds, read)


def taken_by(address: str, there: list[Place], **more: object) -> int:
    """How many places an address gets that asks for all it can have; they are put to those that are there."""
    for number in range(IN_ALL + 1):
        try:
            check(place(address, **more), there)
        except Refusal:
            return number
        there.append(place(address, **more))
    raise AssertionError("there is no end to it")


def test_everybody_gets_a_place_until_all_are_taken() -> None:
    there: list[Place] = []
    for number in range(IN_ALL):
        check(place(f"visitor-{number}"), there)
        there.append(place(f"visitor-{number}"))
    with pytest.raises(Refusal, match=f"The queue is full: {IN_ALL} runs are waiting; .* takes about {IN_ALL} s"):
        check(place("another"), there)


def test_two_addresses_cannot_lock_out_the_others() -> None:
    there: list[Place] = []
    assert taken_by("one", there) == PER_ADDRESS
    assert taken_by("two", there) < PER_ADDRESS
    check(place("somebody else"), there)


def test_an_address_holds_few_places_that_nobody_reads() -> None:
    there: list[Place] = []
    assert taken_by("one", there, read=False) == PER_ADDRESS_UNREAD
    check(place("two"), there)


def test_an_address_holds_places_for_so_many_seconds() -> None:
    there: list[Place] = []
    assert taken_by("one", there, seconds=30) == PER_ADDRESS_SECONDS / 30
    check(place("two", seconds=30), there)
    check(place("one", seconds=2 * PER_ADDRESS_SECONDS), [])  # alone it is nobody's wait


def test_a_page_has_some_runs_and_is_told_the_wait() -> None:
    there = [place(session="page", seconds=2.4)] * PER_SESSION
    with pytest.raises(Refusal, match=f"From one page {PER_SESSION} runs may wait; .* takes about 10 s") as refused:
        check(place(session="page"), there)
    assert (refused.value.status, refused.value.retry_after) == (429, 10)
    check(place(session="another"), there)


def test_what_is_on_its_way_into_the_queue_counts() -> None:
    limits, there = QueueLimits(), [place(session="page")] * (PER_SESSION - 1)
    with limits.enter(place(session="page"), there), pytest.raises(Refusal), limits.enter(place(session="page"), there):
        pass
    with limits.enter(place(session="page"), there):
        pass
