"""Updates go by name, and are paced by the clock."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import gradio as gr
import pytest

from lmdemo.ui.events import Update, named, throttled
from threads import in_a_thread


def double(word: str, times: int) -> Update:
    return {"text": word * times} if times else {}


async def double_later(word: str, times: int) -> Update:
    return double(word, times)


def double_twice(word: str, times: int) -> Iterator[Update]:
    yield {"note": ""}
    yield double(word, times)


async def double_twice_later(word: str, times: int) -> AsyncIterator[Update]:
    for update in double_twice(word, times):
        yield update


async def answers(answer: object) -> list:
    """What came of a handler, of whatever kind."""
    if isinstance(answer, AsyncIterator):
        return [one async for one in answer]
    if isinstance(answer, Iterator):
        return list(answer)
    return [await answer if isinstance(answer, Awaitable) else answer]


@pytest.mark.parametrize("handler", [double, double_later, double_twice, double_twice_later])
def test_an_event_goes_by_name_whatever_kind_its_handler_is_of(handler: Callable) -> None:
    word, times, text, note = gr.Textbox(), gr.Number(), gr.Textbox(), gr.Textbox()
    event = named(handler, {"times": times, "word": word}, {"note": note, "text": text})
    assert (event["inputs"], event["outputs"]) == ([times, word], [note, text])
    assert event["fn"].__name__ == handler.__name__
    *before, last = in_a_thread(asyncio.run, answers(event["fn"](2, "ab")))
    assert last == {text: "abab"}
    assert all(one == {note: ""} for one in before)
    *_, last = in_a_thread(asyncio.run, answers(event["fn"](0, "ab")))
    assert last == gr.skip()  # Gradio's word for leaving all as it is: of an empty dict it makes a value


def test_a_handler_that_does_not_take_its_inputs_is_found_when_the_page_is_built() -> None:
    with pytest.raises(TypeError, match="missing a required argument: 'times'"):
        named(double, {"word": gr.Textbox()}, {})


def test_whoever_leaves_ends_the_handler_at_once() -> None:
    ended = []

    def endless() -> Iterator[Update]:
        try:
            while True:
                yield {}
        finally:
            ended.append(True)

    run = named(endless, {}, {})["fn"]()
    next(run)
    run.close()
    assert ended


def test_the_first_comes_at_once_and_the_last_always() -> None:
    assert list(throttled(iter(range(1000)), 10.0)) == [0, 999]
    assert list(throttled(iter([5]), 10.0)) == [5]
    assert list(throttled(iter([]), 10.0)) == []


def test_between_them_at_most_one_an_interval() -> None:
    def slow() -> object:
        for number in range(30):
            time.sleep(0.005)
            yield number

    shown = list(throttled(slow(), 0.05))
    assert shown[0] == 0
    assert shown[-1] == 29
    assert len(shown) < 10
    assert list(throttled(slow(), 0.0001, lambda number: 1e6 if number == 2 else 1)) == [0, 1, 2, 29]
