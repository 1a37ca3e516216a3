"""The int8 model in a kernel of its own: stock int8's integers, multiplied by int8lm.c instead of torch's engine.

What `quantize_dynamic` computes is kept, integer for integer: weights, the scale and zero point of activations, and
the functions that follow as torch rounds them. What differs is the time: one call runs all layers, weights lie in
the order in which they are read, and a loss is taken from logits that are never stored.

It knows nothing of compilers: where the library comes from is compiled.py's.
"""

import ctypes
from collections.abc import Iterable, Iterator
from ctypes import POINTER, byref, c_float, c_int32, c_int64, c_void_p

import numpy as np
import torch
from torch import Tensor, nn

from lmdemo.choosing import ROWS, pieces
from lmdemo.errors import VariantError
from lmdemo.inference import PREFILL, Pause
from lmdemo.native import GROUP, State, Units, filled, huge, units
from lmdemo.pausing import pause_here

CHUNK = 64  # as in int8lm.c
LEVELS = {"qnnpack": 255}  # the greatest integer of an activation, by engine; else 127: `reduce_range`


class _Linear(ctypes.Structure):
    _fields_ = [*((name, c_int32) for name in ("rows", "columns", "width", "quiet")), ("panels", c_void_p)]


class _Model(ctypes.Structure):
    _fields_ = [
        *((name, c_int32) for name in ("layers", "levels")),
        *((name, POINTER(_Linear)) for name in ("of_input", "of_hidden", "decoder")),
        ("units", Units),
    ]


class _Text(ctypes.Structure):
    _fields_ = [
        *((name, c_void_p) for name in ("h", "c", "outputs", "bytes", "scratch")),
        ("scale", c_float),
        ("zero", c_int32),
        ("back", c_int32),
    ]


