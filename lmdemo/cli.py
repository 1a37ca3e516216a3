"""`python -m lmdemo`: train, convert, publish, bench."""

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import fields
from datetime import timedelta
from pathlib import Path

import torch

from lmdemo.card import CARD, WINDOW, Figure, Stated, measure, measured_here, new_card
from lmdemo.checkpoint import load_checkpoint
from lmdemo.convert import convert
from lmdemo.errors import HubError, InputError, LmdemoError
from lmdemo.evaluation import shown_perplexity
from lmdemo.hub import DEFAULT_NAME
from lmdemo.inputs import whole_number
from lmdemo.measured_text import doubt
from lmdemo.publish import publish
from lmdemo.training import Progress, Recipe, read_words, train
from lmdemo.variants import BASELINE, TUTORIAL, build_variants

MAX_THREADS = 4_096
MAX_ROUNDS = 1_000  # of the benchmark


def main(arguments: Sequence[str] | None = None) -> int | str:
    """Run the command line; returns an exit code, or the sentence that says what was wrong."""
    options = command_line().parse_args(arguments)
    try:
        options.run(options)
    except LmdemoError as error:
        return f"lmdemo: {error}"
    except (
        OSError
    ) as error:  # what the system says of a file in a sentence of its own: a full disk, a folder in its place
        return f"lmdemo: {error.filename or 'a file'} could not be read or written ({error.strerror or error})."
    except KeyboardInterrupt:
        return "lmdemo: stopped."
    return 0


def command_line() -> argparse.ArgumentParser:
    """The commands and their options."""
    parser = argparse.ArgumentParser(
        prog="python -m lmdemo", description="Train, convert or publish a checkpoint, or measure here."
    )
    commands = parser.add_subparsers(required=True, metavar="command")
    _add_train(commands)
    _add_convert(commands)
    _add_publish(commands)
    _add_bench(commands)
    return parser


def _add_train(commands: argparse._SubParsersAction) -> None:
    command = commands.add_parser("train", help="train a checkpoint from a corpus in WikiText's format")
    command.add_argument("--corpus", type=Path, required=True, help="folder with train.txt, valid.txt, test.txt")
    command.add_argument("--out", type=Path, required=True, help="folder for the checkpoint and the state of the run")
    command.add_argument(
        "--threads", type=int, default=os.cpu_count() or 1, help="torch threads (default: %(default)s)"
    )
    command.add_argument("--data", help="the data and its licence in a sentence, for the model card")
    _add_stated(command)
    for field in fields(Recipe):
        flag = "--" + field.name.replace("_", "-")
        command.add_argument(flag, type=field.type, default=field.default, help="default: %(default)s")
    command.set_defaults(run=_train)


def _train(options: argparse.Namespace) -> None:
    threads = whole_number("--threads", options.threads, 1, MAX_THREADS)
    recipe = Recipe(**{field.name: getattr(options, field.name) for field in fields(Recipe)})
    # what is measured at the end is read at the start: a file that is missing costs no training
    texts = {name: read_words(options.corpus, name) for name in ("valid", "test")}
    torch.set_num_threads(threads)
    for progress in train(options.corpus, options.out, recipe):
        print(_line(progress), flush=True)
    checkpoint = load_checkpoint(options.out)
    models = build_variants(checkpoint.model, TUTORIAL)
    valid, test = (torch.tensor(checkpoint.vocabulary.ids(words)) for words in texts.values())
    validation = measure({BASELINE: models[BASELINE]}, valid, "validation")
    tests = measure(models, test, "test")
    name = options.out.resolve().name
    measured = measured_here(*validation, *tests, unknown_share=checkpoint.unknown_share)
    card = new_card(name, checkpoint, _stated(options), measured, _made(recipe))
    card.save(options.out / CARD)
    print(f"{options.out}: test {_losses(tests)}")
    if sentence := doubt(checkpoint.unknown_share):
        print(sentence)


def _made(recipe: Recipe) -> dict[str, str]:
    """Rows of the card that only a run of ours has."""
    return {
        "training": f"{recipe.epochs} epochs, {recipe.streams} streams of {recipe.bptt} words,"
        f" dropout {recipe.dropout}, AdamW, one-cycle learning rate up to {recipe.learning_rate},"
        f" gradient norm clipped at {recipe.clip}, seed {recipe.seed};"
        " the epoch with the lowest validation loss is kept",
        "weights": "stored as float16 in safetensors, computed in fp32",
        "command": "`python -m lmdemo train --corpus DIR --out DIR`",
    }


def _losses(figures: Sequence[Figure]) -> str:
    return ", ".join(
        f"{figure.variant} loss {figure.result.loss:.4f}, perplexity {shown_perplexity(figure.result.perplexity, 2)}"
        for figure in figures
    )


def _add_stated(command: argparse.ArgumentParser) -> None:
    """What only the author can say of a model; it is not guessed."""
    command.add_argument("--license", help="the Hub's name of the licence, for the model card: mit, cc0-1.0 …")
    command.add_argument("--language", help="ISO 639 code of the language, for the model card: en …")
    command.add_argument("--dataset", help="the Hub's name of the data set it was trained on, for the model card")


