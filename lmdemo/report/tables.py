"""The rows of the tables of an evaluation, as text, and what their columns mean."""

from collections.abc import Mapping

from lmdemo.evaluation import shown_perplexity
from lmdemo.fidelity import CLOSE, Fidelity, FidelityRun
from lmdemo.latency import Latencies
from lmdemo.measured import Evaluation
from lmdemo.report import closeness, prose
from lmdemo.roofline import Limit
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
WRITING = {
    "× fp32": "How many times as fast as fp32: the median of the ratios of the same turn of ten words, the variants"
    " taking turns in random order in one run, with its 95% interval, which is of this run.",
    "× fp32-packed": "As × fp32, of the same weights laid out for this CPU: the fair baseline.",
    "words/s": "Words written a second: the median over the turns, with its 95% interval.",
    "ms a word, median": "The model’s step, its noise and the choice: half of the words took less.",
    "95% take at most": "What the slowest words wait for: one of twenty took longer.",
}


def result_rows(evaluation: Evaluation) -> dict[str, dict[str, str]]:
    """Loss, perplexity and speed of each variant; perplexity’s interval and paired change once they are measured."""
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


def fidelity_rows(run: FidelityRun) -> dict[str, dict[str, str]]:
    """How far each variant’s predictions are from the baseline’s."""
    return {
        name: {
            f"within {CLOSE:.0%}": closeness.close(found),
            "KL": closeness.kl(found.kl),
            "a coin’s 50%": closeness.as_coin(found),
            "same top word": closeness.share(found.top_1),
            "Δp": closeness.probability_change(found.change),
            "Δp RMS": closeness.root_mean_square(found.change_rms),
        }
        for name, found in others(run).items()
    }


def writing_rows(measured: Latencies) -> dict[str, dict[str, str]]:
    """How fast each variant writes, a word at a time."""
    bases = [name for name in (measured.baseline, FAIR) if name in measured.seconds]
    return {
        name: {
            **{f"× {base}": _times(measured, name, base) for base in bases},
            "words/s": prose.interval(measured.speed(name)),
            "ms a word, median": f"{measured.percentile(name, 50) * 1e3:.2g}",
            "95% take at most": f"{measured.percentile(name, 95) * 1e3:.2g} ms",
        }
        for name in measured.seconds
    }


def why_writing(measured: Latencies | None, limits: Mapping[str, Limit]) -> str:
    """What takes the time of words that are written; empty until it has been measured, or without limits."""
    if measured is None or not measured.final:
        return ""
    speeds = {name: measured.speed(name).median for name in measured.seconds if name in limits}
    shares = {name: speed / limits[name].writing for name, speed in speeds.items()}
    waits = {name: limits[name].writing_waits_for(speed) for name, speed in speeds.items()}
    return prose.waiting("Written one at a time", shares, waits)


def others(run: FidelityRun) -> dict[str, Fidelity]:
    """What was found of all but the baseline."""
    return {name: found for name, found in run.results.items() if name != run.baseline}


def _times(measured: Latencies, name: str, base: str) -> str:
    return "1" if name == base else prose.interval(measured.speedup(name, over=base))
