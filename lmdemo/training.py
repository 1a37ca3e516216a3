"""The recipe behind the bundled checkpoint: the word_language_model example, brought up to date.

Truncated back-propagation through time with the hidden state carried from piece to piece, gradients
clipped, AdamW under a one-cycle learning rate, validation after each epoch, the best epoch kept. Matrix
products run in bfloat16 under autocast where the processor has an LSTM in it, and in fp32 elsewhere; weights,
loss and optimizer stay in fp32. A run can be killed at any moment and goes on from its last saved step, in the
precision it began with, when started again with the same recipe.

It knows nothing of quantization. What it leaves is a checkpoint folder (checkpoint.py).

With glibc, GLIBC_TUNABLES=glibc.malloc.mmap_threshold=1073741824:glibc.malloc.trim_threshold=4294967296 in the
environment keeps the logits' memory between steps instead of mapping it afresh, worth a third of the time.

References
- https://github.com/pytorch/examples/tree/main/word_language_model (main.py: batchify, get_batch, clipping)
- Smith, Topin 2017, "Super-Convergence", arXiv:1708.07120 (the one-cycle schedule)
"""

import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lmdemo.checkpoint import save_checkpoint
from lmdemo.corpus import SPLITS, split_file, split_words
from lmdemo.errors import CorpusError, TrainingError
from lmdemo.model import Hidden, LSTMModel
from lmdemo.recipe import Recipe
from lmdemo.text import most_frequent
from lmdemo.training_state import read_state, write_state

STATE = "training.pt"
SAVE_EVERY = 120.0  # seconds between saved states
REPORT_EVERY = 100  # steps between progress snapshots
EVAL_STREAMS = 10  # the example's eval_batch_size


@dataclass(frozen=True)
class Progress:
    """Where a run stands."""

    epoch: int  # 1-based
    epochs: int
    step: int  # of the whole run
    steps: int
    loss: float  # mean training loss since the last snapshot, nats a token
    tokens_per_second: float
    seconds_left: float
    precision: str  # of the matrix products: "bfloat16" or "float32"
    valid_loss: float | None = None  # after an epoch: nats a token, in streams of the example's width
    best: bool = False  # that loss is the lowest so far


def train(corpus: str | Path, out: str | Path, recipe: Recipe) -> Iterator[Progress]:
    """Train on `corpus`/train.txt, validate on valid.txt, leave the best epoch and test.txt in `out`.

    Yields progress every hundred steps and after each epoch. Goes on from `out`/training.pt if it is there.

    Raises:
        TrainingError: a corpus file is missing or too short, `out` cannot be written to, holds a damaged run, one of
            another recipe, or one in a precision that this processor does not have, or the loss is not a number from
            the first epoch on.
    """
    corpus, out = Path(corpus), Path(out)
    # the test text is not used here, but the folder is no checkpoint without a sound one
    texts = {name: read_words(corpus, name) for name in SPLITS}
    for name, streams in (("train", recipe.streams), ("valid", EVAL_STREAMS)):
        if len(texts[name]) < 2 * streams:
            raise TrainingError(
                f"{name}.txt has {len(texts[name]):,} words and needs at least {2 * streams:,}: it is read in"
                f" {streams:,} streams, two words in each."
            )
    vocabulary = most_frequent(texts["train"], recipe.vocabulary)
    train_data = batchify(torch.tensor(vocabulary.ids(texts["train"])), recipe.streams)
    valid_data = batchify(torch.tensor(vocabulary.ids(texts["valid"])), EVAL_STREAMS)
    _make_folder(out)
    run = _Run(recipe, len(vocabulary), train_data, out / STATE, precision_here())
    run.resume()
    while run.step < run.steps:
        yield from run.epoch()
        valid_loss = _valid_loss(run.model, valid_data, recipe.bptt, run.precision)
        best = valid_loss < run.best_loss
        if best:
            run.best_loss = valid_loss
            run.best = {name: tensor.clone() for name, tensor in run.model.state_dict().items()}
        run.save()
        yield run.progress(valid_loss=valid_loss, best=best)
        if not math.isfinite(valid_loss):  # nor would it be again: a weight that is no number stays none
            break
    if not run.best:
        raise TrainingError(
            f"The training diverged: the validation loss is not a finite number. Lower the learning rate"
            f" ({recipe.learning_rate:g}) or the clip ({recipe.clip:g}), in another folder or without {run.path}."
        )
    run.model.load_state_dict(run.best)
    save_checkpoint(out, run.model, vocabulary, torch.float16, split_file(corpus, "test"))


