"""A checkpoint is a folder: config.json, model.safetensors, vocab.txt, and perhaps test.txt.

Loading checks all of it before the first tensor is used and refuses with one sentence; it never
unpickles. Where a SHA256SUMS lies beside the files they are compared with it (checksums.py). Weights may
be stored in half precision and are computed in fp32. What lies on the Hub is the same folder, and how it
gets here is hub.py's business; how a checkpoint comes to be is training.py's.
"""

import json
import math
import os
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors.torch import save
from torch import Tensor

from lmdemo.checksums import SUMS, check_sums, unchanged, write_sums
from lmdemo.errors import CheckpointError
from lmdemo.measured_text import read_test
from lmdemo.model import LSTMModel, ModelConfig
from lmdemo.text import UTF8, Vocabulary
from lmdemo.weights import DECODER, ENCODER, read_model

if TYPE_CHECKING:
    from lmdemo.hub_name import HubName

ASSETS = Path(__file__).parent.parent / "assets"
BUNDLED = ASSETS / "checkpoint"

REQUIRED = ("config.json", "model.safetensors", "vocab.txt")
OPTIONAL = ("test.txt",)

MAX_WORDS = 1_000_000
MAX_WIDTH = 8_192
MAX_LAYERS = 16
MAX_FILE_BYTES = 2 * 10**9


@dataclass(frozen=True)
class Checkpoint:
    """A trained model with its words and the text it is tested on."""

    config: ModelConfig
    model: LSTMModel  # eval mode, fp32, CPU
    vocabulary: Vocabulary
    test_ids: Tensor  # (N,) int64
    test_name: str  # where the test words come from, for the page
    source: str  # "bundled", a folder, or "owner/name"
    revision: str | None = None  # commit hash for the Hub
    unknown_share: float = 0.0  # of the test text's words, 0 to 1, that the vocabulary does not have

    @property
    def name(self) -> str:
        """`source` without the place where a folder lies, which is nobody's business on a public page."""
        return self.source if self.revision else Path(self.source).name

    @cached_property
    def fingerprint(self) -> str:
        """Twelve hexadecimal digits that another model has not: of its words and weights."""
        digest = sha256("\n".join(self.vocabulary.words).encode("utf-8", "surrogatepass"))
        for weights in self.model.parameters():
            digest.update(weights.detach().contiguous().numpy())
        return digest.hexdigest()[:12]


@dataclass(frozen=True)
class Located:
    """The folder a checkpoint is read from, and what it is called."""

    folder: Path
    source: str  # "bundled", a folder, or "owner/name"
    revision: str | None = None  # commit hash for the Hub
    problem: str = ""  # why the Hub was not asked, if a cached copy is used without it


def load_checkpoint(source: str | Path | None = None) -> Checkpoint:
    """Load the bundled checkpoint, the folder `source`, or the model `owner/name[@revision]` from the Hub.

    A folder of that name comes before the Hub. The Hub's files are cached by its client and checked.

    Raises:
        CheckpointError: it is missing, incomplete, damaged, or not a checkpoint of this kind.
        HubError: the Hub did not give it; a CheckpointError too.
    """
    return load(locate(source))


def _silent(_here: int, _total: int) -> None:
    """Report to nobody."""


def hub_name(source: str | Path) -> "HubName | None":
    """The model on the Hub that `source` names, unless a folder of that name is here.

    Raises:
        HubError: it is the address of something else on the Hub.
    """
    from lmdemo.hub_name import HubName  # here: the client takes a quarter of a second that a folder does not need

    return None if _folder(source) else HubName.parse(str(source))


def locate(source: str | Path | None = None, report: Callable[[int, int], None] = _silent) -> Located:
    """Find the folder of a checkpoint, pulled from the Hub if it is there; nothing is read yet.

    Args:
        source: as for `load_checkpoint`.
        report: called with the bytes that are here and the bytes in all while the Hub is read.

    Raises:
        CheckpointError, HubError: as for `load_checkpoint`.
    """
    if source is None:
        return Located(BUNDLED, "bundled")
    if folder := _folder(source):
        return Located(folder, str(folder))
    name = hub_name(source)
    if name is None:
        raise CheckpointError(
            f"No checkpoint at {_shown(source)}: it is neither a folder with {', '.join(REQUIRED)}"
            " nor a name on the Hub, owner/name or owner/name@revision."
        )
    from lmdemo import hub

    pulled = hub.pull(name, REQUIRED, OPTIONAL, MAX_FILE_BYTES, report)
    return Located(pulled.folder, name.repo, pulled.commit, pulled.problem)


def _folder(source: str | Path) -> Path | None:
    """The folder `source`, with the spaces around it or without."""
    names = (str(source), str(source).strip())
    return next((Path(name) for name in names if os.path.isdir(name)), None)  # False for what can be no name at all


def _shown(source: str | Path) -> str:
    """What was asked for, as far as it can stand in a sentence."""
    text = "".join(char if char.isprintable() else "�" for char in str(source))
    return text if len(text) <= 200 else f"{text[:200]}…"


