"""The fp32 model in a kernel of its own, fp32lm.c: a word takes one call, and weights are read at the speed of memory.

Windows go through the LSTM as in packed.py, whose way is faster there; their logits are the kernel's, and a loss is
taken from logits that are never stored.
It knows nothing of compilers: where the library comes from is compiled.py's.
"""

import ctypes
from ctypes import POINTER, byref, c_int32, c_void_p

import numpy as np
import torch
from torch import Tensor

from lmdemo.choosing import ROWS, pieces
from lmdemo.inference import PackedRunner
from lmdemo.native import GROUP, State, Units, filled, huge, units
from lmdemo.packed import PackedLSTMModel
from lmdemo.pausing import pause_here


class _Linear(ctypes.Structure):
    _fields_ = [("rows", c_int32), ("columns", c_int32), ("panels", c_void_p)]


class _Model(ctypes.Structure):
    _fields_ = [
        ("layers", c_int32),
        ("of_both", POINTER(_Linear)),
        ("decoder", POINTER(_Linear)),
        ("units", Units),
    ]


class Fp32LM:
    """The weights of a model as the kernel reads them; made once, shared by its runners."""

    def __init__(self, model: PackedLSTMModel, library: ctypes.CDLL) -> None:
        self.model, self.library = model, _declared(library)
        self._panel = c_int32.in_dll(library, "fp32_panel_rows").value
        rnn, layers = model.rnn, range(model.config.nlayers)
        pairs = []
        for layer in layers:
            w_ih, w_hh, b_ih, b_hh = (
                getattr(rnn, f"{name}_l{layer}").detach() for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            )
            pairs.append((torch.cat([w_ih, w_hh], 1), b_ih + b_hh))
        pairs.append((model.decoder.weight.detach(), model.decoder.bias.detach()))
        self.bytes = sum(self._bytes(weight) for weight, _ in pairs)  # a second copy beside the model's own
        self._memory = huge(self.bytes)  # which the structures point into
        free, linears = self._memory, []
        for weight, bias in pairs:
            pause_here()
            linears.append(self._arranged(weight, bias, free))
            free = free[self._bytes(weight) :]
        *of_both, decoder = linears
        self.structure = _Model(
            len(layers), (_Linear * len(layers))(*of_both), ctypes.pointer(decoder), units(model.config.nhid)
        )
        self.width = max(linear.columns for linear in of_both)

    def _bytes(self, weight: Tensor) -> int:
        rows, columns = weight.shape
        return 4 * filled(rows, self._panel) * (columns + 1)

    def _arranged(self, weight: Tensor, bias: Tensor, free: np.ndarray) -> _Linear:
        """Panels of rows at the beginning of `free`, as fp32lm.c describes them."""
        (rows, columns), each = weight.shape, self._panel
        place = free[: self._bytes(weight)].view(np.float32).reshape(-1, columns + 1, each)
        place[-1] = 0  # the last panel is filled up
        for panel, first in zip(place, range(0, rows, each), strict=True):
            count = min(each, rows - first)
            panel[0, :count] = bias[first : first + count].numpy()
            panel[1:, :count] = weight[first : first + count].t().numpy()
        return _Linear(rows, columns, place.ctypes.data)


class Fp32LMRunner(State, PackedRunner):
    """A model on one text, batch 1, with the kernel: what `inference.Runner` does.

    Ids are checked here, since the kernel checks nothing; its buffers are this object's.
    """

    def __init__(self, lm: Fp32LM) -> None:
        config = lm.model.config
        State.__init__(self, config)
        PackedRunner.__init__(self, lm.model)
        self._lm, self._library, self._structure = lm, lm.library, byref(lm.structure)
        self._table = lm.model.encoder.weight.detach().contiguous()  # (ntoken, ninp)
        self._logits, self._scratch = torch.empty(config.ntoken), torch.empty(4 * config.nhid + lm.width)
        self._first_row, self._row_bytes = self._table.data_ptr(), self._table.stride(0) * self._table.itemsize
        self._words = config.ntoken
        self._rows = torch.empty(0, config.ntoken)  # of logits, used again by the next piece
        self._places = [part.data_ptr() for part in (self._h, self._c, self._scratch)]
        self._output, self._back = self._logits.data_ptr(), 0

    def step(self, word: int) -> Tensor:
        """Read one word; the logits (ntoken,) of the next, which may be overwritten.

        Raises:
            ValueError: the word is not in the vocabulary.
        """
        if not 0 <= word < self._words:
            raise ValueError("A word is not in the vocabulary.")
        row = self._first_row + word * self._row_bytes
        self._library.fp32_step(self._structure, *self._places, row, self._output, self._back)
        self._back ^= 1
        return self._logits

    def _decode(self, rows: Tensor, _window: Tensor) -> Tensor:
        rows = rows.contiguous()
        if len(self._rows) < len(rows):
            self._rows = torch.empty(len(rows), self._words)
        self._library.fp32_decode(self._structure, rows.data_ptr(), len(rows), self._rows.data_ptr())
        return self._rows[: len(rows)]

    def losses(self, ids: Tensor, targets: Tensor) -> Tensor:
        """Read a window ids (T,); -ln p (T,) of the targets (T,), the words that follow. No logits are stored.

        Raises:
            ValueError: there are not as many targets as words, or they are not int64.
        """
        if ids.shape != targets.shape or targets.dtype != torch.int64:
            raise ValueError("There is one target for each word, int64.")
        outputs, targets, losses = self._lstm_outputs(ids).contiguous(), targets.contiguous(), torch.zeros(len(ids))
        scratch = torch.empty(min(ROWS, len(ids)) * (GROUP + 2))
        for piece in pieces(len(ids)):
            places = (part[piece].data_ptr() for part in (outputs, targets))
            count, found = piece.stop - piece.start, losses[piece].data_ptr()
            self._library.fp32_losses(self._structure, *places, count, scratch.data_ptr(), found)
        return losses


def _declared(library: ctypes.CDLL) -> ctypes.CDLL:
    """`library`, whose functions know what they take."""
    library.fp32_step.argtypes = [POINTER(_Model), *[c_void_p] * 5, c_int32]
    library.fp32_decode.argtypes = [POINTER(_Model), c_void_p, c_int32, c_void_p]
    library.fp32_losses.argtypes = [POINTER(_Model), c_void_p, c_void_p, c_int32, c_void_p, c_void_p]
    library.fp32_step.restype = library.fp32_decode.restype = library.fp32_losses.restype = None
    return library