class _Panels:
    """How the library wants weights to lie; int8lm.c and tiles.h describe it."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._rows, self._quiet = _constant(library, "panel_rows"), _constant(library, "quiet_columns")
        self._largest = _constant(library, "largest")  # of an activation: 128 where 127 is meant and rounding goes up

    def bytes(self, weight: Tensor) -> int:
        """What panels of a weight (rows, columns) take."""
        rows, columns = weight.shape
        return filled(rows, self._rows) * (filled(columns, 16) + 12)

    def arranged(self, weight: Tensor, bias: Tensor, free: np.ndarray) -> _Linear:
        """Panels of a quantized weight (rows, columns) and its bias (rows,) at the beginning of `free`."""
        integers, each = weight.int_repr().numpy(), self._rows  # (rows, columns) int8
        rows, columns = integers.shape
        width, panels = filled(columns, 16), filled(rows, each) // each
        per_tensor = weight.qscheme() == torch.per_tensor_affine
        scales = np.full(rows, weight.q_scale()) if per_tensor else weight.q_per_channel_scales().numpy()
        padded = np.zeros((panels * each, width), np.int8)
        padded[:rows, :columns] = integers
        after = np.zeros((3, panels * each), np.int32)
        after[0] = padded.sum(1, dtype=np.int32)
        after[1, :rows] = scales.astype(np.float32).view(np.int32)
        after[2, :rows] = bias.detach().numpy().view(np.int32)
        place = free[: self.bytes(weight)].reshape(panels, -1)
        place[:, : each * width] = padded.reshape(panels, each, width // 4, 4).swapaxes(1, 2).reshape(panels, -1)
        place[:, each * width :] = after.reshape(3, panels, each).swapaxes(0, 1).reshape(panels, -1).view(np.int8)
        return _Linear(rows, columns, width, self._is_quiet(padded), place.ctypes.data)

    def _is_quiet(self, weights: np.ndarray) -> bool:
        """Whether 16 bits hold the sums that the kernel makes in 16 bits, whatever the activations.

        Args:
            weights: (rows, width) int8. A lane of 16 bits has the first or the last two of every four columns; the
                greatest sums are of its weights of one sign, with activations of 0 for the others.
        """
        if not self._quiet:
            return False
        magnitude = np.abs(weights).view(np.uint8)  # of -128 too
        positive = np.where(weights > 0, magnitude, 0).astype(np.uint16)
        for of_one_sign in (positive, magnitude - positive):
            lanes = (of_one_sign[:, 0::2] + of_one_sign[:, 1::2]).reshape(-1, self._quiet // 4, 2)
            if lanes.sum(1, dtype=np.uint16).max() > (2**15 - 1) // self._largest:
                return False
        return True


class Int8LM:
    """The weights of a dynamically quantized model as the kernel reads them; made once, shared by its runners."""

    def __init__(self, model: nn.Module, library: ctypes.CDLL) -> None:
        """Arrange the weights of `model`, whose LSTM and decoder `quantize_dynamic` has replaced.

        Raises:
            VariantError: the engine's activations are too great for the products of this processor.
        """
        levels = LEVELS.get(torch.backends.quantized.engine, 127)
        if levels > _constant(library, "largest"):
            raise VariantError("The kernel cannot hold this quantized engine's 8-bit activations on this processor.")
        self.config, self.encoder, self.library = model.config, model.encoder, _declared(library)
        weights, biases, layers = model.rnn.get_weight(), model.rnn.get_bias(), range(model.config.nlayers)
        pairs = [(weights[f"weight_{kind}_l{n}"], biases[f"bias_{kind}_l{n}"]) for kind in ("ih", "hh") for n in layers]
        pairs.append((model.decoder.weight(), model.decoder.bias()))
        panels = _Panels(library)
        self.bytes = sum(panels.bytes(weight) for weight, _ in pairs)  # a second copy beside the model's own
        self._memory = huge(self.bytes)  # which the structures point into
        free, linears = self._memory, []
        for weight, bias in pairs:
            pause_here()
            linears.append(panels.arranged(weight, bias, free))
            free = free[panels.bytes(weight) :]
        of_input, of_hidden = ((_Linear * len(layers))(*linears[n : n + len(layers)]) for n in (0, len(layers)))
        decoder = ctypes.pointer(linears[-1])
        self.structure = _Model(len(layers), levels, of_input, of_hidden, decoder, units(model.config.nhid))
        self.width = max(linear.width for linear in linears)


class Int8Product:
    """A matrix (width, width) of ones with as many words of bytes: the products alone, for their peak rate.

    Its weights are as small as the kernel likes them best.
    """

    def __init__(self, width: int, library: ctypes.CDLL) -> None:
        """`width` is a multiple of sixteen."""
        ones = torch.quantize_per_tensor(torch.ones(width, width), 1.0, 0, torch.qint8)
        panels = _Panels(library)
        self._memory = huge(panels.bytes(ones))
        self._matrix = panels.arranged(ones, torch.zeros(width), self._memory)
        self._words = torch.randint(128, (width, width), dtype=torch.uint8)
        self._library = _declared(library)

    def __call__(self) -> int:
        """The sum of all products."""
        return self._library.multiply(byref(self._matrix), self._words.data_ptr(), len(self._words))


class Int8LMRunner(State):
    """A model on one text, batch 1, in the kernel: what `inference.Runner` does.

    Ids and lengths are checked here, since the kernel checks nothing; its buffers are this object's.
    """

    def __init__(self, lm: Int8LM) -> None:
        config, encoder = lm.config, lm.encoder
        self._lm, self._library, self._model = lm, lm.library, byref(lm.structure)
        # (ntoken, ninp): a row of it is a word's inputs, without a lookup
        self._table = encoder.weight.detach().contiguous() if isinstance(encoder, nn.Embedding) else None
        if self._table is not None:
            self._first_row, self._row_bytes = self._table.data_ptr(), self._table.stride(0) * self._table.itemsize
        super().__init__(config)
        self._logits, self._ntoken = torch.empty(config.ntoken), config.ntoken
        self._output = self._logits.data_ptr()
        self._words = 0  # that there is room for
        self._room_for(1)

    def step(self, word: int) -> Tensor:
        """Read one word; the logits (ntoken,) of the next, which may be overwritten.

        Raises:
            ValueError: the word is not in the vocabulary.
        """
        if not 0 <= word < self._ntoken:
            raise ValueError("A word is not in the vocabulary.")
        if self._table is None:
            embedded = self._lm.encoder(torch.tensor([word]))  # (1, ninp)
            row = embedded.data_ptr()
        else:
            row = self._first_row + word * self._row_bytes
        self._library.step(self._model, self._text, row, self._output)
        return self._logits

    def read(self, ids: Tensor) -> Iterator[Tensor]:
        """Read a window ids (T,); the logits after each word in pieces (rows, ntoken), which may be overwritten.

        Raises:
            ValueError: these are not words of the vocabulary in a tensor of one dimension.
        """
        self._run(self._embedded(ids))
        logits = torch.empty(min(ROWS, len(ids)), self._lm.config.ntoken)
        for piece in pieces(len(ids)):
            count = piece.stop - piece.start
            self._library.decode(self._model, self._text, piece.start, count, logits.data_ptr())
            yield logits[:count]

    def losses(self, ids: Tensor, targets: Tensor) -> Tensor:
        """Read a window ids (T,); -ln p (T,) of the targets (T,), the words that follow. No logits are stored.

        Raises:
            ValueError: as `read`, for ids and targets, or these are not as many.
        """
        if ids.shape != targets.shape:
            raise ValueError("There is one target for each word.")
        targets = self._checked(targets)
        self._run(self._embedded(ids))
        losses = torch.zeros(len(ids))
        self._library.losses(self._model, self._text, targets.data_ptr(), len(ids), losses.data_ptr())
        return losses

    def prefill(self, ids: Tensor, pause: Pause, window: int = PREFILL) -> None:
        """Read ids (T,) in windows, for the hidden state alone: no logits are made.

        Raises:
            ValueError: as `read`.
        """
        for piece in self._embedded(ids).split(window):
            pause()
            self._run(piece)

    def _run(self, embedded: Tensor) -> None:
        """Read words (T, ninp), one row after the other in memory."""
        self._room_for(len(embedded))
        self._library.run(self._model, self._text, embedded.data_ptr(), len(embedded))

    def prepare_reading(self, lengths: Iterable[int]) -> None:
        """There is nothing to find out."""

    def _embedded(self, ids: Tensor) -> Tensor:
        """From ids (T,) to (T, ninp)."""
        return self._lm.encoder(self._checked(ids)).contiguous()

    def _checked(self, ids: Tensor) -> Tensor:
        if ids.dim() != 1 or ids.dtype != torch.int64 or not len(ids):
            raise ValueError("Words are their ids in a tensor of one dimension, int64, at least one.")
        if ids.min() < 0 or ids.max() >= self._lm.config.ntoken:
            raise ValueError("A word is not in the vocabulary.")
        return ids.contiguous()

    def _room_for(self, words: int) -> None:
        """Buffers for a window of so many words, as int8lm.c describes them, where they are smaller."""
        if words <= self._words:
            return
        nhid = self._lm.config.nhid
        self._buffers = (
            self._h,
            self._c,
            torch.empty(words, nhid),
            torch.zeros(words + 1, self._lm.width, dtype=torch.uint8),  # what fills a width up is never written
            torch.empty(max((1 + min(words, CHUNK)) * 4 * nhid, words * (GROUP + 2))),
        )
        self._text = byref(_Text(*(buffer.data_ptr() for buffer in self._buffers)))
        self._words = words


def _constant(library: ctypes.CDLL, name: str) -> int:
    """One of those that int8lm.c gives a name."""
    return c_int32.in_dll(library, name).value


def _declared(library: ctypes.CDLL) -> ctypes.CDLL:
    """`library`, whose functions know what they take."""
    both = [POINTER(_Model), POINTER(_Text)]
    library.run.argtypes = [*both, c_void_p, c_int32]
    library.step.argtypes = [*both, c_void_p, c_void_p]
    library.decode.argtypes = [*both, c_int32, c_int32, c_void_p]
    library.losses.argtypes = [*both, c_void_p, c_int32, c_void_p]
    library.multiply.argtypes, library.multiply.restype = [POINTER(_Linear), c_void_p, c_int32], c_int64
    library.run.restype = library.step.restype = library.decode.restype = library.losses.restype = None
    return library
