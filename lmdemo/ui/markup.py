"""HTML from results. Every piece of text goes through `escape`; nothing a visitor or a vocabulary holds is markup."""

from collections.abc import Mapping, Sequence
from html import escape

import pandas as pd

from lmdemo import hub
from lmdemo.checkpoint import Checkpoint
from lmdemo.evaluation import Comparison
from lmdemo.generation import Generation, Writing
from lmdemo.service import Pull
from lmdemo.size import MODULES, Size
from lmdemo.text import EOS, spaced
from lmdemo.ui import prose
from lmdemo.variants import QuantizedWeight


def status(sentence: str, note: str = "") -> str:
    """A line that says what happened; screen readers announce it."""
    extra = f'<span class="note">{escape(note)}</span>' if note else ""
    return f'<p class="status" role="status">{escape(sentence)} {extra}</p>'


def alert(sentence: str) -> str:
    """A line that says what was wrong."""
    return f'<p class="status alert" role="alert">{escape(sentence)}</p>'


def provenance(checkpoint: Checkpoint) -> str:
    """Which checkpoint is in service; one from the Hub with a link to its commit."""
    origin = escape(prose.origin(checkpoint))
    if checkpoint.revision:
        link = escape(hub.address(checkpoint.source, checkpoint.revision))
        origin = f'<a href="{link}" target="_blank" rel="noopener">{origin}</a> from the Hugging Face Hub'
    return f"checkpoint {origin}: {escape(prose.shape(checkpoint))}"


def pull(state: Pull | None) -> str:
    """A line about a checkpoint asked of the Hub; nothing when there is nothing to say."""
    sentence, note = prose.pull(state) if state else ("", "")
    if not sentence:
        return ""
    if not state.under_way:
        return status(sentence, note)
    bar = f'<progress value="{state.here}" max="{state.total}"></progress>' if state.total else "<progress></progress>"
    return f'<p class="status">{escape(sentence)} {bar} <span class="note">{escape(note)}</span></p>'


def texts(generation: Generation, raw: bool) -> str:
    """The variants' texts side by side, every position that differs marked."""
    fastest = max(writing.words_per_second for writing in generation.writings.values())
    columns = (_column(name, writing, generation, raw, fastest) for name, writing in generation.writings.items())
    return f'<div class="texts">{"".join(columns)}</div>'


def _column(name: str, writing: Writing, generation: Generation, raw: bool, fastest: float) -> str:
    speed = writing.words_per_second
    share = speed / fastest if fastest else 0
    return (
        f'<section class="text" style="--variant:var(--{escape(name)})" aria-label="{escape(name)}">'
        f"<header><h3>{escape(name)}</h3><span>{prose.rate(speed)}</span></header>"
        f'<div class="meter" aria-hidden="true"><i style="width:{share:.0%}"></i></div>'
        f"<p>{_words(generation, writing, raw)}</p></section>"
    )


def _words(generation: Generation, writing: Writing, raw: bool) -> str:
    words = (*generation.prompt, *writing.words)
    pieces = [f" {word}" for word in words] if raw else spaced(words)
    start = len(generation.prompt)
    marked = set(generation.differences)
    parts = [f'<span class="prompt">{escape("".join(pieces[:start]).lstrip())}</span>']
    for position, piece in enumerate(pieces[start:]):
        if position not in marked:
            parts.append(escape(piece))
            continue
        gap = piece[: len(piece) - len(piece.lstrip())]
        shown = "¶" if words[start + position] == EOS and not raw else piece.strip()
        first = ' class="first"' if position == generation.first_difference else ""
        mark = f"<mark{first}>{escape(shown)}</mark>"
        parts.append(mark + gap if shown == "¶" else gap + mark)
    return "".join(parts)


def size_table(sizes: Mapping[str, Size]) -> str:
    """Bytes by module and in all, and the share of the baseline, which is the first."""
    baseline = next(iter(sizes))
    rows = {
        name: {
            "whole file": prose.megabytes(size.total),
            f"of {baseline}": f"{size.ratio:.0%}",
            **{label: prose.megabytes(size.modules[module]) for module, label in MODULES.items()},
            "bytes of the file": f"{size.total:,}",
        }
        for name, size in sizes.items()
    }
    return _table(rows)


def result_table(comparison: Comparison) -> str:
    """Loss, perplexity and speed of each variant."""
    rows = {
        name: {
            "loss": f"{result.loss:.4f}",
            "perplexity": f"{result.perplexity:,.2f}",
            "speed-up": "1×" if name == comparison.baseline else prose.interval(comparison.speedup(name), "×"),
            "words/s": prose.interval(comparison.speed(name)),
            "seconds": f"{result.seconds:.2f}",
        }
        for name, result in comparison.results.items()
    }
    return _table(rows)


def weights_table(weights: Sequence[QuantizedWeight]) -> str:
    """Scale, zero point and range of every quantized weight tensor."""
    return _table(
        {
            weight.name: {
                "shape": " × ".join(str(width) for width in weight.shape),
                "scale": f"{weight.scale:.5f}",
                "zero point": str(weight.zero_point),
                "integers": f"{weight.least} … {weight.most}".replace("-", "−"),
                "stand for": f"{weight.scale * weight.least:.2f} … {weight.scale * weight.most:.2f}".replace("-", "−"),
            }
            for weight in weights
        }
    )


def _table(rows: Mapping[str, Mapping[str, str]]) -> str:
    """A table with the variants down the side; pandas escapes every cell."""
    frame = pd.DataFrame.from_dict(rows, orient="index")
    return f'<div class="table">{frame.to_html(border=0, justify="right", classes="results")}</div>'
