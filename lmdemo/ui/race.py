"""A run again, as slow as a reader reads, on a clock of what was measured: at full speed nothing can be seen of it.

Nothing is computed for it: how a run stood at any second of computing is known.
"""

from collections.abc import Callable, Iterator

from lmdemo.generation import Generation

READABLE = 10.0  # words a second of the slowest variant
LONGEST = 60.0  # seconds that a race may take; a longer run goes faster than is readable


def slowed(run: Generation) -> float:
    """How many times slower than it was computed a run is shown; below 1 it is faster. To two digits, as it is said."""
    slowest = min(writing.words_per_second for writing in run.writings.values())
    return float(f"{min(max(1.0, slowest / READABLE), LONGEST / took(run)):.2g}")


def took(run: Generation) -> float:
    """The seconds that the slowest variant computed."""
    return max(writing.seconds for writing in run.writings.values())


def frames(run: Generation, clock: Callable[[], float]) -> Iterator[tuple[Generation, str]]:
    """The run as it stood at the start, and whenever `clock`, in seconds from then on, is asked; and the time then.

    The end of the run is no frame of these.
    """
    end, times = took(run), slowed(run)
    seconds = 0.0
    while seconds < end:
        yield run.at(seconds), f"{seconds:.3f} s on the clock."
        seconds = clock() / times


def result(run: Generation) -> str:
    """How long each variant really computed."""
    seconds = {name: _seconds(writing.seconds) for name, writing in run.writings.items()}
    if len(seconds) == 2:
        return f"really {' against '.join(seconds.values())}"
    return f"really {', '.join(f'{name} {text}' for name, text in seconds.items())}"


def line(run: Generation) -> str:
    """What is said of a race while it runs."""
    times = slowed(run)
    how = "At its own speed" if times == 1 else f"Slowed {times:g}×" if times > 1 else f"{1 / times:.2g} times as fast"
    return f"{how}; {result(run)}."


def _seconds(value: float) -> str:
    return f"{value:.2g} s" if value < 10 else f"{value:,.0f} s"
