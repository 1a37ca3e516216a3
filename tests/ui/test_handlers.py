"""What the tabs' handlers send, called as plain functions."""

import asyncio
import math
from collections.abc import Coroutine
from concurrent.futures import Future
from pathlib import Path
from types import ModuleType
from typing import TypeVar

import gradio as gr
import pytest

import lmdemo
from little_text import little_text
from lmdemo.fidelity import fidelity
from lmdemo.generation import Generation
from lmdemo.lab import Lab
from lmdemo.measured import Evaluation
from lmdemo.server.service import Request, Service
from lmdemo.ui import asking, evaluate, generate, race, texts
from threads import in_a_thread
from waiting import LAST_NET

Answer = TypeVar("Answer")
RUN = "?prompt=It+was&words=5&temperature=.5&seed=2&variants=int8,int4-embedding"


def finish(coroutine: Coroutine[object, object, Answer]) -> Answer:
    return in_a_thread(asyncio.run, coroutine)


@pytest.fixture(scope="module")
def service() -> Service:
    """With its first results there, whichever test is the first."""
    with little_text():
        service = Service()
    service.start()
    service.lab.evaluation.result(timeout=LAST_NET)
    return service


def test_writing_ends_with_the_final_snapshot_drawn(service: Service) -> None:
    updates = list(generate.write(service, False, ["int8"], **settings(words=120)))
    end = updates[-1]
    assert end["last"].final
    assert generate.draw(end["last"], False) == {"status": end["status"], "texts": end["texts"]}
    assert end["query"] == "?tab=generate&prompt=It%20was&words=120&temperature=1&top_k=0&seed=2&variants=int8&run=1"
    assert len(updates) < 60  # paced: far fewer than words


def settings(**changed: object) -> dict[str, object]:
    """The fields of what Write sends."""
    return {"prompt": "It was", "words": 5, "temperature": 1.0, "top_k": 0, "seed": 2, "allow_unk": False} | changed


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"prompt": "x" * 10_000}, "Prompt has 10,000 characters"),
        ({"words": 0}, "Words must be a whole number from 1 to 1,000."),
        ({"temperature": math.nan}, "Temperature must be a number from 0 to 5 (0 is greedy)."),
        ({"top_k": None}, "Top-k must be a whole number from 0 to 1,000 (0 is all words)."),
        ({"seed": 2.5}, "Seed must be a whole number from 0 to 4,294,967,295."),
        ({"allow_unk": "on"}, "Allow &lt;unk&gt; must be true or false."),
    ],
)
def test_bad_fields_get_a_sentence_and_leave_the_rest(service: Service, wrong: dict, sentence: str) -> None:
    (update,) = generate.write(service, False, ["int8"], **settings(**wrong))
    assert sentence in update.pop("status")
    assert update == {}


def test_an_address_fills_the_inputs_and_the_first_results_leave_them(service: Service) -> None:
    found = finish(generate.arrive(service, f"http://host/{RUN}&run=1"))
    assert "Starting" in found.pop("status")
    assert found == {
        **settings(temperature=0.5),
        "variants": ["int8", "int4-embedding"],
        "texts": "",
        "last": None,
        "origin": None,
        "query": "",
        "slowly": gr.update(interactive=False),
        "share": gr.update(interactive=False),
        "asked": 1,
    }
    assert finish(generate.arrive(service, f"http://host/{RUN}"))["asked"] == 0
    address = "http://host/?tab=evaluate&tokens=300&window=9&variants=&run=1"
    found = finish(evaluate.arrive(service, address))
    assert [found[name] for name in ("tokens", "window", "variants", "asked")] == [300, 9, [], 1]
    assert not {"tokens", "window", "variants", "asked"} & finish(evaluate.arrive(service, f"http://host/{RUN}")).keys()


def test_the_page_has_defaults_of_its_own_and_an_address_those_it_always_had(service: Service) -> None:
    example = finish(generate.arrive(service, "http://host/"))
    assert (example["last"].settings.temperature, example["last"].settings.top_k) == (0.8, 40)
    assert "&temperature=0.8&top_k=40&" in example["query"]
    found = finish(generate.arrive(service, "http://host/?prompt=It+was&run=1"))
    assert (found["temperature"], found["top_k"]) == (1.0, 0)
    assert asking.tutorial_choice() == {"temperature": 1.0, "top_k": 0}