def precision_here() -> str:
    """The precision of the matrix products here: "bfloat16" if an LSTM can be trained in it, else "float32".

    oneDNN has a bfloat16 LSTM for processors with AVX-512 only and raises elsewhere, so one is run to find out.
    """
    lstm = nn.LSTM(8, 8)
    try:
        with _autocast("bfloat16"):
            output, _ = lstm(torch.zeros(2, 1, 8))
        output.float().sum().backward()
    except RuntimeError:
        return "float32"
    return "bfloat16"


class _Run:
    """The state of a run: all that is saved and restored."""

    def __init__(self, recipe: Recipe, ntoken: int, data: Tensor, path: Path, precision: str) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self.data, self.path, self.precision = recipe, data, path, precision
        self.model = LSTMModel(ntoken, recipe.ninp, recipe.nhid, recipe.nlayers, recipe.dropout)
        self.epoch_steps = math.ceil((len(data) - 1) / recipe.bptt)
        self.steps = self.epoch_steps * recipe.epochs
        self.optimizer = torch.optim.AdamW(self.model.parameters(), recipe.learning_rate, fused=True)
        total = self.steps + 1
        # a tenth of the run, and a step at least: OneCycleLR divides by the length of the rise
        rise = max(0.1, 2 / total)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer, recipe.learning_rate, total_steps=total, pct_start=rise, cycle_momentum=False
        )
        self.step = 0
        self.hidden: Hidden = self.model.init_hidden(recipe.streams)
        self.best_loss = math.inf
        self.best: dict[str, Tensor] = {}
        self._losses: list[float] = []
        self._pace: list[float] = []  # seconds of recent steps

    def epoch(self) -> Iterator[Progress]:
        """Train to the end of the current epoch."""
        self.model.train()
        saved = time.monotonic()
        if self.step % self.epoch_steps == 0:
            self.hidden = self.model.init_hidden(self.recipe.streams)
        for step in range(self.step % self.epoch_steps, self.epoch_steps):
            began = time.monotonic()
            self._losses.append(self._train_step(step * self.recipe.bptt))
            self.step += 1
            self._pace.append(time.monotonic() - began)
            if self.step % REPORT_EVERY == 0:
                yield self.progress()
            # not at an epoch's last step, where a run that goes on would take it for validated; it is saved then
            if self.step % self.epoch_steps and time.monotonic() - saved > SAVE_EVERY:
                self.save()
                saved = time.monotonic()

    def _train_step(self, position: int) -> float:
        data, targets = get_batch(self.data, position, self.recipe.bptt)
        hidden = tuple(state.detach() for state in self.hidden)
        with _autocast(self.precision):
            decoded, hidden = self.model(data, hidden)
        self.hidden = tuple(state.detach().float() for state in hidden)
        loss = F.cross_entropy(decoded.float().flatten(0, 1), targets.flatten())
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip)
        self.optimizer.step()
        self.schedule.step()
        return loss.item()

    def progress(self, valid_loss: float | None = None, best: bool = False) -> Progress:
        pace = sum(self._pace) / max(len(self._pace), 1)
        loss = sum(self._losses) / max(len(self._losses), 1)
        self._pace, self._losses = self._pace[-REPORT_EVERY:], []
        tokens = self.recipe.streams * self.recipe.bptt
        return Progress(
            epoch=math.ceil(self.step / self.epoch_steps),
            epochs=self.recipe.epochs,
            step=self.step,
            steps=self.steps,
            loss=loss,
            tokens_per_second=tokens / pace if pace else 0.0,
            seconds_left=pace * (self.steps - self.step),
            precision=self.precision,
            valid_loss=valid_loss,
            best=best,
        )

    def save(self) -> None:
        write_state(self.path, self._state())

    def resume(self) -> None:
        if not self.path.is_file():
            return
        # AdamW has no state before its first step, and a run is saved after it
        moments = {
            number: {"step": torch.zeros(()), "exp_avg": parameter, "exp_avg_sq": parameter}
            for number, parameter in enumerate(self.model.parameters())
        }
        form = self._state()
        form["optimizer"] |= {"state": moments}
        same = {name: form[name] for name in ("recipe", "ntoken", "tokens")}
        state = read_state(self.path, form, same, self.steps)
        if state["precision"] not in ("float32", self.precision):
            raise TrainingError(
                f"{self.path} is a run in a precision in which this processor has no LSTM; let it go on where it began,"
                " or choose another folder."
            )
        self.precision = state["precision"]
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.hidden = state["step"], state["hidden"]
        self.schedule.last_epoch = self.step  # the learning rate follows from it
        self.best_loss, self.best = state["best_loss"], state["best"]
        torch.set_rng_state(state["random"])

    def _state(self) -> dict[str, object]:
        return {
            "recipe": asdict(self.recipe),
            "ntoken": self.model.config.ntoken,
            "tokens": self.data.numel(),
            "precision": self.precision,
            "step": self.step,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "hidden": self.hidden,
            "random": torch.get_rng_state(),
            "best_loss": self.best_loss,
            "best": self.best,
        }


