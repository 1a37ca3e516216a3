"""First results without anyone asking; of a long text also what nobody would wait for."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

import lmdemo
from lmdemo.fidelity import FidelityRun
from lmdemo.first_results import EXAMPLE_PARTS, FirstResults
from lmdemo.generation import Generation, GenerationSettings
from lmdemo.lab import DEFAULT_MEASURED, DEFAULT_WINDOW, Lab
from lmdemo.machine import Interference
from lmdemo.measured import Evaluation
from lmdemo.size import Size
from waiting import LAST_NET


@pytest.fixture(scope="module")
def short(bundled: lmdemo.Checkpoint) -> lmdemo.Checkpoint:
    """The bundled model with so little test text that the first results cost little."""
    return replace(bundled, test_ids=bundled.test_ids[:301])


@pytest.fixture(scope="module")
def started(short: lmdemo.Checkpoint) -> Lab:
    """A lab whose first results are on their way."""
    lab = Lab(short)
    assert not lab.example.done()
    assert lab.start()
    assert not lab.start()
    return lab


@pytest.fixture
def long(bundled: lmdemo.Checkpoint, tiny: lmdemo.LSTMModel, words: lmdemo.Vocabulary) -> Lab:
    """A small model whose own text is too long to be read as a whole at first."""
    ids = torch.randint(len(words), (10_502,), generator=torch.Generator().manual_seed(1))
    return Lab(replace(bundled, config=tiny.config, model=tiny, vocabulary=words, test_ids=ids))


def test_first_results_are_there_without_anyone_asking(started: Lab) -> None:
    assert started.example.result(timeout=LAST_NET).final
    evaluation = started.evaluation.result(timeout=LAST_NET)
    assert evaluation.final
    assert list(evaluation.comparison.results) == list(DEFAULT_MEASURED)
    assert evaluation.comparison.tokens == evaluation.fidelity.tokens == started.available_tokens
    assert started.limits.keys() == started.models.keys()
    for name, limit in evaluation.limits.items():  # the limit of now may be the better for a run since
        assert limit.bandwidth <= started.limits[name].bandwidth
        assert limit.peak <= started.limits[name].peak


def test_the_example_is_the_first_seed_whose_texts_part_where_a_reader_can_follow(started: Lab) -> None:
    example = started.example.result(timeout=LAST_NET)
    settings = example.settings
    assert example.first_difference in EXAMPLE_PARTS
    for seed in range(1, settings.seed):
        *_, other = started.generate(replace(settings, seed=seed))
        assert other.first_difference not in EXAMPLE_PARTS


@pytest.mark.parametrize("error", [IndexError, ValueError, lmdemo.InputError, RuntimeError])
def test_a_first_result_that_fails_is_logged_and_the_page_starts_without_it(
    started: Lab, caplog: pytest.LogCaptureFixture, error: type[Exception]
) -> None:
    class Fails(Known):
        def generate(self, _: GenerationSettings) -> Iterator[Generation]:
            raise error("no example")

    first = FirstResults(Fails(started, [in_doubt(started, 0.0)]))
    first.compute()
    assert first.example.result() is None
    assert first.evaluation.result().final
    (record,) = (record for record in caplog.records if record.name == "lmdemo.first_results")
    assert record.getMessage() == "A first result could not be computed; the page starts without it."
    assert record.exc_info[0] is error


def test_first_results_in_doubt_are_measured_again_when_the_machine_rests(
    started: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twice in doubt, and once a visitor computes while it waits: the third evaluation is the one that stays."""
    evaluations = [in_doubt(started, share) for share in (0.9, 0.9, 0.0)]
    rests = iter([False, True, True, True])
    first = FirstResults(Known(started, evaluations))
    monkeypatch.setattr(first, "rested", lambda _: next(rests))
    first.compute()
    assert next(rests)  # three looks: a busy one, after which nothing was measured, and two quiet ones
    assert first.evaluation.result() is evaluations[-1]
    assert first.evaluation.result().sound
    assert first.example.result().final


def test_once_closed_nothing_more_is_measured(started: Lab) -> None:
    first = FirstResults(Known(started, [in_doubt(started, 0.9)]))
    first.close()
    first.compute()  # comes to its end, however long it would have to wait
    assert not first.evaluation.result().sound


def test_the_passages_of_a_long_text_come_after_what_a_visitor_finds(
    long: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Evaluation, "sound", True)
    long._first.compute()
    assert long.evaluation.result().comparison.tokens == 4_000
    whole = long.whole.result()
    assert (whole.tokens, whole.window, whole.final) == (10_501, DEFAULT_WINDOW, True)
    assert list(whole.results) == list(DEFAULT_MEASURED)
    assert len(whole.results["int8"].passages) == 22


def test_of_a_text_that_was_read_as_a_whole_nothing_more_is_computed(started: Lab) -> None:
    assert started.whole.result(timeout=LAST_NET) is None


def test_the_passages_of_a_closed_labs_text_are_left(long: Lab, started: Lab) -> None:
    class Long(Known):
        available_tokens = long.available_tokens

        def read_whole(self) -> Iterator[FidelityRun]:
            return long.read_whole()

    first = FirstResults(Long(started, [in_doubt(started, 0.0)]))
    first.close()
    first.compute()
    assert first.whole.result() is None


class Known:
    """A lab whose example and evaluations, one after another, are known."""

    def __init__(self, lab: Lab, evaluations: list[Evaluation]) -> None:
        self.prompt, self.available_tokens = lab.prompt, lab.available_tokens
        self._example, self._evaluations = lab.example.result(timeout=LAST_NET), iter(evaluations)

    def weigh_first(self) -> dict[str, Size]:
        return {}

    def prepare(self) -> None:
        """There is nothing to find out."""

    def generate(self, _: GenerationSettings) -> Iterator[Generation]:
        yield self._example

    def evaluate_defaults(self) -> Iterator[Evaluation]:
        yield next(self._evaluations)


def in_doubt(lab: Lab, others: float) -> Evaluation:
    """A first evaluation during which other work took that share of the machine."""
    evaluation = lab.evaluation.result(timeout=LAST_NET)
    watched = Interference(seconds=2.0, others=others, stolen=0.0)
    steady = dict.fromkeys(evaluation.comparison.results, (1.0,) * 8)
    comparison = replace(evaluation.comparison, interference=watched, block_seconds=steady, block_tokens=(12,) * 8)
    written = dict.fromkeys(evaluation.writing.seconds, (0.01,) * 200)
    writing = replace(evaluation.writing, seconds=written, interference=replace(watched, others=0.0))
    return replace(evaluation, comparison=comparison, writing=writing)
