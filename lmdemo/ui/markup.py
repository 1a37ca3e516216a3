"""HTML from results. Every piece of text goes through `escape`; nothing a visitor or a vocabulary holds is markup."""

from collections.abc import Mapping, Sequence
from html import escape

from lmdemo import hub
from lmdemo.checkpoint import Checkpoint
from lmdemo.evaluation import shown_perplexity
from lmdemo.fidelity import FidelityRun
from lmdemo.generation import Generation
from lmdemo.lab import Evaluation
from lmdemo.roofline import Limit
from lmdemo.server.service import Pull
from lmdemo.size import MODULES, Size
from lmdemo.text import EOS, shown, spaced
from lmdemo.ui import prose
from lmdemo.variants import FAIR, QuantizedWeight


def status(sentence: str, note: str = "", under_way: bool = False) -> str:
    """A line that says what happened, or how a run goes that is under way; see `controls.run_line`."""
    extra = f'<span class="note">{escape(note)}</span>' if note else ""
    going = " under-way" if under_way else ""
    return f'<p class="status{going}" role="status" aria-live="off">{escape(sentence)} {extra}</p>'


def alert(sentence: str) -> str:
    """A line that says what was wrong."""
    return f'<p class="status alert" role="alert">{escape(sentence)}</p>'


def warning(sentence: str) -> str:
    """A line that says why to take figures with care; nothing for an empty sentence."""
    return f'<p class="warning" role="note">{escape(sentence)}</p>' if sentence else ""


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


def texts(generation: Generation, raw: bool, limits: Mapping[str, Limit]) -> str:
    """The variants' texts side by side, every position that differs from the first variant's marked."""
    fastest = max(writing.words_per_second for writing in generation.writings.values())
    columns = (_column(name, generation, raw, fastest, limits.get(name)) for name in generation.writings)
    return f'<div class="texts">{"".join(columns)}</div>'


def _column(name: str, generation: Generation, raw: bool, fastest: float, limit: Limit | None) -> str:
    speed = generation.writings[name].words_per_second
    share = speed / fastest if fastest else 0
    near = prose.share_of_limit(speed, limit.writing if limit else None)
    return (
        f'<section class="text" style="--variant:var(--{escape(name)})" aria-label="{escape(name)}">'
        f"<header><h2>{escape(name)}</h2><span>{prose.rate(speed)}"
        f"{f'<small>{near}</small>' if near else ''}</span></header>"
        f'<div class="meter" aria-hidden="true"><i style="width:{share:.0%}"></i>{_mark(limit, fastest)}</div>'
        f"<p>{_words(generation, name, raw)}</p></section>"
    )


def _mark(limit: Limit | None, fastest: float) -> str:
    """Where the limit of this machine lies on a meter that ends at the fastest speed; at the end if it lies beyond."""
    if limit is None or not fastest:
        return ""
    place = min(1.0, limit.writing / fastest)
    return f'<span class="{"limit beyond" if limit.writing > fastest else "limit"}" style="left:{place:.1%}"></span>'


def _words(generation: Generation, name: str, raw: bool) -> str:
    words = [shown(word) for word in (*generation.prompt, *generation.writings[name].words)]
    pieces = [f" {word}" for word in words] if raw else spaced(words)
    start = len(generation.prompt)
    parted = generation.parted(name)
    marked = set(parted)
    parts = [f'<span class="prompt">{escape("".join(pieces[:start]).lstrip())}</span>']
    for position, piece in enumerate(pieces[start:]):
        if position not in marked:
            parts.append(escape(piece))
            continue
        gap = piece[: len(piece) - len(piece.lstrip())]
        text = "¶" if words[start + position] == EOS and not raw else piece.strip()
        first = ' class="first"' if position == parted[0] else ""
        mark = f"<mark{first}>{escape(text)}</mark>"
        parts.append(mark + gap if text == "¶" else gap + mark)
    return "".join(parts)


def size_table(sizes: Mapping[str, Size]) -> str:
    """Bytes by module and in all, and the share of the baseline, which is the first."""
    baseline = next(iter(sizes))
    rows = {
        name: {
            "whole file": prose.megabytes(size.total),
            f"of {baseline}": f"{size.ratio:.0%}",
            **{label: prose.module_size(size, module) for module, label in MODULES.items()},
            "bytes of the file": f"{size.total:,}",
        }
        for name, size in sizes.items()
    }
    return _table(rows, "Bytes on disk by variant and module")


