"""The three tiles above the tabs: what 8 bits change of size, speed and choices, a number each that leads to its tab.

They fill in as the lab's first results come. A tile that has nothing yet is as high as it will be.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from functools import partial
from typing import TypeVar

import gradio as gr
from markupsafe import Markup

from lmdemo.lab import Lab
from lmdemo.measured import Evaluation
from lmdemo.measured_text import doubt
from lmdemo.report import prose
from lmdemo.server.service import Service
from lmdemo.size import Size
from lmdemo.ui.events import LOOK_AGAIN, QUICK, Components, Update, first_result, named
from lmdemo.variants import BASELINE, FAIR, TUTORIAL

Result = TypeVar("Result")
Bar = tuple[str, float]  # the variant, and how much of the track is its
Said = tuple[str, str]  # in few words, and what goes on where there is room
QUANTIZED = "int8"
FAIR_QUANTIZED = "int8-packed"
SIZE, SPEED, CHOICES = "of the size", "as fast at reading", "likeliest words the same"


def build(service: Service) -> tuple[gr.HTML, gr.Timer]:
    """Lay the tiles out; returns what `arrive` and `look` fill."""
    tiles = gr.HTML(draw(service.lab), elem_id="tiles", js_on_load="lmdemo.leadToTabs(element)")
    return tiles, gr.Timer(LOOK_AGAIN, active=False)


def follow(service: Service, address: gr.HTML, tiles: gr.HTML, clock: gr.Timer) -> None:
    """Fill the tiles of a page that has its address: with what comes first, then all; later with what is sound."""
    filled: Components = {"tiles": tiles, "clock": clock}
    first = address.input(**named(partial(arrive, service), {}, filled), **QUICK)
    first.then(**named(partial(complete, service), {}, filled), **QUICK)
    clock.tick(**named(partial(look, service), {}, filled), **QUICK)


async def arrive(service: Service) -> Update:
    """The size, and what else is there."""
    service.start()  # already begun, unless something other than app.py launched the page
    await first_result(service.lab.first_sizes)
    return {"tiles": draw(service.lab)}


async def complete(service: Service) -> Update:
    """All, as soon as they are there."""
    await first_result(service.lab.evaluation)
    return look(service)


def look(service: Service) -> Update:
    """What is there now; a page goes on looking while something is missing, or in doubt."""
    evaluation = service.lab.evaluation
    found = evaluation.result() if evaluation.done() else None
    settled = evaluation.done() and (found is None or found.sound)
    return {"tiles": draw(service.lab), "clock": gr.Timer(active=not settled)}


def draw(lab: Lab) -> Markup:
    """The tiles, as far as their figures are there."""
    tiles = (
        _filled(lab.first_sizes, "size", SIZE, _size),
        _filled(lab.evaluation, "evaluate", SPEED, _speed),
        _filled(lab.evaluation, "evaluate", CHOICES, _choices),
    )
    return Markup('<nav class="tiles" aria-label="What changed, in three numbers">{}</nav>').format(
        Markup().join(tiles)
    )


def _filled(first: Future[Result | None], tab: str, words: str, draw: Callable[[Result], Markup]) -> Markup:
    if not first.done():
        return _tile(tab, "…", (words, ""), [], ("being measured", ""))
    found = first.result()
    return _tile(tab, "–", (words, ""), [], ("could not be measured", "")) if found is None else draw(found)


def _size(sizes: dict[str, Size]) -> Markup:
    base, size = (sizes[name] for name in TUTORIAL)
    change = f": {prose.megabytes(base.total).removesuffix(' MB')} → {prose.megabytes(size.total)}"
    return _tile("size", f"{size.ratio:.0%}", (SIZE, change), [(QUANTIZED, size.ratio)], ("on disk", ", by torch.save"))


def _speed(evaluation: Evaluation) -> Markup:
    """What the one call gives; and in small what is left of it when both are laid out for this CPU."""
    comparison = evaluation.comparison
    speedup = comparison.speedup(QUANTIZED)
    number, _, interval = prose.interval(speedup, "×").partition(" (")
    if not comparison.sound:
        note = "in doubt: busy machine", ""
    elif {FAIR, FAIR_QUANTIZED} <= comparison.results.keys():
        fair, _, more = prose.interval(comparison.speedup(FAIR_QUANTIZED, over=FAIR), "×").partition(" (")
        note = f"both packed: {fair}", f" ({more}" if more else ""
    else:
        note = f"both packed: measure {FAIR_QUANTIZED}", ""
    slower = max(speedup.median, 1.0)
    bars = [(BASELINE, 1 / slower), (QUANTIZED, speedup.median / slower)]
    return _tile("evaluate", number, (SPEED, f" ({interval}" if interval else ""), bars, note, not comparison.sound)


def _choices(evaluation: Evaluation) -> Markup:
    """Of the words of the test text, and the loss on it."""
    same = evaluation.fidelity.results[QUANTIZED].top_1.value
    change = prose.signed(100 * evaluation.comparison.loss_change(QUANTIZED), 2)
    loss = f"loss {'±' if change == '0.00' else ''}{change}%"
    doubted = bool(doubt(evaluation.unknown_share))
    note = ("in doubt: unknown words", "") if doubted else (loss, f", over {evaluation.comparison.tokens:,} words")
    return _tile("evaluate", f"{100 * same:.0f} of 100", (CHOICES, ""), [(QUANTIZED, same)], note, doubted)


def _tile(tab: str, number: str, words: Said, bars: Iterable[Bar], note: Said, doubted: bool = False) -> Markup:
    """A number, what it is of, a bar a variant, and a note."""
    bar = Markup('<i style="--variant:var(--{});width:{:.1%}"></i>')
    return Markup(
        '<a class="tile{}" href="?tab={}"><b>{}</b> <span class="words">{}<span>{}</span></span>'
        ' <span class="bars" aria-hidden="true">{}</span> <small>{}<span>{}</span></small></a>'
    ).format(" doubted" if doubted else "", tab, number, *words, Markup().join(bar.format(*one) for one in bars), *note)
