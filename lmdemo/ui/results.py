"""The tables of the Evaluate tab: loss and speed, how far from fp32, passage by passage, percentiles."""

from markupsafe import Markup

from lmdemo.evaluation import shown_perplexity
from lmdemo.fidelity import CLOSE, Fidelity, FidelityRun
from lmdemo.measured import Evaluation
from lmdemo.ui import closeness, markup, prose
from lmdemo.variants import FAIR


def result_table(evaluation: Evaluation) -> Markup:
    """Loss, perplexity and speed of each variant."""
    return markup.table(result_rows(evaluation), "Loss and perplexity on this text, and speed, by variant", shown=True)


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
        if evaluation.held:
            row["memory"] = prose.held(evaluation.held.get(name))
        rows[name] = row
    return rows


def fidelity_table(run: FidelityRun | None) -> Markup:
    """How far each variant's predictions are from the baseline's; nothing until they have been measured."""
    if run is None or len(run.results) < 2:
        return Markup()
    return markup.table(
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
    return markup.table(
        rows, f"KL and change of perplexity from {run.baseline}’s, passage by passage", corner="passage"
    )


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
    return markup.table(
        divergence, f"Percentiles of KL({run.baseline} ‖ variant), nats a word", shown=True
    ) + markup.table(change, "Percentiles of the change in the probability of the right word", shown=True)


def _others(run: FidelityRun) -> dict[str, Fidelity]:
    return {name: found for name, found in run.results.items() if name != run.baseline}


def _level(level: float) -> str:
    return {0.0: "least", 50.0: "median", 100.0: "most"}.get(level, f"{level:g} %")
