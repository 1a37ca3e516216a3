"""The file in which somebody saved a model: what torch.save or safetensors wrote, or what it is instead.

Nothing in it is run: only tensors and plain values are unpickled. What cannot be read so is looked at without
unpickling it, for a sentence that says what it is and what to do. What the tensors mean is state_model.py's business.
"""

import io
import pickletools
import re
import warnings
import zipfile
from pathlib import Path
from typing import BinaryIO

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from lmdemo.errors import CheckpointError

HEAD = 1_024  # bytes of a file that tell its kind
MOST_PICKLE = 10**8  # bytes of a pickle that are looked at; its tensors lie elsewhere
LEGACY_PICKLES = 4  # what torch.save wrote before 1.6: a magic number, its version, the machine's, the object
NAMED = 3  # classes that a sentence names

CUT = "is cut short or damaged: a download, a copy or a save that did not come to its end. Fetch it again."
QUANTIZED = (
    "holds a quantized model, and lmdemo quantizes by itself. Give it the state dict of the fp32 model from before"
    " quantize_dynamic."
)
# What the first bytes tell, and what to do; {file} is the file's name as Python writes it.
_KINDS = (
    (rb"\Z", "is empty: a download or a save that did not come to its end. Fetch it again."),
    (rb"version https://git-lfs", "is a pointer of Git LFS, not the file itself. Fetch that with `git lfs pull`."),
    (rb"(?:\xef\xbb\xbf)?\s*<", "is a web page, an error or a login instead of the file. Download the file itself."),
    (
        rb"\x08[\x01-\x7f][\x12\x1a\x22\x28\x32\x3a\x42]",  # ModelProto: ir_version, then any other of its fields
        "is an ONNX model. Save the state dict of the model it was exported from:"
        " torch.save(model.state_dict(), 'state.pt')",
    ),
)
_SCRIPT = (
    "is a TorchScript program. Make a state dict of it:"
    " torch.save(torch.jit.load({file}, map_location='cpu').state_dict(), 'state.pt')"
)
_MODULE = (
    "is a whole pickled module, whose code would have to be run. Where that code is, make a state dict of it:"
    " torch.save(torch.load({file}, map_location='cpu', weights_only=False).state_dict(), 'state.pt')"
)
_PROTOCOL = (
    "was saved with a pickle_protocol that torch does not read without running what is in it. Save it anew:"
    " torch.save(torch.load({file}, map_location='cpu', weights_only=False), 'state.pt')"
)


def read_state(path: Path) -> object:
    """What `path` holds: of safetensors and of most files of torch.save, a dict of tensors.

    Raises:
        CheckpointError: it cannot be read without running it, or is something else.
    """
    if not path.is_file():
        raise CheckpointError(f"No file {path.name} to convert.")
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
    except OSError as error:
        raise CheckpointError(f"{path.name} could not be read ({error.strerror}).") from error
    for pattern, sentence in _KINDS:
        if re.match(pattern, head):
            raise CheckpointError(f"{path.name} {sentence}")
    if _is_safetensors(head):
        return _read_safetensors(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # how a file was made is not for its reader to mend
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged zip or pickle raises nearly anything
        why = _why_not(path, head).replace("{file}", ascii(path.name))
        raise CheckpointError(f"{path.name} {why}") from error


def _is_safetensors(head: bytes) -> bool:
    """The length of a JSON object in eight bytes, and its first brace."""
    return head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= MOST_PICKLE


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    """The tensors by name; of names that share one, the file has the first, and says so of the others."""
    try:
        with safe_open(path, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, it is no dict
            shared = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path.name} {CUT}") from error
    return tensors | {name: tensors[kept] for name, kept in shared.items() if kept in tensors and name not in tensors}


def _why_not(path: Path, head: bytes) -> str:
    """Why torch does not read a file without running it, and what to do."""
    if not head.startswith((b"PK", b"\x80")):
        return "is not a file that torch.save wrote."
    try:
        if not head.startswith(b"PK"):
            with path.open("rb") as file:
                return _of_pickles(file, LEGACY_PICKLES)
        with zipfile.ZipFile(path) as archive:
            entries = {name.rpartition("/")[2]: name for name in archive.namelist()}
            if "constants.pkl" in entries:
                return _SCRIPT
            if "data.pkl" not in entries:
                return "is a zip archive that torch.save did not write."
            with archive.open(entries["data.pkl"]) as file:
                return _of_pickles(io.BytesIO(file.read(MOST_PICKLE)), 1)
    except Exception:  # as above
        return CUT


def _of_pickles(file: BinaryIO, count: int) -> str:
    """The same, from the operations of `count` pickles that follow each other; none of them is carried out."""
    operations = [(operation.name, value) for _ in range(count) for operation, value, _ in pickletools.genops(file)]
    protocol = max((value for name, value in operations if name == "PROTO"), default=0)
    classes = [value.replace(" ", ".") for name, value in operations if name == "GLOBAL"]
    # from protocol 4 on a class is named by texts that lie on the stack
    texts = [value for name, value in operations if name in ("BINUNICODE", "SHORT_BINUNICODE") and protocol > 2]
    if any(name.startswith(("torch.ao.nn.", "torch.ScriptObject")) for name in classes + texts):
        return QUANTIZED
    if any(name.startswith("torch.nn.modules.") for name in classes + texts):
        return _MODULE
    if protocol > 2:
        return _PROTOCOL
    foreign = sorted({name for name in classes if not name.startswith(("torch.", "collections."))})
    if not foreign:
        return CUT
    named = ", ".join(ascii(name[:60]) for name in foreign[:NAMED])
    return (
        f"holds objects other than tensors and plain values ({named}), whose code would have to be run. Save the state"
        " dict alone: torch.save(model.state_dict(), 'state.pt')"
    )