def load(located: Located) -> Checkpoint:
    """Read and check the checkpoint in a folder; the bundled one must have its SHA256SUMS.

    Raises:
        CheckpointError: it is incomplete, damaged, not a checkpoint of this kind, or changed while it was read.
    """
    folder, name = located.folder.resolve(), located.source  # a link that is turned meanwhile changes nothing
    with unchanged(folder, (*REQUIRED, *OPTIONAL), name):
        for file in REQUIRED:
            if not (folder / file).is_file():
                raise CheckpointError(f"The checkpoint {name} has no {file}; it needs {', '.join(REQUIRED)}.")
            if (folder / file).stat().st_size > MAX_FILE_BYTES:
                raise CheckpointError(f"{file} of {name} is over {MAX_FILE_BYTES / 1e9:.0f} GB; that is not read.")
        config = _read_config(folder / "config.json")
        vocabulary = _read_vocabulary(folder / "vocab.txt", config)
        model = read_model(folder / "model.safetensors", config)
        test = read_test(folder / "test.txt", vocabulary)
        if located.folder == BUNDLED or (folder / SUMS).is_file():
            check_sums(folder, REQUIRED, OPTIONAL, name)
    return Checkpoint(config, model, vocabulary, test.ids, test.name, name, located.revision, test.unknown_share)


def save_checkpoint(
    folder: str | Path,
    model: LSTMModel,
    vocabulary: Vocabulary,
    dtype: torch.dtype = torch.float32,
    test: Path | None = None,
) -> Path:
    """Write `model` and `vocabulary` as a checkpoint folder with its SHA256SUMS; returns the folder.

    Args:
        dtype: as which the weights are stored. `torch.float16` halves the file; the loss it costs is for the caller
            to measure.
        test: the text that the model is to be measured on, copied as test.txt.

    Raises:
        CheckpointError: the vocabulary and the model differ in length, a word cannot stand on a line, or the system
            did not let it be written.
    """
    folder = Path(folder)
    if len(vocabulary) != model.config.ntoken:
        raise CheckpointError(
            f"The vocabulary has {len(vocabulary)} words and the model {model.config.ntoken}; they must agree."
        )
    for number, word in enumerate(vocabulary.words):
        _check_word(word, number)
    try:
        _write(folder, model, vocabulary, dtype, test)
    except OSError as error:
        raise CheckpointError(f"The checkpoint could not be written ({error.strerror}).") from error
    return folder


def _write(folder: Path, model: LSTMModel, vocabulary: Vocabulary, dtype: torch.dtype, test: Path | None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: tensor.detach().to(dtype).contiguous() for name, tensor in model.state_dict().items()}
    shared = {DECODER: ENCODER} if model.tied else {}  # stored once; noted as safetensors' own save_model notes it
    for name in shared:
        del weights[name]
    (folder / "model.safetensors").write_bytes(save(weights, shared or None))
    config = asdict(replace(model.config, tied=model.tied))
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    # of two byte order marks reading takes the first: the other is a character of the first word
    encoding = UTF8 if vocabulary.words[0].startswith("\ufeff") else "utf-8"
    lines = "".join(f"{word}\n" for word in vocabulary.words)
    (folder / "vocab.txt").write_text(lines, encoding=encoding, newline="\n")
    if test is not None:
        (folder / "test.txt").write_bytes(test.read_bytes())  # which may be that very file
    write_sums(folder, REQUIRED if test is None else (*REQUIRED, "test.txt"))


def _read_config(path: Path) -> ModelConfig:
    try:
        data = json.loads(path.read_text(encoding=UTF8), parse_int=_whole)
    except (ValueError, RecursionError) as error:
        raise CheckpointError("config.json is not valid JSON in UTF-8.") from error
    names = [field.name for field in fields(ModelConfig) if field.name != "tied"]
    if not isinstance(data, dict) or not set(names) <= data.keys():
        raise CheckpointError(f"config.json must be an object with {', '.join(names)}.")
    limits = {"ntoken": MAX_WORDS, "ninp": MAX_WIDTH, "nhid": MAX_WIDTH, "nlayers": MAX_LAYERS}
    for name, most in limits.items():
        if type(data[name]) is not int or not 1 <= data[name] <= most:
            raise CheckpointError(f"config.json: {name} must be a whole number from 1 to {most:,}.")
    dropout = data["dropout"]
    if type(dropout) not in (int, float) or not (math.isfinite(dropout) and 0 <= dropout < 1):
        raise CheckpointError("config.json: dropout must be a number from 0 up to, not including, 1.")
    tied = data.get("tied", False)  # a folder from before it was known has no such field
    if type(tied) is not bool or (tied and data["ninp"] != data["nhid"]):
        raise CheckpointError("config.json: tied must be true or false, and true needs ninp and nhid of one width.")
    return ModelConfig(**{name: data[name] for name in names}, tied=tied)


def _whole(digits: str) -> int | float:
    """A whole number of JSON; one beyond all that is allowed here is infinite, since Python may refuse its digits."""
    return int(digits) if len(digits) <= 20 else math.inf


def _read_vocabulary(path: Path, config: ModelConfig) -> Vocabulary:
    try:
        text = path.read_text(encoding=UTF8)
    except UnicodeDecodeError as error:
        raise CheckpointError("vocab.txt is not UTF-8 text.") from error
    words = text.removesuffix("\n").split("\n")
    if len(words) != config.ntoken:
        raise CheckpointError(f"vocab.txt has {len(words):,} lines; config.json says {config.ntoken:,} words.")
    for number, word in enumerate(words):
        _check_word(word, number)
    if len(set(words)) != len(words):
        raise CheckpointError("vocab.txt has the same word on two lines; each word stands once.")
    return Vocabulary(words)


_NO_WORD = re.compile(r"[\s\ud800-\udfff]")  # what `str.split` splits at, and what UTF-8 cannot hold


def _check_word(word: str, number: int) -> None:
    """What `str.split` makes of a corpus is a word, however long, control characters and all."""
    if not word or _NO_WORD.search(word):
        raise CheckpointError(f"vocab.txt, line {number + 1}: a word is one or more characters of UTF-8, no spaces.")
