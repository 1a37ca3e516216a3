"""What the tabs' handlers send, called as plain functions."""

import asyncio
import math
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import gradio as gr
import pytest

from lmdemo.roofline import Limit
from lmdemo.server.service import Request, Service
from lmdemo.ui import evaluate, generate
from threads import in_a_thread

Answer = TypeVar("Answer")
RUN = "?prompt=It+was&words=5&temperature=.5&seed=2&variants=int8,int4-embedding"


def finish(coroutine: Coroutine[object, object, Answer]) -> Answer:
    return in_a_thread(asyncio.run, coroutine)


@pytest.fixture(scope="module")
def service() -> Service:
    return Service()


def test_writing_ends_with_the_final_snapshot_drawn(service: Service) -> None:
    updates = list(generate.write(service, False, ["int8"], "It was", 120, 1.0, 0, 2, False))
    line, texts, last, query = updates[-1]
    assert last.texts.final
    assert generate.draw(last, False) == (line, texts)
    assert query == "?tab=generate&prompt=It%20was&words=120&temperature=1&top_k=0&seed=2&variants=int8&run=1"
    assert len(updates) < 60  # paced: far fewer than words


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        (("x" * 10_000, 5, 1, 0, 1, False), "Prompt has 10,000 characters"),
        (("a", 0, 1, 0, 1, False), "Words must be a whole number from 1 to 1,000."),
        (("a", 5, math.nan, 0, 1, False), "Temperature must be a number from 0 to 5 (0 is greedy)."),
        (("a", 5, 1, None, 1, False), "Top-k must be a whole number from 0 to 1,000 (0 is all words)."),
        (("a", 5, 1, 0, 2.5, False), "Seed must be a whole number from 0 to 4,294,967,295."),
        (("a", 5, 1, 0, 1, "on"), "Allow &lt;unk&gt; must be true or false."),
    ],
)
def test_bad_fields_get_a_sentence_and_leave_the_rest(service: Service, fields: tuple, sentence: str) -> None:
    ((line, *rest),) = generate.write(service, False, ["int8"], *fields)
    assert sentence in line
    assert 'role="alert"' in line
    assert rest == [gr.skip()] * 3


def test_an_address_fills_the_inputs_and_the_first_results_leave_them(service: Service) -> None:
    line, texts, last, query, *controls, asked = finish(generate.arrive(service, f"http://host/{RUN}&run=1"))
    assert "Starting" in line
    assert (texts, last, query) == ("", None, "")
    assert controls == ["It was", 5, 0.5, 0, 2, False, ["int8", "int4-embedding"]]
    assert asked == 1
    *_, asked = finish(generate.arrive(service, f"http://host/{RUN}"))
    assert asked == 0
    address = "http://host/?tab=evaluate&tokens=300&window=9&variants=&run=1"
    line, *_, tokens, window, variants, asked = finish(evaluate.arrive(service, address))
    assert (tokens, window, variants, asked) == (300, 9, [], 1)
    assert finish(evaluate.arrive(service, f"http://host/{RUN}"))[-4:] == (gr.skip(),) * 4


def test_a_bad_address_is_a_sentence_beside_the_first_results(service: Service) -> None:
    line, texts, last, *_ = finish(generate.arrive(service, "http://host/?words=0&run=1"))
    assert "In this page’s address: Words must be a whole number from 1 to 1,000." in line
    assert "<section" in texts
    assert last.texts.final
    line, *_, asked = finish(evaluate.arrive(service, "http://host/?tab=evaluate&window=0&run=1"))
    assert "In this page’s address: Window must be a whole number from 1 to 1,000." in line
    assert asked == gr.skip()


async def replayed(last: generate.Run | None) -> list[tuple[str, str]]:
    return [frame async for frame in generate.replay(False, last)]


def test_a_replay_ends_where_the_run_ended(service: Service) -> None:
    *_, (_, _, last, _) = generate.write(service, False, ["int8"], "It was", 5, 1.0, 0, 2, False)
    frames = finish(replayed(last))
    assert len(frames) > 1
    assert frames[-1] == generate.draw(last, False)
    assert frames[0] != frames[-1]