def test_a_bad_address_is_a_sentence_beside_the_first_results(service: Service) -> None:
    found = finish(generate.arrive(service, "http://host/?words=0&run=1"))
    assert "In this page’s address: Words must be a whole number from 1 to 1,000." in found["status"]
    assert "<section" in found["texts"]
    assert found["last"].final
    found = finish(evaluate.arrive(service, "http://host/?tab=evaluate&window=0&run=1"))
    assert "In this page’s address: Window must be a whole number from 1 to 1,000." in found["status"]
    assert "asked" not in found


async def watched(last: Generation | None, still: object = False) -> list[dict]:
    return [frame async for frame in generate.watch(False, last, still)]


def test_a_race_ends_where_the_run_ended_and_says_how_much_it_was_slowed(service: Service) -> None:
    *_, end = generate.write(service, False, ["int8"], **settings())
    last = end["last"]
    *frames, end = finish(watched(last))
    assert frames
    for frame in frames:
        assert "on the clock." in frame["status"]
        assert "under-way" in frame["status"]
        assert race.line(last) in frame["status"]
    assert end["texts"] == generate.draw(last, False)["texts"]
    assert "under-way" not in end["status"] + end["texts"]
    assert texts.verdict(last) in end["status"]


def test_whoever_asked_for_less_motion_sees_the_end_and_why(service: Service) -> None:
    *_, end = generate.write(service, False, ["int8"], **settings())
    (only,) = finish(watched(end["last"], still=True))
    assert only["texts"] == end["texts"]
    assert f"{generate.STILL} {race.line(end['last'])}" in only["status"]


def test_a_race_that_is_skipped_shows_the_whole_texts(service: Service) -> None:
    *_, end = generate.write(service, False, ["int8"], **settings())
    assert generate.stopped(False, end["last"]) == generate.draw(end["last"], False)


def test_a_race_of_a_stopped_run_ends_too(service: Service) -> None:
    run = generate.write(service, False, ["int8"], **settings(words=500))
    last = next(run)["last"]
    run.close()
    assert not last.final
    assert finish(watched(last, still=True))[-1] == generate.stopped(False, last)


def test_a_race_of_nothing_says_so() -> None:
    (only,) = finish(watched(None))
    assert "press Write first" in only["status"]
    assert generate.redraw(True, None) == {}  # what is shown stays


def test_a_bad_choice_of_variants_gets_a_sentence(service: Service) -> None:
    for updates in (
        generate.write(service, False, ["<b>"], **settings()),
        evaluate.measure(service, 1000, 25, None),
    ):
        (update,) = updates
        assert "Variants must be a list of names among fp32, fp32-packed, int8," in update["status"]
        assert "<b>" not in update["status"]


def test_measuring_shows_progress_then_the_verdict(service: Service) -> None:
    updates = list(evaluate.measure(service, 1000, 25, ["fp32-packed", "int8"]))
    first, last = updates[0], updates[-1]
    assert "of 1,000 words read." in first["status"]
    assert "1,000 words measured; the answers are in the card above." in last["status"]
    assert "KL of int8 is 0." in last["status"]
    assert not {"perplexity", "speed"} & set(last["status"].split())  # that is the card's to say
    assert "1,000 words in windows of 25" in last["card"]
    assert {first[name] for name in ("fidelity", "spread", "passages", "percentiles", "texts")} == {""}
    assert first["dots"] is first["course"] is None
    for kind in ("markdown", "json", "csv"):
        assert [update[kind]["interactive"] for update in (first, last)] == [False, True]
    assert last["fidelity"].count("<tr") == 3
    assert last["last"].final
    assert "Stopped after" in evaluate.stopped(first["last"])["status"]
    assert "before anything was measured" in evaluate.stopped(last["last"])["status"]


def test_fp32_alone_is_measured_too(service: Service) -> None:
    *_, last = evaluate.measure(service, 200, 25, [])
    assert "fp32 reads" in last["status"]
    assert last["fidelity"] == ""


