"""The endpoints through a real client, good input and bad."""

import json
import math
from collections.abc import Iterator

import httpx
import pytest
from gradio_client import Client

import lmdemo
from lmdemo.text import detokenize


@pytest.fixture(scope="module")
def client(address: str) -> Iterator[Client]:
    client = Client(address, verbose=False)
    yield client
    client.close()


DEFAULTS = {"generate": ("It was", 5, 1.0, 0, 1), "evaluate": (500, 25)}


def call(address: str, name: str, *data: object) -> tuple[str, object]:
    """An endpoint over plain HTTP, with whatever JSON can carry: the last event and its data."""
    body = json.dumps(
        {"data": data + DEFAULTS[name][len(data) :]}
    )  # NaN and Infinity too, as Python writes and reads them
    headers = {"Content-Type": "application/json"}
    started = httpx.post(f"{address}/gradio_api/call/{name}", content=body, headers=headers)
    started.raise_for_status()
    answer = httpx.get(f"{address}/gradio_api/call/{name}/{started.json()['event_id']}", timeout=60).text
    event, data_line = answer.strip().split("\n\n")[-1].split("\n")
    return event.removeprefix("event: "), json.loads(data_line.removeprefix("data: "))


def test_generate(client: Client) -> None:
    answer = client.predict("It was a", 30, 1.0, 0, 3, api_name="/generate")
    assert list(answer) == ["fp32", "int8", "first_difference"]
    for name in ("fp32", "int8"):
        assert len(answer[name]["words"]) == 30
        assert answer[name]["text"].startswith("It was a")
        assert answer[name]["text"] == detokenize("It was a".split() + answer[name]["words"])
        assert answer[name]["words_per_second"] == pytest.approx(30 / answer[name]["seconds"])
    pairs = zip(answer["fp32"]["words"], answer["int8"]["words"], strict=True)
    differ = [position for position, (one, other) in enumerate(pairs) if one != other]
    assert answer["first_difference"] == (differ[0] if differ else None)
    again = client.predict("It was a", 30, 1.0, 0, 3, api_name="/generate")
    assert again["int8"]["words"] == answer["int8"]["words"]


def test_defaults_are_the_documented_ones(client: Client) -> None:
    assert len(client.predict("It was a", api_name="/generate")["fp32"]["words"]) == 100
    rows = client.predict(api_name="/evaluate")
    assert [row["tokens"] for row in rows] == [2000, 2000]


def test_sizes(client: Client, bundled: lmdemo.Checkpoint) -> None:
    rows = client.predict(api_name="/sizes")
    expected = lmdemo.sizes(lmdemo.build_variants(bundled.model))
    assert rows == [
        {"variant": name, "bytes": size.total, "modules": dict(size.modules), "ratio": size.ratio}
        for name, size in expected.items()
    ]


def test_evaluate(client: Client, bundled: lmdemo.Checkpoint) -> None:
    rows = client.predict(500, 10, api_name="/evaluate")
    models = lmdemo.build_variants(bundled.model)
    assert [row["variant"] for row in rows] == ["fp32", "int8"]
    for row in rows:
        expected = lmdemo.evaluate(models[row["variant"]], bundled.test_ids[:501], 10)
        assert row["loss"] == pytest.approx(expected.loss, abs=1e-6)
        assert row["perplexity"] == pytest.approx(math.exp(row["loss"]))
        assert row["tokens"] == 500
        assert row["tokens_per_second"] == pytest.approx(500 / row["seconds"])
    assert rows[0]["speedup"] == 1
    assert rows[1]["speedup"] > 0


def test_only_the_endpoints_of_the_design_are_public(client: Client) -> None:
    assert sorted(client.view_api(return_format="dict")["named_endpoints"]) == ["/evaluate", "/generate", "/sizes"]


WORDS = "Words must be a whole number from 1 to 1,000."
TEMPERATURE = "Temperature must be a number from 0 to 5 (0 is greedy)."
SEED = "Seed must be a whole number from 0 to 4,294,967,295."


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (("x" * 10_000,), "Prompt has 10,000 characters; at most 2,000 are allowed."),
        (("a", 0), WORDS),
        (("a", 10**9), WORDS),
        (("a", "abc"), WORDS),
        (("a", math.nan), WORDS),
        (("a", [1]), WORDS),
        (("a", 5, -1), TEMPERATURE),
        (("a", 5, math.inf), TEMPERATURE),
        (("a", 5, 1, -3), "Top-k must be a whole number from 0 to 1,000 (0 is all words)."),
        (("a", 5, 1, 0, -1), SEED),
        (("a", 5, 1, 0, 10**30), SEED),
    ],
)
def test_bad_input_is_answered_with_one_sentence(address: str, data: tuple, sentence: str) -> None:
    event, answer = call(address, "generate", *data)
    assert event == "error"
    assert answer["error"] == sentence
    assert "Traceback" not in json.dumps(answer)


@pytest.mark.parametrize("prompt", ["", "😀 שלום", "<script>alert(1)</script>", "</s>", "a\x00b", None])
def test_odd_prompts_are_answered(address: str, prompt: str | None) -> None:
    event, answer = call(address, "generate", prompt, 3)
    assert event == "complete"
    assert len(answer[0]["fp32"]["words"]) == 3


def test_temperature_zero_is_greedy_whatever_the_seed(client: Client) -> None:
    one, other = (client.predict("It was", 12, 0, 0, seed, api_name="/generate") for seed in (1, 2))
    assert one["fp32"]["words"] == other["fp32"]["words"]


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ((5,), "Tokens must be a whole number from 100 to "),
        ((10**9,), "Tokens must be a whole number from 100 to "),
        ((math.nan,), "Tokens must be a whole number from 100 to "),
        ((500, 0), "Window must be a whole number from 1 to 1,000."),
        ((500, "wide"), "Window must be a whole number from 1 to 1,000."),
    ],
)
def test_a_bad_slice_is_answered_with_one_sentence(address: str, data: tuple, sentence: str) -> None:
    event, answer = call(address, "evaluate", *data)
    assert event == "error"
    assert answer["error"].startswith(sentence)


def test_after_all_that_the_server_still_answers(client: Client) -> None:
    assert client.predict("It was", 2, api_name="/generate")["int8"]["words"]