def test_a_replay_of_a_stopped_run_ends_too(service: Service) -> None:
    (_, _, last, _), *_ = generate.write(service, False, ["int8"], "It was", 500, 1.0, 0, 2, False)
    assert not last.texts.final
    line, texts = finish(replayed(last))[-1]
    assert line == generate.stopped(last)
    assert "under-way" not in line
    assert texts == generate.redraw(False, last)


def test_a_replay_of_a_long_run_is_cut_short(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    *_, (_, _, last, _) = generate.write(service, False, ["int8"], "It was", 200, 1.0, 0, 2, False)
    monkeypatch.setattr(generate, "LONGEST_REPLAY", 0.3)
    *frames, (line, texts) = finish(replayed(last))
    assert len(frames) in (3, 4)
    assert "The replay was cut short after 0.3 seconds." in line
    assert texts == generate.redraw(False, last)


def test_a_replay_of_nothing_says_so() -> None:
    ((line, _),) = finish(replayed(None))
    assert "press Write first" in line


def test_texts_of_a_model_that_left_the_service_keep_its_limits(service: Service) -> None:
    *_, (_, _, last, _) = generate.write(service, False, ["int8"], "It was", 5, 1.0, 0, 2, False)
    limit = Limit(bytes_per_word=1, operations_per_word=1, bandwidth=1e6, peak=1e6)
    of_its_model = replace(last, limits={"fp32": limit})
    assert "of the limit" in generate.redraw(False, of_its_model)
    assert "of the limit" not in generate.redraw(False, replace(last, limits={}))


def test_a_bad_choice_of_variants_gets_a_sentence(service: Service) -> None:
    for updates in (
        generate.write(service, False, ["<b>"], "It was", 5, 1.0, 0, 2, False),
        evaluate.measure(service, 1000, 25, None),
    ):
        ((line, *_),) = updates
        assert "Variants must be a list of names among fp32, fp32-packed, int8," in line
        assert "<b>" not in line


def test_measuring_shows_progress_then_the_verdict(service: Service) -> None:
    updates = list(evaluate.measure(service, 1000, 25, ["fp32-packed", "int8"]))
    first, last = updates[0], updates[-1]
    assert "of 1,000 words read." in first[0]
    assert "over 1,000 words in windows of 25" in last[0]
    assert "the speed of fp32," in last[0] or "hides any difference" in last[0]
    assert "that of fp32-packed" in last[0] or "hides any difference" in last[0]
    assert "of fp32’s quality (95%)" in last[0]
    assert first[4] == first[5] == first[6] == ""  # no fidelity, no percentiles, nothing to hand out
    assert last[4].count("<tr") == 3
    assert last[7].final
    assert "Stopped after" in evaluate.stopped(first[7])
    assert "before anything was measured" in evaluate.stopped(last[7])


def test_fp32_alone_is_measured_too(service: Service) -> None:
    *_, last = evaluate.measure(service, 200, 25, [])
    assert "fp32 reads" in last[0]
    assert last[4] == ""


def test_a_bad_slice_gets_a_sentence_and_leaves_the_rest(service: Service) -> None:
    ((line, *rest),) = evaluate.measure(service, 1000, 0, [])
    assert "Window must be a whole number from 1 to 1,000." in line
    assert rest == [gr.skip()] * 7


@pytest.mark.parametrize("text", ["the", "the word1", " ".join(["word1"] * 100)])
def test_however_short_a_test_text_its_slider_has_a_range(publishable: Path, text: str) -> None:
    (publishable / "test.txt").write_text(f" {text} \n", encoding="utf-8")
    (publishable / "SHA256SUMS").unlink()  # the author's own test text is another
    slider = gr.Slider(**evaluate.slice_range(Service(Request(str(publishable))).lab))  # which it would refuse
    assert slider.minimum < slider.value == slider.maximum
