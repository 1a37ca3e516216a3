"""What decides a training run."""

from dataclasses import dataclass

from lmdemo.checkpoint import MAX_LAYERS, MAX_WIDTH, MAX_WORDS
from lmdemo.inputs import real_number, whole_number

MAX_COUNT = 100_000  # epochs, streams, words a gradient reaches back


@dataclass(frozen=True)
class Recipe:
    """What decides a run; two runs with the same recipe, corpus and machine give the same weights.

    Making one checks every field and raises `InputError`.
    """

    vocabulary: int = 10_000  # most frequent words kept
    ninp: int = 128
    nhid: int = 256
    nlayers: int = 2
    dropout: float = 0.25
    epochs: int = 14
    streams: int = 32  # pieces of the corpus read side by side (batch size)
    bptt: int = 35  # words a gradient reaches back
    learning_rate: float = 3e-3  # the peak of the cycle
    clip: float = 0.5  # largest gradient norm
    seed: int = 1

    def __post_init__(self) -> None:
        whole = {
            "vocabulary": (3, MAX_WORDS),  # <unk>, <eos> and a word
            **dict.fromkeys(("ninp", "nhid"), (1, MAX_WIDTH)),
            "nlayers": (1, MAX_LAYERS),
            **dict.fromkeys(("epochs", "streams", "bptt"), (1, MAX_COUNT)),
            "seed": (0, 2**32 - 1),
        }
        real = {"dropout": (0.0, 0.99), "learning_rate": (1e-6, 10.0), "clip": (1e-6, 1_000.0)}
        for check, limits in ((whole_number, whole), (real_number, real)):
            for name, (least, most) in limits.items():
                value = check(name.replace("_", " "), getattr(self, name), least, most)
                object.__setattr__(self, name, value)
