"""A shape of model that somebody asks about: its fields, its bytes, and what measuring it will cost, before any of it
is allocated.

Bytes follow from the shape alone. Seconds are reckoned for a slow machine at a fixed rate, so that what is refused here
is refused everywhere. It knows nothing of weights or clocks; building and measuring is shaping.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType

from lmdemo.errors import InputError
from lmdemo.evaluation import MAX_WINDOW
from lmdemo.inputs import flag, whole_number
from lmdemo.model import ModelConfig
from lmdemo.roofline import operations_per_word
from lmdemo.timed import FEWEST_TURNS

MAX_WORDS = 300_000  # in a vocabulary
MAX_WIDTH = 4_096  # of an embedding and of a hidden state
MAX_LAYERS = 16
MOST_BYTES = 160_000_000  # of a shape's weights in fp32; with all its variants some five times as many are held
MOST_SECONDS = 30  # that measuring a shape may take, as reckoned
OPERATIONS = 25e9  # a second, of products of many words at a time
BANDWIDTH = 5e9  # bytes of weights a second, of words written one at a time
BUILDING = 50e6  # bytes of weights a second: made, packed, quantized
CALL = 50e-6  # seconds of a layer's call, whatever its width
CORNERS = 4  # that are measured
CHOOSING = 25  # passes over a hundred words that finding the fastest ways takes
TURN = 10  # words that are written in a turn


@dataclass(frozen=True)
class Shape:
    """A model's shape and the window that it is read in; making one checks all of it and raises `InputError`."""

    ntoken: int  # words in the vocabulary
    ninp: int  # width of a word's embedding
    nhid: int  # width of a hidden state
    nlayers: int  # stacked LSTM layers
    window: int = 25  # words read in one call
    tied: bool = False  # embedding and decoder are one matrix

    def __post_init__(self) -> None:
        checked = {
            "ntoken": whole_number("Vocabulary", self.ntoken, 2, MAX_WORDS, " (words)"),
            "ninp": whole_number("Embedding", self.ninp, 1, MAX_WIDTH),
            "nhid": whole_number("Hidden", self.nhid, 1, MAX_WIDTH),
            "nlayers": whole_number("Layers", self.nlayers, 1, MAX_LAYERS),
            "window": whole_number("Window", self.window, 1, MAX_WINDOW, " (words)"),
            "tied": flag("Tied", self.tied),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        if self.tied and self.ninp != self.nhid:
            raise InputError("Tied weights are one matrix: Embedding and Hidden must be of one width.")
        if self.fp32_bytes > MOST_BYTES:
            raise InputError(
                f"This shape has {self.parameters:,} parameters, {self.fp32_bytes / 1e6:,.0f} MB as fp32;"
                f" at most {MOST_BYTES / 1e6:,.0f} MB are built here."
            )
        if self.seconds > MOST_SECONDS:
            raise InputError(
                f"Measuring this shape may take {self.seconds:,.0f} s; at most {MOST_SECONDS} s are allowed here."
                " A shorter window takes less, and so do fewer layers."
            )

    @property
    def config(self) -> ModelConfig:
        """Of the model, without dropout: it is never trained."""
        return ModelConfig(self.ntoken, self.ninp, self.nhid, self.nlayers, dropout=0.0, tied=self.tied)

    @property
    def parameters(self) -> int:
        """How many numbers training would set; a tied matrix counts once."""
        return self._embedding + self._lstm + self._biases + self._decoder * (not self.tied)

    @property
    def fp32_bytes(self) -> int:
        """Of all weights as 32-bit floats; a file has some kilobytes more."""
        return 4 * self.parameters

    @property
    def int8_bytes(self) -> int:
        """As `quantize_dynamic` leaves them: LSTM and decoder take a byte a weight, embedding and biases stay.

        Of tied weights the decoder becomes a matrix of its own.
        """
        return 4 * (self._embedding + self._biases) + self._lstm + self._decoder

    @property
    def operations(self) -> int:
        """Multiplications and additions a word."""
        return operations_per_word(self.config)

    @property
    def window_seconds(self) -> float:
        """Of reading one window in fp32, as reckoned."""
        return self._pass_seconds(self.window)

    @property
    def seconds(self) -> float:
        """Of building, choosing ways and measuring the least that tells a spread, as reckoned."""
        weights = 4 * (self._lstm + self._decoder)
        turn = TURN * (weights / BANDWIDTH + self.nlayers * CALL)
        measured = (FEWEST_TURNS + 1) * CORNERS * (self.window_seconds + turn)  # the first of each is not counted
        return self.fp32_bytes / BUILDING + CHOOSING * self._pass_seconds(100) + measured

    def _pass_seconds(self, words: int) -> float:
        return words * self.operations / OPERATIONS + self.nlayers * CALL

    @property
    def _embedding(self) -> int:
        return self.ntoken * self.ninp

    @property
    def _lstm(self) -> int:
        """Weights, of which each layer has four gates' for what it reads and for its own state."""
        return 4 * self.nhid * (self.ninp + self.nhid + (self.nlayers - 1) * 2 * self.nhid)

    @property
    def _decoder(self) -> int:
        return self.nhid * self.ntoken

    @property
    def _biases(self) -> int:
        """Of the LSTM, two a gate, and of the decoder."""
        return 8 * self.nhid * self.nlayers + self.ntoken


FIELDS = tuple(field.name for field in fields(Shape))
TUTORIAL_SHAPE = Shape(33_278, 512, 256, 5, window=25)
PRESETS: Mapping[str, Shape] = MappingProxyType(
    {
        "The tutorial’s": TUTORIAL_SHAPE,
        "Bundled here": Shape(10_000, 128, 256, 2, window=200),
        "A small one": Shape(100, 50, 50, 1, window=25),  # pytorch/pytorch issue 136094: slower in int8
        "Tied weights": Shape(33_278, 200, 200, 2, window=25, tied=True),  # --tied of pytorch/examples
    }
)
