"""The tables of the Evaluate tab: loss and speed, how far from fp32, passage by passage, percentiles."""

from markupsafe import Markup

from lmdemo.evaluation import shown_perplexity
from lmdemo.fidelity import CLOSE, Fidelity, FidelityRun
from lmdemo.measured import Evaluation
from lmdemo.ui import closeness, markup, prose
from lmdemo.variants import FAIR

READING = {
    "paired change": "Of perplexity from fp32’s, the same words read by both, with its 95% interval: of this text, and"
    " of no other.",
    "× fp32": "How many times as fast as fp32, PyTorch’s own LSTM and Linear as in the tutorial. The variants take"
    " turns in random order, block by block, in one run: the median of the ratios of the same block, with its 95%"
    " interval, which is of this run; another may come out a little beside it.",
    "× fp32-packed": "As × fp32, of the same weights laid out for this CPU: the fair baseline.",
    "words/s": "Words read a second, a window at a time: the median over the blocks of the run, with its 95% interval.",
    "memory": "What a variant holds in this process were no other there, to two figures: its own tensors, integers as"
    " the engine packs them, which may pad them, and the copies that a packed one keeps beside its modules; not the"
    " state and the logits of a run. Told by the C library’s heap, and by glibc’s alone.",
    "loss": "Mean of −ln of the probability of the right word, nats a word. int8 quantizes activations over a whole"
    " window, so its loss depends on the window a little.",
    "perplexity": "e to the power of the loss, with the 95% interval of a block bootstrap: of this text, and of no"
    " other.",
    "of the limit": "Of the faint bar above: the fastest rate of matrix products seen on this machine ÷ the operations"
    " of a word.",
}
CLOSENESS = {
    f"within {CLOSE:.0%}": "Whether perplexity changed by less, up or down; not decided where its interval holds both.",
    "KL": "Divergence of the variant’s distribution from fp32’s, mean, nats a word, as llama.cpp defines it; ours are"
    " the interval, of a block bootstrap, and that all words are scored. Of this text, and of no other.",
    "a coin’s 50%": "What a coin says that is as far from a fair one as the variant’s distribution is from fp32’s.",
    "same top word": "How often both find the same word likeliest.",
    "Δp": "Mean change in the probability of the right word, in percentage points.",
    "Δp RMS": "Root mean square of the change in the probability of the right word, in percentage points.",
}


def result_table(evaluation: Evaluation) -> Markup:
    """Loss, perplexity and speed of each variant."""
    caption = f"Read {evaluation.comparison.window:,} at a time: speed, memory and loss on this text, by variant"
    return markup.table(result_rows(evaluation), caption, shown=True, explained=READING)


def result_rows(evaluation: Evaluation) -> dict[str, dict[str, str]]:
    """The rows of `result_table`, as text; perplexity with its interval and paired change once they are measured."""
    comparison, run, limits = evaluation.comparison, evaluation.fidelity, evaluation.limits
    bases = [name for name in (comparison.baseline, FAIR) if name in comparison.results]
    rows: dict[str, dict[str, str]] = {}
    for name, result in comparison.results.items():
        found = run.results.get(name) if run else None
        row = {"paired change": "" if name == comparison.baseline else closeness.change(found)} if found else {}
        for base in bases:
            row[f"× {base}"] = "1" if name == base else prose.interval(comparison.speedup(name, over=base))
        row["words/s"] = prose.interval(comparison.speed(name))
        if evaluation.held:
            row["memory"] = prose.about(evaluation.held[name].total) if name in evaluation.held else "not told"
        row["loss"] = f"{result.loss:.4f}"
        row["perplexity"] = closeness.perplexity(found.perplexity) if found else shown_perplexity(result.perplexity, 2)
        if name in limits:
            row["of the limit"] = f"{comparison.speed(name).median / limits[name].reading:.0%}"
        rows[name] = row
    return rows


def fidelity_table(run: FidelityRun | None) -> Markup:
    """How far each variant's predictions are from the baseline's; nothing until they have been measured."""
    if run is None or len(run.results) < 2:
        return Markup()
    caption = f"How far each variant’s predictions are from {run.baseline}’s on this text"
    return markup.table(fidelity_rows(run), caption, shown=True, explained=CLOSENESS)


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
