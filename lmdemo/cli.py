"""`python -m lmdemo`: train, convert, bench."""

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import fields
from datetime import timedelta
from pathlib import Path

import torch

from lmdemo.card import WINDOW, Measured, model_card
from lmdemo.checkpoint import load_checkpoint
from lmdemo.convert import convert
from lmdemo.errors import LmdemoError
from lmdemo.evaluation import evaluate
from lmdemo.machine import this_machine
from lmdemo.text import read_corpus
from lmdemo.training import Progress, Recipe, train
from lmdemo.variants import build_variants


def main(arguments: Sequence[str] | None = None) -> int | str:
    """Run the command line; returns an exit code, or the sentence that says what was wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m lmdemo", description="Train or convert a checkpoint, or measure here."
    )
    commands = parser.add_subparsers(required=True, metavar="command")
    _add_train(commands)
    _add_convert(commands)
    _add_bench(commands)
    options = parser.parse_args(arguments)
    try:
        options.run(options)
    except LmdemoError as error:
        return f"lmdemo: {error}"
    except KeyboardInterrupt:
        return "lmdemo: stopped."
    return 0


def _add_train(commands: argparse._SubParsersAction) -> None:
    command = commands.add_parser("train", help="train a checkpoint from a corpus in WikiText's format")
    command.add_argument("--corpus", type=Path, required=True, help="folder with train.txt, valid.txt, test.txt")
    command.add_argument("--out", type=Path, required=True, help="folder for the checkpoint and the state of the run")
    command.add_argument("--threads", type=int, default=os.cpu_count(), help="torch threads (default: %(default)s)")
    command.add_argument("--data", default="not stated", help="the data and its licence, for the model card")
    for field in fields(Recipe):
        flag = "--" + field.name.replace("_", "-")
        command.add_argument(flag, type=field.type, default=field.default, help="default: %(default)s")
    command.set_defaults(run=_train)


def _train(options: argparse.Namespace) -> None:
    torch.set_num_threads(options.threads)
    recipe = Recipe(**{field.name: getattr(options, field.name) for field in fields(Recipe)})
    for progress in train(options.corpus, options.out, recipe):
        print(_line(progress), flush=True)
    checkpoint = load_checkpoint(options.out)
    models = build_variants(checkpoint.model, ["fp32", "int8"])
    ids = {
        name: torch.tensor(checkpoint.vocabulary.ids(read_corpus(options.corpus / f"{name}.txt")))
        for name in ("valid", "test")
    }
    measured = Measured(
        valid=evaluate(models["fp32"], ids["valid"], WINDOW),
        test=evaluate(models["fp32"], ids["test"], WINDOW),
        test_int8=evaluate(models["int8"], ids["test"], WINDOW),
    )
    machine = this_machine()
    card = model_card(recipe, measured, options.data, f"{machine.cpu}, torch {machine.torch}, engine {machine.engine}")
    (options.out / "README.md").write_text(card, encoding="utf-8")
    print(f"{options.out}: test perplexity {measured.test.perplexity:.2f}, int8 {measured.test_int8.perplexity:.2f}")


def _line(progress: Progress) -> str:
    head = f"epoch {progress.epoch}/{progress.epochs}  step {progress.step:,}/{progress.steps:,}"
    if progress.valid_loss is not None:
        return f"{head}  validation loss {progress.valid_loss:.4f}{'  (best so far)' if progress.best else ''}"
    left = timedelta(seconds=round(progress.seconds_left))
    return f"{head}  loss {progress.loss:.4f}  {progress.tokens_per_second:,.0f} tokens/s  {left} left"


def _add_convert(commands: argparse._SubParsersAction) -> None:
    command = commands.add_parser("convert", help="make a checkpoint of the tutorial's state dict and corpus")
    command.add_argument("--state-dict", type=Path, required=True, help="word_language_model_quantize.pth")
    command.add_argument("--corpus", type=Path, required=True, help="folder with train.txt, valid.txt, test.txt")
    command.add_argument("--out", type=Path, required=True, help="folder for the checkpoint")
    command.set_defaults(run=_convert)


def _convert(options: argparse.Namespace) -> None:
    config = load_checkpoint(convert(options.state_dict, options.corpus, options.out)).config
    print(f"{options.out}: {config.ntoken:,} words, LSTM {config.ninp}→{config.nhid} × {config.nlayers}")
    print(f"To serve it: LMDEMO_MODEL={options.out} python app.py")


def _add_bench(commands: argparse._SubParsersAction) -> None:
    command = commands.add_parser("bench", help="measure start, streaming, memory and speed on this machine")
    command.add_argument("--rounds", type=int, default=8, help="pairs of runs for a ratio (default: %(default)s)")
    command.set_defaults(run=_bench)


def _bench(options: argparse.Namespace) -> None:
    # imported here: it needs the tools of tests/requirements.txt, which training does not
    from lmdemo.bench import report, run

    print(report(run(options.rounds)))


if __name__ == "__main__":
    sys.exit(main())