def result_table(evaluation: Evaluation) -> str:
    """Loss, perplexity and speed of each variant."""
    return _table(result_rows(evaluation), "Loss, perplexity and speed by variant")


def result_rows(evaluation: Evaluation) -> dict[str, dict[str, str]]:
    """The rows of `result_table`, as text; the error of the perplexity once it has been measured."""
    comparison, run, limits = evaluation.comparison, evaluation.fidelity, evaluation.limits
    bases = [name for name in (comparison.baseline, FAIR) if name in comparison.results]
    rows: dict[str, dict[str, str]] = {}
    for name, result in comparison.results.items():
        found = run.results.get(name) if run else None
        row = {
            "loss": f"{result.loss:.4f}",
            "bits/word": f"{result.bits_per_word:.3f}",
            "perplexity": prose.perplexity(found.perplexity) if found else shown_perplexity(result.perplexity, 2),
        }
        for base in bases:
            row[f"× {base}"] = "1" if name == base else prose.interval(comparison.speedup(name, over=base))
        row["words/s"] = prose.interval(comparison.speed(name))
        if name in limits:
            row["of the limit"] = f"{comparison.speed(name).median / limits[name].reading:.0%}"
        rows[name] = row
    return rows


def fidelity_table(run: FidelityRun | None) -> str:
    """How far each variant's predictions are from the baseline's; nothing until they have been measured."""
    if run is None or len(run.results) < 2:
        return ""
    return _table(fidelity_rows(run), f"How far each variant’s predictions are from {run.baseline}’s")


def fidelity_rows(run: FidelityRun) -> dict[str, dict[str, str]]:
    """The rows of `fidelity_table`, as text."""
    return {
        name: {
            "quality kept": prose.badge(found),
            "ln ratio": prose.estimate(found.log_ratio, 4),
            "KL": prose.estimate(found.kl, 5),
            "same top word": prose.share(found.top_1),
            "Δp": prose.estimate(found.change, 4),
            "Δp RMS": prose.estimate(found.change_rms, 4),
        }
        for name, found in run.results.items()
        if name != run.baseline
    }


def percentile_tables(run: FidelityRun | None) -> str:
    """The whole spread of KL and of the right word's change in probability."""
    if run is None or len(run.results) < 2:
        return ""
    others = {name: found for name, found in run.results.items() if name != run.baseline}
    divergence = {
        name: {_level(level): f"{value:.5f}" for level, value in found.kl_percentiles.items()}
        for name, found in others.items()
    }
    change = {
        name: {_level(level): prose.signed(value, 4) for level, value in found.change_percentiles.items()}
        for name, found in others.items()
    }
    return _table(divergence, f"Percentiles of KL({run.baseline} ‖ variant), nats a word", shown=True) + _table(
        change, "Percentiles of the change in the probability of the right word", shown=True
    )


def _level(level: float) -> str:
    return {0.0: "least", 50.0: "median", 100.0: "most"}.get(level, f"{level:g} %")


def variants_list(descriptions: Mapping[str, str], chosen: str, unavailable: Mapping[str, str]) -> str:
    """What each variant is, what fp32-packed chose here, and why some are not to be had."""
    items = "".join(
        f'<dt style="--variant:var(--{escape(name)})">{escape(name)}</dt>'
        f"<dd>{escape(' '.join(text.split()))} {escape(unavailable.get(name, ''))}</dd>"
        for name, text in descriptions.items()
    )
    return f'<dl class="variants">{items}</dl><p class="note">{escape(chosen)}</p>'


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
        },
        "Scale, zero point and range of each quantized weight",
        corner="weight",
    )


def _table(rows: Mapping[str, Mapping[str, str]], caption: str, corner: str = "variant", shown: bool = False) -> str:
    """A table with the names down the side, and a caption that is for screen readers only unless `shown`.

    It scrolls sideways inside itself, from the keyboard too.
    """
    columns = list(next(iter(rows.values()), {}))
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in (corner, *columns))
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th>'
        + "".join(f"<td>{escape(row.get(column, ''))}</td>" for column in columns)
        + "</tr>"
        for name, row in rows.items()
    )
    unseen = "" if shown else ' class="unseen"'
    return (
        f'<div class="table" role="region" tabindex="0" aria-label="{escape(caption)}"><table class="results">'
        f"<caption{unseen}>{escape(caption)}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )
