"""The card of a published checkpoint: what was measured, and what its author wrote."""

from pathlib import Path

import pytest
import torch
from huggingface_hub import ModelCard

import lmdemo
from lmdemo import publish as publishing
from lmdemo.card import Stated
from lmdemo.publish import publish
from local_hub import LocalHub
from publishing import card_of, unasked, yes

pytestmark = pytest.mark.usefixtures("may_write")


def test_the_card_read_back_has_the_figures_measured(
    hub: LocalHub, publishable: Path, name: str, tmp_path: Path
) -> None:
    done = publish(publishable, name, unasked, stated=Stated("mit", "en", "someone/corpus", "Words, CC0."))
    card_of(hub, name).save(tmp_path / "README.md")
    data = ModelCard.load(tmp_path / "README.md").data
    assert (data.library_name, data.pipeline_tag, data.license) == ("pytorch", "text-generation", "mit")
    assert (data.language, data.datasets, data.model_name) == ("en", ["someone/corpus"], name.split("/")[1])
    checkpoint = lmdemo.load_checkpoint(publishable)
    models = lmdemo.build_variants(checkpoint.model, ["fp32", "int8"])
    results = {variant: lmdemo.evaluate(model, checkpoint.test_ids) for variant, model in models.items()}
    assert {figure.variant: figure.result.loss for figure in done.measured.figures} == {
        variant: result.loss for variant, result in results.items()
    }
    stored = {(one.metric_args["variant"], one.metric_type): one for one in data.eval_results}
    assert len(stored) == len(data.eval_results) == 4
    for variant, result in results.items():
        assert stored[variant, "loss"].metric_value == round(result.loss, 4)
        assert stored[variant, "perplexity"].metric_value == round(result.perplexity, 2)
    one = stored["int8", "loss"]
    assert (one.task_type, one.dataset_type, one.dataset_split) == ("text-generation", "someone/corpus", "test")
    assert one.dataset_args == {"words": len(checkpoint.test_ids) - 1}
    assert one.verified is False
    assert one.metric_args["torch"] == torch.__version__
    assert f"| test, int8 (`quantize_dynamic`) | {len(checkpoint.test_ids) - 1} |" in card_of(hub, name).text
    assert f"torch {torch.__version__}, engine {torch.backends.quantized.engine}." in card_of(hub, name).text


def test_the_bundled_cards_metadata_and_table_agree() -> None:
    card = ModelCard.load(lmdemo.checkpoint.BUNDLED / "README.md")
    assert (card.data.license, card.data.language, card.data.library_name) == ("mit", "en", "pytorch")
    figures = {(one.dataset_split, *one.metric_name.split(", ")): one for one in card.data.eval_results}
    assert len(figures) == 6
    for (split, metric, variant), one in figures.items():
        row = next(line for line in card.text.splitlines() if line.startswith(f"| {split}, {variant} "))
        assert f"| {one.dataset_args['words']:,} |" in row
        assert (f" {one.metric_value:.4f} " if metric == "loss" else f" {one.metric_value:.2f} ") in row


def test_what_is_not_stated_is_left_out(hub: LocalHub, publishable: Path, name: str) -> None:
    (publishable / "test.txt").unlink()
    publish(publishable, name, unasked)
    card = card_of(hub, name)
    assert (card.data.license, card.data.language, card.data.datasets) == (None, None, None)
    assert "| licence | not stated |" in card.text
    assert "on assets/sample.txt" in card.text
    assert {one.dataset_config for one in card.data.eval_results} == {"sample"}


def test_a_long_text_is_read_in_part_and_the_card_says_so(
    hub: LocalHub, publishable: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "MEASURED_WORDS", 5)
    publish(publishable, name, unasked)
    card = card_of(hub, name)
    assert {(one.dataset_split, one.dataset_args["words"]) for one in card.data.eval_results} == {("test[:5]", 5)}
    assert "| test[:5], fp32 | 5 |" in card.text


# --- the author's card -------------------------------------------------------------------------------

AUTHORS = """---
license: apache-2.0
tags:
- mine
colour: blue
model-index:
- name: theirs
  results:
  - task:
      type: text-generation
    dataset:
      type: other/data
      name: Other
      split: test
    metrics:
    - type: perplexity
      value: 12.5
---
# My own words

Kept as they stand. | “so” | \r
"""


def test_an_authors_card_is_completed_and_kept(hub: LocalHub, publishable: Path, name: str) -> None:
    (publishable / "README.md").write_bytes(AUTHORS.encode())
    publish(publishable, name, unasked, stated=Stated(license="apache-2.0"))
    publish(publishable, name, yes)
    card = card_of(hub, name)
    assert card.text == AUTHORS.split("---\n")[2]
    assert (card.data.license, card.data.tags, card.data["colour"]) == ("apache-2.0", ["mine"], "blue")
    assert (card.data.library_name, card.data.model_name) == ("pytorch", "theirs")
    assert [one.dataset_type for one in card.data.eval_results] == ["other/data", *["unknown"] * 4]
    assert (publishable / "README.md").read_bytes() == AUTHORS.encode()


BROKEN = {
    "not YAML": "---\nlicense: [\n---\n",
    "a list": "---\n- a\n---\n",
    "numbers for names": "---\n1: a\n---\n",
    "an argument's name": "---\nself: a\n---\n",
    "a method's name": "---\nto_dict: 1\n---\n",
    "tags a number": "---\ntags: 5\n---\n",
    "a broken model-index": "---\nmodel-index:\n- name: a\n  results:\n  - task: {type: b}\n---\n",
    "a model-index of text": "---\nmodel-index: [{name: a, results: [{task: {type: b}, dataset: 1}]}]\n---\n",
    "an object": "---\na: !!python/object/apply:os.system ['touch ran']\n---\n",
    "deep": "---\na: " + "[" * 5000 + "\n---\n",
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_card_with_broken_metadata_is_refused(
    hub: LocalHub, publishable: Path, name: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (publishable / "README.md").write_text(BROKEN[kind], encoding="utf-8")
    with pytest.raises(lmdemo.CheckpointError, match=r"^The metadata of README\.md, between its first two lines"):
        publish(publishable, name, unasked)
    assert not hub.requests
    assert not (tmp_path / "ran").exists()


def test_a_card_that_cannot_be_completed_is_refused(hub: LocalHub, publishable: Path, name: str) -> None:
    (publishable / "README.md").write_bytes(b"\xff\xfe")
    with pytest.raises(lmdemo.CheckpointError, match=r"^README\.md is not UTF-8 text"):
        publish(publishable, name, unasked)
    (publishable / "README.md").write_bytes(AUTHORS.encode())
    with pytest.raises(lmdemo.CheckpointError, match=r"^README\.md states another license than was given"):
        publish(publishable, name, unasked, stated=Stated(license="mit"))
    with pytest.raises(lmdemo.CheckpointError, match=r"^README\.md has a text of its own"):
        publish(publishable, name, unasked, stated=Stated(data="Some."))
    assert not hub.requests


def test_metadata_the_hub_does_not_take_makes_no_model(hub: LocalHub, publishable: Path, name: str) -> None:
    with pytest.raises(lmdemo.HubError, match='does not take the metadata of the model card: "license" must be one of'):
        publish(publishable, name, unasked, stated=Stated(license="mine"))
    assert name not in hub.repos
