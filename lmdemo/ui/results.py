"""The card and the tables of the Evaluate tab: loss and speed, how far from fp32, passage by passage, percentiles."""

from markupsafe import Markup

from lmdemo.fidelity import FidelityRun
from lmdemo.measured import Evaluation
from lmdemo.report import closeness, prose, ship, tables
from lmdemo.ui import markup
from lmdemo.verdict import Mark

SIGNS = {Mark.YES: "✓", Mark.NO: "✗", Mark.PARTLY: "±", Mark.OPEN: "?"}


def card(evaluation: Evaluation | None) -> Markup:
    """The card as HTML; nothing where there is nothing to compare."""
    found = ship.asked(evaluation)
    if found is None:
        return Markup()
    rows = Markup().join(map(_answer, ship.rows(found, evaluation)))
    return Markup(
        '<section class="ship" aria-label="{title}"><h2>{title}</h2>{rows}<p class="note">{on}</p></section>'
    ).format(title=ship.title(found), rows=rows, on=ship.measured_on(evaluation))


def _answer(row: ship.Row) -> Markup:
    kind = row.mark.name.lower() if row.mark else "pending"
    lines = Markup().join(map(Markup("<li>{}</li>").format, row.measured))
    return Markup(
        '<div class="answer {kind}"><span class="sign" aria-hidden="true">{sign}</span>'
        "<h3>{what} <b>{answer}</b></h3><ul>{lines}</ul><p>{bar}</p></div>"
    ).format(
        kind=kind, sign=SIGNS[row.mark] if row.mark else "…", what=row.what, answer=row.answer, lines=lines, bar=row.bar
    )


def result_table(evaluation: Evaluation) -> Markup:
    """Loss, perplexity and speed of each variant."""
    caption = f"Read {evaluation.comparison.window:,} at a time: speed, memory and loss on this text, by variant"
    return markup.table(tables.result_rows(evaluation), caption, shown=True, explained=tables.READING)


def writing(evaluation: Evaluation) -> Markup:
    """How fast each variant writes, and what takes the time; nothing until it has been measured."""
    measured = evaluation.writing
    if measured is None or not measured.final:
        return Markup()
    title = f"Writing, a word at a time: {measured.words:,} words each, by variant"
    found = markup.table(tables.writing_rows(measured), title, shown=True, explained=tables.WRITING)
    return found + markup.sentence(tables.why_writing(measured, evaluation.limits))


def fidelity_table(run: FidelityRun | None) -> Markup:
    """How far each variant's predictions are from the baseline's; nothing until they have been measured."""
    if run is None or len(run.results) < 2:
        return Markup()
    caption = f"How far each variant’s predictions are from {run.baseline}’s on this text"
    return markup.table(tables.fidelity_rows(run), caption, shown=True, explained=tables.CLOSENESS)


def passage_table(run: FidelityRun | None) -> Markup:
    """KL and change of perplexity of each passage of the text, by variant."""
    if run is None or len(run.results) < 2:
        return Markup()
    found = tables.others(run)
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
    others = tables.others(run)
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


def _level(level: float) -> str:
    return {0.0: "least", 50.0: "median", 100.0: "most"}.get(level, f"{level:g} %")