def batchify(ids: Tensor, streams: int) -> Tensor:
    """Cut ids (N,), N at least 2 * streams, into columns that are read side by side: (N // streams, streams)."""
    length = ids.numel() // streams
    return ids[: length * streams].view(streams, length).t().contiguous()


def get_batch(data: Tensor, position: int, bptt: int) -> tuple[Tensor, Tensor]:
    """A piece of at most `bptt` rows of data (T, B), and the same rows one word later."""
    length = min(bptt, len(data) - 1 - position)
    return data[position : position + length], data[position + 1 : position + 1 + length]


def _autocast(precision: str) -> torch.autocast:
    return torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16")


@torch.no_grad()
def _valid_loss(model: LSTMModel, data: Tensor, bptt: int, precision: str) -> float:
    model.eval()
    hidden = model.init_hidden(data.shape[1])
    total = 0.0
    for position in range(0, len(data) - 1, bptt):
        inputs, targets = get_batch(data, position, bptt)
        with _autocast(precision):
            decoded, hidden = model(inputs, hidden)
        hidden = tuple(state.float() for state in hidden)
        total += F.cross_entropy(decoded.float().flatten(0, 1), targets.flatten(), reduction="sum").item()
    return total / ((len(data) - 1) * data.shape[1])


def _make_folder(path: Path) -> None:
    """Make the folder for a run, unless it is there.

    Raises:
        TrainingError: something else is in its way, or it may not be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise TrainingError(f"{path} cannot be the folder for a checkpoint: a file is in its place.") from error
    except OSError as error:
        raise TrainingError(f"The folder {path} could not be made ({error.strerror}).") from error


def read_words(corpus: Path, split: str) -> list[str]:
    """The words of one text of a corpus folder.

    Raises:
        CorpusError: it is missing, cannot be read, is not UTF-8, or has fewer than two words.
    """
    words = split_words(corpus, split)
    if len(words) < 2:
        raise CorpusError(f"{split}.txt has fewer than two words.")
    return words