def _stated(options: argparse.Namespace) -> Stated:
    return Stated(options.license, options.language, options.dataset, options.data)


def _line(progress: Progress) -> str:
    head = f"epoch {progress.epoch}/{progress.epochs}  step {progress.step:,}/{progress.steps:,}  {progress.precision}"
    if progress.valid_loss is not None:
        return f"{head}  validation loss {progress.valid_loss:.4f}{'  (best so far)' if progress.best else ''}"
    left = timedelta(seconds=round(progress.seconds_left))
    return f"{head}  loss {progress.loss:.4f}  {progress.tokens_per_second:,.0f} tokens/s  {left} left"


def _add_convert(commands: argparse._SubParsersAction) -> None:
    command = commands.add_parser("convert", help="make a checkpoint of a saved state and its corpus")
    command.add_argument(
        "--state-dict",
        type=Path,
        required=True,
        help="the tutorial's word_language_model_quantize.pth, or the training.pt of a run of train",
    )
    command.add_argument("--corpus", type=Path, required=True, help="folder with train.txt, valid.txt, test.txt")
    command.add_argument("--out", type=Path, required=True, help="folder for the checkpoint")
    command.set_defaults(run=_convert)


def _convert(options: argparse.Namespace) -> None:
    config = load_checkpoint(convert(options.state_dict, options.corpus, options.out, print)).config
    print(f"{options.out}: {config.ntoken:,} words, LSTM {config.ninp}→{config.nhid} × {config.nlayers}")
    print(f"To serve it: LMDEMO_MODEL={options.out} python app.py")


def _add_publish(commands: argparse._SubParsersAction) -> None:
    command = commands.add_parser("publish", help="publish a checkpoint folder on the Hugging Face Hub")
    command.add_argument("folder", type=Path, help="the checkpoint")
    command.add_argument("name", help="owner/name, the model on the Hub; made if there is none")
    command.add_argument("--private", action="store_true", help="make a new model private")
    command.add_argument("--yes", action="store_true", help="replace what the model holds without asking")
    command.add_argument("--data", help="the data and its licence in a sentence, for a new model card")
    _add_stated(command)
    command.set_defaults(run=_publish)


def _publish(options: argparse.Namespace) -> None:
    confirm = (lambda _: True) if options.yes else _confirm
    done = publish(options.folder, options.name, confirm, private=options.private, stated=_stated(options))
    (tokens,) = {figure.result.tokens for figure in done.measured.figures}
    text = done.measured.sample or "the checkpoint's own test text"
    print(f"Measured on {tokens:,} words of {text}, window {WINDOW}: {_losses(done.measured.figures)}")
    if sentence := doubt(done.measured.unknown_share):
        print(sentence)
    print(f"Published: {done.url}")
    print(f"Commit: {done.commit}")
    owner, name = done.name.split("/")
    if name == DEFAULT_NAME:
        print(f"On a Space of {owner}'s: set nothing, it looks for {done.name} by itself")
    else:
        print(f"On a Space: set the variable LMDEMO_MODEL={done.name}")
    if done.private:
        print("It is private: the Space needs the secret HF_TOKEN, a token that may read it")


def _confirm(found: str) -> bool:
    if not sys.stdin.isatty():
        raise HubError(f"{found}; --yes replaces it, and without a terminal nobody can be asked.")
    try:
        return input(f"{found}. Replace it? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False


def _add_bench(commands: argparse._SubParsersAction) -> None:
    command = commands.add_parser("bench", help="measure speed, start, streaming and memory on this machine")
    command.add_argument(
        "--rounds",
        type=int,
        default=6,
        help="runs of each; from 6 on with intervals (default: %(default)s)",
    )
    command.add_argument(
        "--only",
        choices=["speed", "page"],
        help="one half: the loops, also under AVX2 alone, or what the page costs",
    )
    command.add_argument("--write", type=Path, help="a README with the figures of a run, to put this one's there")
    command.set_defaults(run=_bench)


def _bench(options: argparse.Namespace) -> None:
    rounds = whole_number("--rounds", options.rounds, 1, MAX_ROUNDS)
    # imported here: it needs the tools of tests/requirements.txt, which training does not
    from lmdemo import bench

    if options.write:
        if options.only:
            raise InputError("--write needs the whole run, without --only.")
        bench.readable(options.write)
    speeds, shapes, narrower, page = [], {}, None, None
    if options.only != "page":
        speeds, shapes = bench.run_speed(rounds), bench.measure_shapes()
        print(f"{bench.report_speed(speeds, shapes)}\n", flush=True)
    if options.only == "speed":
        narrower = bench.run_under_avx2(rounds)
        if narrower:
            print(f"{narrower.report}\n", flush=True)
    if options.only != "speed":
        page = bench.run(rounds)
        print(f"{bench.report(page)}\n")
    if options.write:
        bench.write(options.write, bench.figures(speeds, shapes, page))
    print(bench.as_json(rounds, speeds, page, narrower, shapes))
