"""The endpoints through a real client, good input and bad."""

import json
import math
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from gradio_client import Client

import lmdemo
from account import jobs_in
from endpoints import LONG, assert_stopped, begin, call, following
from lmdemo.fidelity import fidelity
from lmdemo.rounding import Rounding, bytes_saved
from lmdemo.text import detokenize
from lmdemo.ui.events import TEXT_INTERVAL
from waiting import LAST_NET


@pytest.fixture(scope="module")
def client(address: str) -> Iterator[Client]:
    client = Client(address, verbose=False, httpx_kwargs={"timeout": LAST_NET})
    yield client
    client.close()


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
    assert answer["fp32"]["choices"] == []
    assert [choice["position"] for choice in answer["int8"]["choices"]][:1] == differ[:1]
    for choice in answer["int8"]["choices"]:
        assert choice["word"] != answer["fp32"]["words"][choice["position"]]
    again = client.predict("It was a", 30, 1.0, 0, 3, api_name="/generate")
    assert again["int8"]["words"] == answer["int8"]["words"]


def test_whoever_wants_sees_the_texts_grow(client: Client) -> None:
    began = time.monotonic()
    snapshots = list(client.submit("It was a", 200, 1.0, 0, 3, api_name="/generate"))
    assert 2 < len(snapshots) < (time.monotonic() - began) / TEXT_INTERVAL + 2
    written = [tuple(len(snapshot[name]["words"]) for name in ("fp32", "int8")) for snapshot in snapshots]
    assert written == sorted(written)
    assert min(written[0]) < 200
    assert written[-1] == (200, 200)
    final = snapshots[-1]
    for snapshot in snapshots:
        assert snapshot.keys() == final.keys()
        for name in ("fp32", "int8"):
            writing = snapshot[name]
            assert writing["words"] == final[name]["words"][: len(writing["words"])]
            assert writing["text"] == detokenize("It was a".split() + writing["words"])
            assert writing["words_per_second"] == pytest.approx(len(writing["words"]) / writing["seconds"])
        assert snapshot["first_difference"] in (None, final["first_difference"])
    assert client.predict("It was a", 200, 1.0, 0, 3, api_name="/generate")["int8"]["words"] == final["int8"]["words"]


def test_whoever_wants_sees_the_evaluation_go_on(client: Client) -> None:
    snapshots = list(client.submit(1000, 5, api_name="/evaluate"))
    read = [[row["tokens"] for row in rows] for rows in snapshots]
    assert len(read) > 2
    assert read == sorted(read)
    assert read[0] < [1000, 1000]
    assert read[-1] == [1000, 1000]
    assert {tuple(row) for rows in snapshots for row in rows} == {tuple(snapshots[-1][0])}


@pytest.mark.parametrize(("name", "data"), [("generate", ("It was", 200)), ("evaluate", (1000, 5))])
def test_over_plain_http_snapshots_come_before_the_end(address: str, name: str, data: tuple) -> None:
    with following(address, name, *data) as events:
        kinds, answers = zip(*events, strict=True)
    assert set(kinds[:-1]) == {"generating"}
    assert kinds[-1] == "complete"
    assert answers[0] != answers[-1]
    assert answers[-2] == answers[-1]


@pytest.mark.parametrize("name", LONG)
def test_leaving_in_the_middle_ends_the_run(address: str, app_log: Path, name: str) -> None:
    before = len(jobs_in(app_log))
    with following(address, name, *LONG[name]) as events:
        begin(events)
    assert_stopped(address, app_log, before)


def test_leaving_the_queue_leaves_nothing_to_compute(address: str, app_log: Path) -> None:
    before = len(jobs_in(app_log))
    with following(address, "evaluate", *LONG["evaluate"]) as events:
        begin(events)
        for _ in range(3):
            with following(address, "generate", *LONG["generate"]):
                pass  # it waits for its turn
    assert not any("words" in one for one in assert_stopped(address, app_log, before))


