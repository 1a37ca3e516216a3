"""What a run of `train` leaves on disk between its steps: written whole, and read as a file that anybody may have made.

Nothing in it is run: only tensors and plain values are unpickled. It knows nothing of how a run goes on.
"""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from lmdemo.errors import InputError, TrainingError
from lmdemo.inputs import whole_number
from lmdemo.recipe import Recipe

MAX_TOKENS = 10**12  # of a corpus


def write_state(path: Path, state: Mapping[str, object]) -> None:
    """Write `state` beside its final name, then move it there: a kill leaves the old one whole.

    Raises:
        TrainingError: it could not be written.
    """
    partial = path.with_suffix(".partial")
    try:
        torch.save(state, partial)
        os.replace(partial, path)
    except (OSError, RuntimeError) as error:  # a full disk is a RuntimeError of torch's
        raise TrainingError(f"{path} could not be written: is there space, and may this folder be changed?") from error


def read_state(path: Path, form: Mapping[str, object], same: Mapping[str, object], steps: int) -> dict[str, object]:
    """The state of a run that `write_state` left at `path`.

    Args:
        form: a state of the run that is to go on: the same names, types and shapes, with any values.
        same: the part of it that decides whether it is the same run: equal, value for value.
        steps: of the whole run.

    Raises:
        TrainingError: it is damaged, something else, or the state of another run.
    """
    damaged = TrainingError(
        f"{path} is damaged, or no state of a run of train; delete that file, or choose another folder."
    )
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged zip or pickle raises nearly anything
        raise damaged from error
    if not isinstance(state, dict) or not form.keys() <= state.keys():
        raise damaged
    if not all(_plain(state[name]) for name in same):
        raise damaged
    if any(state[name] != value for name, value in same.items()):
        raise TrainingError(f"{path} is a run of another recipe or corpus; choose another folder, or delete that file.")
    if not all(_same_form(state[name], value) for name, value in form.items() if name != "best"):
        raise damaged
    if not 1 <= state["step"] <= steps:
        raise damaged
    # the best weights are there from the end of the first epoch whose loss is a number
    if not _same_form(state["best"], form["model"] if math.isfinite(state["best_loss"]) else {}):
        raise damaged
    return state


def _plain(value: object) -> bool:
    """A number or a text, or a dict of them: what can be compared with anything."""
    values = value.values() if isinstance(value, dict) else [value]
    return all(isinstance(one, int | float | str) for one in values)


def _same_form(value: object, form: object) -> bool:
    """Whether two nests have the same keys, lengths, types of values, and shapes of tensors."""
    if isinstance(form, Tensor):
        kinds = [(one.shape, one.dtype, one.layout) for one in (value, form) if isinstance(one, Tensor)]
        return len(kinds) == 2 and kinds[0] == kinds[1]
    if isinstance(form, dict):
        return (
            isinstance(value, dict)
            and value.keys() == form.keys()
            and all(_same_form(value[key], form[key]) for key in form)
        )
    if isinstance(form, list | tuple):
        return type(value) is type(form) and len(value) == len(form) and all(map(_same_form, value, form))
    return type(value) is type(form)


@dataclass(frozen=True)
class SavedRun:
    """What a saved state says of the model it trains."""

    recipe: Recipe
    tokens: int  # of the corpus, as far as they fill the streams
    weights: dict[str, Tensor]  # of the best epoch; before the first one ended, the present ones


def saved_run(state: object) -> SavedRun | None:
    """The run that `write_state` wrote as `state`, or None if it is none of ours.

    Raises:
        TrainingError: it looks like one, and does not hold what a run holds.
    """
    if not isinstance(state, dict) or not {"recipe", "tokens", "model", "best"} <= state.keys():
        return None
    try:
        recipe, weights = Recipe(**state["recipe"]), state["best"] or state["model"]
        tokens = whole_number("tokens", state["tokens"], 1, MAX_TOKENS)
    except InputError as error:  # it begins with the name of what is wrong
        raise TrainingError(f"The saved run's {error}") from error
    except (TypeError, RuntimeError) as error:  # not these fields; a tensor where a dict should be
        raise TrainingError("The saved run's recipe or weights are damaged.") from error
    return SavedRun(recipe, tokens, weights)
