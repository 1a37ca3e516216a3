"""HTML from results. What is put into Markup is escaped by it: nothing a visitor or a vocabulary holds is markup."""

from collections.abc import Iterable, Mapping, Sequence

from markupsafe import Markup

from lmdemo import hub
from lmdemo.checkpoint import Checkpoint
from lmdemo.evaluation import shown_perplexity
from lmdemo.fidelity import CLOSE, Fidelity, FidelityRun
from lmdemo.measured import Evaluation
from lmdemo.server.service import Pull
from lmdemo.size import MODULES, Size
from lmdemo.ui import closeness, prose
from lmdemo.variants import FAIR, QuantizedWeight


def status(sentence: str, note: str = "", under_way: bool = False) -> Markup:
    """A line that says what happened, or how a run goes that is under way; see `controls.run_line`."""
    going = " under-way" if under_way else ""
    line = Markup('<div class="status{}" role="status" aria-live="off"><div class="said">{}</div> {}</div>')
    return line.format(going, sentence, _note(note) if note else "")


def alert(sentence: str) -> Markup:
    """A line that says what was wrong."""
    return Markup('<p class="status alert" role="alert">{}</p>').format(sentence)


def warning(sentence: str) -> Markup:
    """A line that says why to take figures with care; nothing for an empty sentence."""
    return Markup('<p class="warning" role="note">{}</p>').format(sentence) if sentence else Markup()


def sentence(text: str) -> Markup:
    """A line of text that says what a chart shows; nothing for an empty one."""
    return Markup('<p class="sentence">{}</p>').format(text) if text else Markup()


def provenance(checkpoint: Checkpoint) -> Markup:
    """Which checkpoint is in service; one from the Hub with a link to its commit."""
    origin = prose.origin(checkpoint)
    if checkpoint.revision:
        link = Markup('<a href="{}" target="_blank" rel="noopener">{}</a> from the Hugging Face Hub')
        origin = link.format(hub.address(checkpoint.source, checkpoint.revision), origin)
    return Markup("checkpoint {}: {}").format(origin, prose.shape(checkpoint))


def pull(state: Pull | None) -> Markup:
    """A line about a checkpoint asked of the Hub; nothing when there is nothing to say."""
    sentence, note = prose.pull(state) if state else ("", "")
    if not sentence:
        return Markup()
    if not state.under_way:
        return status(sentence, note)
    place = Markup(' value="{}" max="{}"').format(state.here, state.total) if state.total else ""
    return Markup('<p class="status">{} <progress{}></progress> {}</p>').format(sentence, place, _note(note))


def _note(text: str) -> Markup:
    return Markup('<span class="note">{}</span>').format(text)


def size_table(sizes: Mapping[str, Size]) -> Markup:
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
    return table(rows, "Bytes on disk by variant and module")


def result_table(evaluation: Evaluation) -> Markup:
    """Loss, perplexity and speed of each variant."""
    return table(result_rows(evaluation), "Loss and perplexity on this text, and speed, by variant", shown=True)


def result_rows(evaluation: Evaluation) -> dict[str, dict[str, str]]:
    """The rows of `result_table`, as text; perplexity with its interval and paired change once they are measured."""
    comparison, run, limits = evaluation.comparison, evaluation.fidelity, evaluation.limits
    bases = [name for name in (comparison.baseline, FAIR) if name in comparison.results]
    rows: dict[str, dict[str, str]] = {}
    for name, result in comparison.results.items():
        found = run.results.get(name) if run else None
        row = {
            "loss": f"{result.loss:.4f}",
            "perplexity": closeness.perplexity(found.perplexity) if found else shown_perplexity(result.perplexity, 2),
        }
        if found:
            row["paired change"] = "" if name == comparison.baseline else closeness.change(found)
        for base in bases:
            row[f"× {base}"] = "1" if name == base else prose.interval(comparison.speedup(name, over=base))
        row["words/s"] = prose.interval(comparison.speed(name))
        if name in limits:
            row["of the limit"] = f"{comparison.speed(name).median / limits[name].reading:.0%}"
        rows[name] = row
    return rows


def fidelity_table(run: FidelityRun | None) -> Markup:
    """How far each variant's predictions are from the baseline's; nothing until they have been measured."""
    if run is None or len(run.results) < 2:
        return Markup()
    return table(
        fidelity_rows(run), f"How far each variant’s predictions are from {run.baseline}’s on this text", shown=True
    )