def test_a_client_can_cancel(client: Client, address: str, app_log: Path) -> None:
    before = len(jobs_in(app_log))
    job = client.submit(*LONG["generate"], api_name="/generate")
    assert len(next(iter(job))["fp32"]["words"]) < 1000
    job.cancel()
    assert_stopped(address, app_log, before)


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
    models = lmdemo.build_variants(bundled.model, ["fp32", "int8"])
    assert [row["variant"] for row in rows] == ["fp32", "int8"]
    for row in rows:
        expected = lmdemo.evaluate(models[row["variant"]], bundled.test_ids[:501], 10)
        assert row["loss"] == pytest.approx(expected.loss, abs=1e-6)
        assert row["perplexity"] == pytest.approx(math.exp(row["loss"]))
        assert row["tokens"] == 500
        assert row["tokens_per_second"] == pytest.approx(500 / row["seconds"])
        assert isinstance(row["doubts"], str)
        assert row["memory"] is None or row["memory"] > 10**6
    assert rows[0]["speedup"] == 1
    assert rows[1]["speedup"] > 0
    low, high = rows[1]["speedup_interval"]
    assert low <= rows[1]["speedup"] <= high
    assert rows[0]["writing"]["speedup"] == 1
    for row in rows:
        low, high = row["writing"]["speedup_interval"]
        assert low <= row["writing"]["speedup"] <= high
        assert row["writing"]["words_per_second"] > 0
    assert rows[0]["fidelity"]["kl"] == {"value": 0.0, "interval": [0.0, 0.0]}
    *_, run = fidelity(models, bundled.test_ids[:501], 10)
    for name, figure in (("kl", "kl"), ("perplexity_change", "perplexity_change"), ("same_top_word", "top_1")):
        found, expected = rows[1]["fidelity"][name], getattr(run.results["int8"], figure)
        assert [found["value"], *found["interval"]] == pytest.approx([expected.value, expected.low, expected.high])


def test_inspect(client: Client, bundled: lmdemo.Checkpoint) -> None:
    """Of each place what /generate answered with, and what the engine says of it."""
    asked = {"temperature": 0.8, "top_k": 40, "seed": 3}
    written = client.predict("It was a", 30, *asked.values(), api_name="/generate")
    words, choices = written["fp32"]["words"], {each["position"]: each["word"] for each in written["int8"]["choices"]}
    models = lmdemo.build_variants(bundled.model, ["fp32", "int8"])
    model = written["fp32"]["model"]
    assert model == written["int8"]["model"] == bundled.fingerprint
    settings = lmdemo.GenerationSettings("It was a", **asked)
    for position in {0, 29, *choices}:
        answer = client.predict("It was a", words, position, *asked.values(), model, api_name="/inspect")
        assert list(answer) == ["written", "chosen", "kl", "words"]
        assert answer["written"] == words[position]
        assert answer["chosen"] == {"fp32": words[position], "int8": choices.get(position, words[position])}
        expected = lmdemo.inspect(models, bundled.vocabulary, settings, words, position)
        assert answer["kl"] == pytest.approx(expected.kl)
        assert [row["word"] for row in answer["words"]] == [each.word for each in expected.candidates]
        for row, each in zip(answer["words"], expected.candidates, strict=True):
            assert row["noise"] == pytest.approx(each.noise)
            assert row["probability"] == pytest.approx(each.probabilities)
            assert row["score"] == pytest.approx(
                {name: score if math.isfinite(score) else None for name, score in each.scores.items()}
            )


OTHER = "Another model wrote this text than the one in service; write it again."
TEXT = "It was a cold night. Zyxqwv didn't\nanswer at once."


def test_text(client: Client, bundled: lmdemo.Checkpoint) -> None:
    answer = client.predict(TEXT, api_name="/text")
    *_, expected = lmdemo.read_text(bundled, lmdemo.build_variants(bundled.model, ["fp32", "int8"]), TEXT)
    assert answer["words"] == list(expected.text.words)
    assert answer["unknown"] == {"Zyxqwv": 1}
    assert answer["unknown_share"] == expected.text.unknown_share
    for name, words in expected.words.items():
        assert answer["losses"][name] == pytest.approx(list(words.losses), rel=1e-5)
        assert answer["kl"][name] == pytest.approx(list(words.kl), abs=1e-6)
    assert [row["variant"] for row in answer["variants"]] == ["fp32", "int8"]
    assert [row["tokens"] for row in answer["variants"]] == [len(answer["words"])] * 2
    assert answer["doubt"] == ""


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "The text is empty: paste at least two words."),
        (None, "The text is empty: paste at least two words."),
        ("night", "The text has one word: paste at least two."),
        ("Zyxqwv qwvzyx", "This model knows fewer than two words of the text; paste one in its language."),
        ("\x00\x01\x02 the the", "This is no text: too many of its characters are none that a text has."),
        ("x" * 20_001, "The text has 20,001 characters; at most 20,000 are allowed."),
        (["the", "the"], "The text must be text of at most 20,000 characters."),
    ],
)
def test_a_text_that_cannot_be_measured_is_answered_with_one_sentence(address: str, text: str, sentence: str) -> None:
    event, answer = call(address, "text", text)
    assert (event, answer["error"]) == ("error", sentence)


def test_a_text_of_ten_megabytes_is_not_read(address: str) -> None:
    answer = httpx.post(f"{address}/gradio_api/call/text", json={"data": ["the " * 2_500_000]})
    assert (answer.status_code, answer.json()["error"]) == (413, "A request may have 65,536 bytes.")


def test_bits(client: Client, bundled: lmdemo.Checkpoint) -> None:
    """Of two matrices, which is measured for who asks: what the engine says of them; and fp32's text is /generate's."""
    settings = ("It was a", 30, 0.8, 40, 3)
    matrices = ["embedding", "decoder"]
    answer = client.predict(5, False, matrices, *settings, api_name="/bits")
    plain = client.predict(*settings, api_name="/generate")
    assert {key: answer["fp32"][key] for key in ("text", "words")} == {
        key: plain["fp32"][key] for key in ("text", "words")
    }
    models = {"fp32": bundled.model, "rounded": lmdemo.round_weights(bundled.model, 5, False, matrices)}
    *_, expected = lmdemo.generate(models, bundled.vocabulary, *settings)
    assert answer["rounded"]["words"] == list(expected.writings["rounded"].words)
    chosen = {choice["position"]: choice["word"] for choice in answer["rounded"]["choices"]}
    assert chosen == expected.choices("rounded")
    assert answer["first_difference"] == expected.first_difference
    *_, run = fidelity(models, bundled.test_ids[:1501], 200)
    cost = answer["cost"]
    assert cost["tokens"] == 1500
    assert cost["kl"] == pytest.approx(run.results["rounded"].kl.value, rel=1e-5)
    assert cost["perplexity"] == pytest.approx(run.results["rounded"].perplexity.value, rel=1e-5)
    assert cost["fp32_perplexity"] == pytest.approx(run.results["fp32"].perplexity.value, rel=1e-5)
    assert cost["bytes_saved"] == bytes_saved(bundled.model, Rounding(5, False, tuple(matrices)))
    assert "words_per_second" not in answer["rounded"]
    assert list(answer["curves"]) == ["tensor", "row"]


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ((1,), "Bits must be a whole number from 2 to 8."),
        (("four",), "Bits must be a whole number from 2 to 8."),
        ((math.nan,), "Bits must be a whole number from 2 to 8."),
        ((4, "yes"), "Per_row must be true or false."),
        ((4, False, []), "Matrices must be one or more of embedding, LSTM, decoder."),
        ((4, False, ["<b>"]), "Matrices must be a list of names among embedding, LSTM, decoder."),
        ((4, False, "LSTM"), "Matrices must be a list of names among embedding, LSTM, decoder."),
        ((4, False, ["LSTM"], "It", 0), "Words must be a whole number from 1 to 1,000."),
    ],
)
def test_bits_that_cannot_be_are_answered_with_one_sentence(address: str, data: tuple, sentence: str) -> None:
    event, answer = call(address, "bits", *data)
    assert (event, answer["error"]) == ("error", sentence)