def test_the_whole_texts_passages_are_shown_when_they_are_there(
    service: Service, bundled: lmdemo.Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluation, whole = service.lab.evaluation.result(timeout=LAST_NET), Future()
    monkeypatch.setattr(Lab, "whole", whole)
    monkeypatch.setattr(Evaluation, "sound", True)
    early = evaluate.again(service, evaluation, False)
    assert not early["whole"].visible
    assert early["clock"].active
    models = lmdemo.build_variants(bundled.model, ["fp32", "int8"])
    *_, run = fidelity(models, bundled.test_ids[:401], 100)
    whole.set_result(run)
    late = evaluate.again(service, evaluation, False)
    assert (late["whole"].visible, late["clock"].active) == (True, False)
    assert "16 passages of the whole test text (400 words in windows of 100), 25 words each" in late["whole_spread"]
    assert len(late["whole_dots"].data) == 4
    assert "status" not in late  # what is shown stays
    asked = finish(evaluate.arrive(service, "http://host/?tab=evaluate&tokens=300"))
    assert asked["whole_spread"] == late["whole_spread"]


def test_a_page_that_came_too_early_gets_the_first_results_when_they_are_there(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready, late = service.lab.evaluation.result(timeout=LAST_NET), Future()
    monkeypatch.setattr(Lab, "evaluation", late)
    monkeypatch.setattr("lmdemo.ui.events.FIRST_WAIT", 0)
    early = finish(evaluate.arrive(service, "http://host/"))
    assert (early["clock"].active, early["awaits"], len(early)) == (True, True, 2)
    assert evaluate.again(service, None, True)["clock"].active
    late.set_result(ready)
    assert evaluate.again(service, None, True)["last"] is ready
    assert "last" not in evaluate.again(service, None, False)  # what the address asked for stays


@pytest.mark.parametrize("address", ["http://host/", "http://host/?words=0"])
def test_a_page_that_came_before_the_example_gets_it_and_keeps_what_was_typed_and_run(
    service: Service, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    ready, late = service.lab.example.result(timeout=LAST_NET), Future()
    monkeypatch.setattr(Lab, "example", late)
    monkeypatch.setattr("lmdemo.ui.events.FIRST_WAIT", 0)
    early = finish(generate.arrive(service, address))
    line = early.pop("status", "")  # of what is wrong with the address
    assert early == {"awaits": line}
    looking = generate.again(service, None, line, asking.SEED)
    assert (looking["clock"].active, len(looking)) == (True, 1)
    late.set_result(ready)
    found = generate.again(service, None, line, asking.SEED)
    assert (found["last"], found["seed"], found["awaits"]) == (ready, ready.settings.seed, None)
    assert not found["clock"].active
    assert found["status"] == line or "Computed here" in found["status"]
    assert "prompt" not in found
    assert generate.again(service, None, line, 7).keys() == found.keys() - {"seed"}  # which was typed
    assert generate.again(service, ready, line, 7).keys() == {"awaits", "clock"}
    monkeypatch.setattr("lmdemo.server.service.session_under_way", lambda: "writing")
    next(service.run(generate.KIND, lambda **_: iter([ready])))
    assert generate.again(service, None, line, asking.SEED).keys() == {"awaits", "clock"}
    assert generate.again(service, None, None, asking.SEED) == {}  # nothing is awaited


def test_a_bad_slice_gets_a_sentence_and_leaves_the_rest(service: Service) -> None:
    (update,) = evaluate.measure(service, 1000, 0, [])
    assert "Window must be a whole number from 1 to 1,000." in update.pop("status")
    assert update == {}


@pytest.mark.parametrize("text", ["the", "the word1", " ".join(["word1"] * 100)])
def test_however_short_a_test_text_its_slider_has_a_range(publishable: Path, text: str) -> None:
    (publishable / "test.txt").write_text(f" {text} \n", encoding="utf-8")
    (publishable / "SHA256SUMS").unlink()  # the author's own test text is another
    slider = gr.Slider(**evaluate.slice_range(Service(Request(str(publishable))).lab))  # which it would refuse
    assert slider.minimum < slider.value == slider.maximum


@pytest.mark.parametrize("tab", [generate, evaluate])
def test_what_comes_late_on_arrival_does_not_replace_what_the_visitor_asked_for(
    service: Service, monkeypatch: pytest.MonkeyPatch, tab: ModuleType
) -> None:
    monkeypatch.setattr("lmdemo.server.service.session_under_way", lambda: "early")
    assert "status" in finish(tab.arrive(service, "http://host/"))
    run = service.run(tab.KIND, lambda **_: iter([service.lab.example.result()]))
    assert next(run).final
    assert finish(tab.arrive(service, "http://host/")) == {}
    monkeypatch.setattr("lmdemo.server.service.session_under_way", lambda: "another")
    assert "status" in finish(tab.arrive(service, "http://host/"))