def fidelity_rows(run: FidelityRun) -> dict[str, dict[str, str]]:
    """The rows of `fidelity_table`, as text."""
    return {
        name: {
            f"within {CLOSE:.0%}": closeness.close(found),
            "KL": closeness.kl(found.kl),
            "a coin’s 50%": closeness.as_coin(found),
            "same top word": closeness.share(found.top_1),
            "Δp": closeness.probability_change(found.change),
            "Δp RMS": closeness.root_mean_square(found.change_rms),
        }
        for name, found in _others(run).items()
    }


def passage_table(run: FidelityRun | None) -> Markup:
    """KL and change of perplexity of each passage of the text, by variant."""
    if run is None or len(run.results) < 2:
        return Markup()
    found = _others(run)
    rows = {
        closeness.place(passage): {
            column: figure
            for name, other in found.items()
            for column, figure in (
                (f"KL, {name}", f"{other.passages[number].kl:.5f}"),
                (f"perplexity, {name}", closeness.passage_change(other.passages[number])),
            )
        }
        for number, passage in enumerate(next(iter(found.values())).passages)
    }
    return table(rows, f"KL and change of perplexity from {run.baseline}’s, passage by passage", corner="passage")


def percentile_tables(run: FidelityRun | None) -> Markup:
    """The whole spread of KL and of the right word's change in probability."""
    if run is None or len(run.results) < 2:
        return Markup()
    others = _others(run)
    divergence = {
        name: {_level(level): f"{value:.5f}" for level, value in found.kl_percentiles.items()}
        for name, found in others.items()
    }
    change = {
        name: {_level(level): f"{prose.signed(100 * value, 2)}%" for level, value in found.change_percentiles.items()}
        for name, found in others.items()
    }
    return table(divergence, f"Percentiles of KL({run.baseline} ‖ variant), nats a word", shown=True) + table(
        change, "Percentiles of the change in the probability of the right word", shown=True
    )


def _others(run: FidelityRun) -> dict[str, Fidelity]:
    return {name: found for name, found in run.results.items() if name != run.baseline}


def _level(level: float) -> str:
    return {0.0: "least", 50.0: "median", 100.0: "most"}.get(level, f"{level:g} %")


def variants_list(descriptions: Mapping[str, str], chosen: Sequence[str], unavailable: Mapping[str, str]) -> Markup:
    """What each variant is, what the packed ones chose here, and what some have to do without."""
    item = Markup('<dt style="--variant:var(--{name})">{name}</dt><dd>{text} {reason}</dd>')
    items = Markup().join(
        item.format(name=name, text=" ".join(text.split()), reason=unavailable.get(name, ""))
        for name, text in descriptions.items()
    )
    notes = Markup().join(map(Markup('<p class="note">{}</p>').format, chosen))
    return Markup('<dl class="variants">{}</dl>{}').format(items, notes)


def weights_table(weights: Sequence[QuantizedWeight]) -> Markup:
    """Scale, zero point and range of every quantized weight tensor."""
    return table(
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


def table(rows: Mapping[str, Mapping[str, str]], caption: str, corner: str = "variant", shown: bool = False) -> Markup:
    """A table with the names down the side, and a caption for screen readers; what is `shown` to others stands above.

    It scrolls sideways inside itself, from the keyboard too, and what stands above does not.
    """
    columns = list(next(iter(rows.values()), {}))
    body = (
        Markup('<tr><th scope="row">{}</th>{}</tr>').format(
            name, _cells(Markup("<td>{}</td>"), (row.get(column, "") for column in columns))
        )
        for name, row in rows.items()
    )
    title = Markup('<p class="title" aria-hidden="true">{}</p>').format(caption) if shown else Markup()
    return title + Markup(
        '<div class="table" role="region" tabindex="0" aria-label="{caption}"><table class="results">'
        '<caption class="unseen">{caption}</caption>'
        "<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    ).format(
        caption=caption,
        head=_cells(Markup('<th scope="col">{}</th>'), (corner, *columns)),
        body=Markup().join(body),
    )


def _cells(cell: Markup, texts: Iterable[str]) -> Markup:
    return Markup().join(map(cell.format, texts))
