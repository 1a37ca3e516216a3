"""Which matrix hurts: a bar for what each costs alone, beside a bar for the bytes that it saves."""

from markupsafe import Markup

from lmdemo.bit_costs import Cost, Sensitivity
from lmdemo.report import fewer_bits, prose
from lmdemo.rounding import Rounding
from lmdemo.ui.bits_charts import SCALE_VARIANTS

HEADS = ("matrix", "KL alone", "saves")


def ranked(costs: Sensitivity | None, rounding: Rounding, waiting: str) -> Markup:
    """The sentence, and the matrices as a table, the one that hurts most first; `waiting` until that is known."""
    found = costs.ranked(rounding.bits, rounding.per_row) if costs else ()
    rows = Markup().join(_row(cost, found) for cost in found)
    heads = Markup().join(map(Markup('<th scope="col">{}</th>').format, HEADS))
    table = Markup(
        '<table class="hurting" style="--rounded:var(--{})">'
        '<caption class="unseen">What each matrix costs when it alone is rounded</caption>'
        "<thead><tr>{}</tr></thead><tbody>{}</tbody></table>"
    ).format(SCALE_VARIANTS[rounding.per_row], heads, rows)
    return Markup('<h2>Which matrix hurts?</h2><p class="sentence">{}</p>{}').format(
        fewer_bits.hurts(costs, rounding) or waiting, table if found else ""
    )


def _row(cost: Cost, found: tuple[Cost, ...]) -> Markup:
    (name,) = cost.rounding.matrices
    bar = Markup('<td class="measure"><i class="{}" style="width:{:.1%}"></i><span>{}</span></td>')
    worst = max(each.kl for each in found) or 1.0
    most = max(max(each.saved for each in found), 1)
    return Markup('<tr><th scope="row">{}</th>{}{}</tr>').format(
        name,
        bar.format("kl", cost.kl / worst, fewer_bits.kl(cost.kl)),
        bar.format("saved", max(0, cost.saved) / most, prose.megabytes(cost.saved)),
    )