def test_shape(client: Client) -> None:
    answers = list(client.submit(40, 6, 8, 2, 5, False, api_name="/shape"))
    assert {tuple(answer) for answer in answers} == {("parameters", "variants", "sentence", "doubts")}
    assert answers[0]["sentence"] is None
    assert answers[0]["variants"][0]["writing"] is None
    final = answers[-1]
    assert final["parameters"] == lmdemo.Shape(40, 6, 8, 2).parameters
    assert [row["variant"] for row in final["variants"]] == ["fp32", "fp32-packed", "int8", "int8-packed"]
    for row in final["variants"]:
        assert sum(row["modules"].values()) == row["bytes"]
        for work in ("writing", "reading"):
            low, high = row[work]["speedup_interval"]
            assert low <= row[work]["speedup"] <= high
            low, high = row[work]["interval"]
            assert low <= row[work]["words_per_second"] <= high
    assert final["variants"][1]["writing"]["speedup"] == 1
    assert final["sentence"].startswith("At this shape")
    assert isinstance(final["doubts"], str)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ((0,), "Vocabulary must be a whole number from 2 to 300,000 (words)."),
        ((40, math.inf), "Embedding must be a whole number from 1 to 4,096."),
        ((40, 6, 8, 2, 5, "yes"), "Tied must be true or false."),
        ((40, 6, 8, 2, 5, True), "Tied weights are one matrix: Embedding and Hidden must be of one width."),
        (
            (300_000, 4_096, 4_096, 16),
            "This shape has 4,605,907,936 parameters, 18,424 MB as fp32; at most 160 MB are built here.",
        ),
    ],
)
def test_a_shape_that_is_none_or_too_much_is_answered_with_one_sentence(
    address: str, data: tuple, sentence: str
) -> None:
    event, answer = call(address, "shape", *data)
    assert (event, answer["error"]) == ("error", sentence)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (("a", ["the"], 1), "Position must be a whole number from 0 to 0 (the text's last word)."),
        (("a", ["the", "was"], -1), "Position must be a whole number from 0 to 1 (the text's last word)."),
        (("a", ["the"], 0.5), "Position must be a whole number from 0 to 0 (the text's last word)."),
        (("a", ["the", "<b>nowhere</b>"], 0), "The word at position 1 is none that this model has."),
        (("a", [["the"]], 0), "The word at position 0 is none that this model has."),
        (("a", [], 0), "Words must be a list of 1 to 1,000 words."),
        (("a", "the", 0), "Words must be a list of 1 to 1,000 words."),
        (("a", ["the"] * 1001, 0), "Words must be a list of 1 to 1,000 words."),
        (("a", ["the"], 0, 1, 0, 1, "0123456789ab"), OTHER),
        (("a", ["the"], 0, 1, 0, 1, ["the"]), OTHER),
        (("a", ["the"], 0, math.nan), "Temperature must be a number from 0 to 5 (0 is greedy)."),
    ],
)
def test_a_place_that_is_none_is_answered_with_one_sentence(address: str, data: tuple, sentence: str) -> None:
    event, answer = call(address, "inspect", *data)
    assert event == "error"
    assert answer["error"] == sentence


def test_of_too_few_blocks_the_interval_is_null(client: Client) -> None:
    rows = client.predict(100, 100, api_name="/evaluate")
    assert [row["speedup_interval"] for row in rows] == [None, None]


def test_only_the_endpoints_of_the_design_are_public(client: Client) -> None:
    assert sorted(client.view_api(return_format="dict")["named_endpoints"]) == [
        "/bits",
        "/evaluate",
        "/generate",
        "/inspect",
        "/shape",
        "/sizes",
        "/text",
    ]


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
