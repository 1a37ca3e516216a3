"""HTML from results. What is put into Markup is escaped by it: nothing a visitor or a vocabulary holds is markup."""

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from lmdemo import hub
from lmdemo.checkpoint import Checkpoint
from lmdemo.errors import InputError, LmdemoError
from lmdemo.report import prose
from lmdemo.size import MODULES, Size, alike
from lmdemo.variants import QuantizedWeight


def status(sentence: str, aside: str = "", under_way: bool = False) -> Markup:
    """A line that says what happened, or how a run goes that is under way; see `controls.run_line`."""
    going = " under-way" if under_way else ""
    line = Markup('<div class="status{}" role="status" aria-live="off"><div class="said">{}</div> {}</div>')
    return line.format(going, sentence, note(aside) if aside else "")


def alert(sentence: str, refused: bool = False) -> Markup:
    """A line that says what was wrong; `refused`, of a run that so never began, which leaves the page's address."""
    kind = " refused" if refused else ""
    return Markup('<p class="status alert{}" role="alert">{}</p>').format(kind, sentence)


def ended(error: LmdemoError, so_far: str = "") -> Markup:
    """The line of a run that ended so: what was wrong, and how far it had come."""
    return alert(f"{error}{so_far}", refused=isinstance(error, InputError))


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


def note(text: str) -> Markup:
    """What is said in smaller letters."""
    return Markup('<span class="note">{}</span>').format(text)


def size_table(sizes: Mapping[str, Size]) -> Markup:
    """Bytes by module and in all, and the share of the baseline, which is the first."""
    baseline = next(iter(sizes))
    rows = {
        Markup(", <br>").join(names): {
            "whole file": prose.megabytes(size.total),
            f"of {baseline}": f"{size.ratio:.0%}",
            **{label: prose.module_size(size, module) for module, label in MODULES.items()},
            "bytes of the file": f"{size.total:,}",
        }
        for names, size in alike(sizes).items()
    }
    return table(rows, "Bytes on disk by variant and module")


def variants_list(descriptions: Mapping[str, str], chosen: Sequence[str], unavailable: Mapping[str, str]) -> Markup:
    """What each variant is, what the packed ones chose here, and what some have to do without."""
    item = Markup('<dt style="--variant:var(--{name})">{name}</dt><dd>{text} {reason}</dd>')
    items = Markup().join(
        item.format(name=name, text=" ".join(text.split()), reason=unavailable.get(name, ""))
        for name, text in descriptions.items()
    )
    notes = Markup().join(map(Markup('<p class="note">{}</p>').format, filter(None, chosen)))
    fold = Markup("<details><summary>What the packed ones chose on this machine</summary>{}</details>")
    return Markup('<dl class="variants">{}</dl>{}').format(items, fold.format(notes) if notes else "")


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


def table(
    rows: Mapping[str, Mapping[str, str]],
    caption: str,
    corner: str = "variant",
    shown: bool = False,
    explained: Mapping[str, str] | None = None,
) -> Markup:
    """A table with the names down the side, and a caption for screen readers; what is `shown` to others stands above.

    It scrolls sideways inside itself, from the keyboard too, and what stands above does not. Of one whose headings are
    `explained`, by column, the columns that are the same in every row come last, and on a phone as a line below.
    """
    columns = list(next(iter(rows.values()), {}))
    same = _same(rows, columns) if explained else []
    columns = [column for column in columns if column not in same] + same
    classes = {column: Markup(' class="same"') if column in same else "" for column in columns}
    body = (
        Markup('<tr><th scope="row">{}</th>{}</tr>').format(
            name,
            Markup().join(Markup("<td{}>{}</td>").format(classes[column], row.get(column, "")) for column in columns),
        )
        for name, row in rows.items()
    )
    heads = (
        Markup('<th scope="col"{}>{}</th>').format(classes[column], _term(column, (explained or {}).get(column)))
        for column in columns
    )
    title = Markup('<p class="title" aria-hidden="true">{}</p>').format(caption) if shown else Markup()
    return (
        title
        + Markup(
            '<div class="table" role="region" tabindex="0" aria-label="{caption}"><table class="results">'
            '<caption class="unseen">{caption}</caption>'
            '<thead><tr><th scope="col">{corner}</th>{head}</tr></thead><tbody>{body}</tbody></table></div>'
        ).format(caption=caption, corner=corner, head=Markup().join(heads), body=Markup().join(body))
        + _folded(rows, same)
    )


def _same(rows: Mapping[str, Mapping[str, str]], columns: Sequence[str]) -> list[str]:
    """The columns that say the same in every row, if there are rows to compare."""
    return [name for name in columns if len(rows) > 1 and len({row.get(name, "") for row in rows.values()}) == 1]


def _folded(rows: Mapping[str, Mapping[str, str]], same: Sequence[str]) -> Markup:
    """For a phone: what the columns that are left out there say."""
    if not same:
        return Markup()
    row = next(iter(rows.values()))
    said = "; ".join(f"{column} {row[column]}" for column in same)
    return Markup('<p class="note folded">The same in every row: {}.</p>').format(said)


def _term(name: str, meaning: str | None) -> Markup | str:
    """A heading; one with a meaning is a button, of which assets/page.js shows it."""
    if meaning is None:
        return name
    return Markup('<button type="button" class="term" aria-description="{0}" data-meaning="{0}">{1}</button>').format(
        meaning, name
    )
