"""The panel beside the texts: what both models thought at a word of fp32's that is pointed at.

Where a visitor points and how the panel opens and closes is assets/words.js.
"""

import math
from collections.abc import Iterator
from functools import partial

import gradio as gr
from markupsafe import Markup

from lmdemo.errors import LmdemoError
from lmdemo.fidelity import coin
from lmdemo.generation import Generation
from lmdemo.inference import Pause
from lmdemo.inspecting import Candidate, Inspection
from lmdemo.report import choices, prose
from lmdemo.server.service import Service
from lmdemo.text import EOS, shown
from lmdemo.ui.events import Update, named

KIND = "page/inspect"  # of a run, in the log
# Not in the line of runs that compute: it waits for a step of the one under way, and not for its end. One at a time;
# of the words that are passed on the way to another, only that one is asked for.
POINTING = {"concurrency_id": "pointing", "concurrency_limit": 1, "trigger_mode": "always_last"}
POINTING |= {"show_progress": "hidden", "api_visibility": "private"}
FORGOTTEN = "This page no longer has the run that wrote this text; press Write to make it again."
ANOTHER = "Another model wrote this text, which this page no longer runs; press Write for one of the model it has now."

RARE, LIKELY = 0.05, 0.2  # what a word's chance is below, or above, to be called so
CLOSE_CALL = 0.5  # of scores that together changed by less than this a toss-up decided; odds of 1 become 1.6
CLOSE = Markup('<button type="button" class="close" aria-label="Close">×</button>')


def build(service: Service, last: gr.State, origin: gr.State) -> None:
    """Lay the panel out, for the run that `last` holds, of the model that `origin` names."""
    place = gr.HTML(html_template="", js_on_load="lmdemo.pointAtWords(element, props, trigger)", visible="hidden")
    panel = gr.HTML(elem_id="inspection", js_on_load="lmdemo.showInspection(element, props, watch)")
    asked = {"place": place, "last": last, "origin": origin}
    place.input(**named(partial(look, service), asked, {"panel": panel}), **POINTING)


def look(service: Service, place: object, last: Generation | None, origin: str | None) -> Iterator[Update]:
    """What both thought at a place of the text of `last`; a sentence, for what keeps it from that."""
    lab = service.lab
    if last is None:
        yield {"panel": refusal(FORGOTTEN)}
        return
    if origin != prose.origin(lab.checkpoint):
        yield {"panel": refusal(ANOTHER)}
        return
    baseline, *others = last.writings
    words = last.writings[baseline].words

    def start(position: object, pause: Pause) -> Iterator[Inspection]:
        return lab.inspect(last.settings, words, position, others, pause)

    try:
        for found in service.run(KIND, start, position=place):
            yield {"panel": panel(found)}
    except LmdemoError as error:
        yield {"panel": refusal(str(error))}


def refusal(sentence: str) -> Markup:
    """The panel with a line that says what was wrong."""
    return Markup('<section class="inspection" aria-label="This word">{}<p role="alert">{}</p></section>').format(
        CLOSE, sentence
    )


def panel(found: Inspection) -> Markup:
    """Likely words with the chances that two models give them, why each chose its own, and how far they are apart."""
    baseline, name = pair(found)
    heads = Markup().join(map(Markup('<span role="columnheader">{}</span>').format, _both(baseline, name)))
    rows = Markup().join(_row(found, candidate, baseline, name) for candidate in found.candidates)
    return Markup(
        '<section class="inspection" aria-labelledby="inspection-title" data-place="{place}">'
        '<header><h3 id="inspection-title">{title}</h3>{close}</header><p class="why">{why}</p>'
        '<p class="note" id="chances">{chances}</p><div class="chances" role="table" aria-labelledby="chances">'
        '<div role="row" class="unseen"><span role="columnheader">word</span>{heads}</div>{rows}</div>'
        '{totals}{others}<p class="note">{distance}</p></section>'
    ).format(
        place=found.position,
        title=title(found),
        close=CLOSE,
        why=why(found),
        chances=chances(found),
        heads=heads,
        rows=rows,
        totals=_totals(found, baseline, name),
        others=_others(found, name),
        distance=distance(found),
    )


def pair(found: Inspection) -> tuple[str, str | None]:
    """The baseline, and the variant to hold against it: the first that chose otherwise, or the one of most interest."""
    baseline, *others = found.chosen
    apart = [name for name in others if found.chosen[name] != found.chosen[baseline]]
    return baseline, next(iter(apart), prose.of_interest(others) if others else None)


def quoted(word: str) -> str:
    """A word in a sentence."""
    return f"“{choices.isolated(_plain(word))}”"


def title(found: Inspection) -> str:
    """Which word it is, and in a few words what happened there."""
    baseline, name = pair(found)
    where = f"Word {found.position + 1:,}"
    if name is None:
        return f"{where}: {quoted(found.chosen[baseline])}"
    if found.chosen[name] == found.chosen[baseline]:
        return f"{where}: both chose {quoted(found.chosen[baseline])}"
    if _moved(found, baseline, name) >= CLOSE_CALL:
        return f"{where}: {name} thought otherwise"
    chosen = [found.candidate(found.chosen[each]).probabilities for each in (baseline, name)]
    shares = [each[model] for each in chosen for model in (baseline, name)]
    kind = " rare" if max(shares) < RARE else " likely" if min(shares) > LIKELY else ""
    return f"{where}: a toss-up between two{kind} words"


def why(found: Inspection) -> str:
    """What tipped each model's choice."""
    baseline, name = pair(found)
    one = found.chosen[baseline]
    dice = found.candidate(one).noise is not None
    if name is None or found.chosen[name] == one:
        if one == found.candidates[0].word:
            return f"The likeliest word{', dice and all' if dice else ''}."
        return f"The dice{', the same for both,' if name else ''} lifted it over likelier words."
    other = found.chosen[name]
    met = "Both met the same dice" if dice else "No dice: each takes its likeliest word"
    lead, behind = found.lead(baseline, one, other), found.lead(name, other, one)
    for model, word, gap in ((baseline, other, lead), (name, one, behind)):
        if gap == math.inf:
            return f"{met}. {quoted(word)} is not among the {found.settings.top_k:,} likeliest of {model}."
    ahead = f"{quoted(one)} was ahead of {quoted(other)} by {lead:.2f} for {baseline}"
    return f"{met}. {ahead}, and behind by {behind:.2f} for {name}."


def chances(found: Inspection) -> str:
    """Of what the chances are."""
    settings = found.settings
    if found.candidates[0].noise is None:
        return "Chances at temperature 1; at 0 the likeliest is taken"
    among = f" among each one’s {settings.top_k:,} likeliest words" if settings.top_k else ""
    return f"Chances at temperature {settings.temperature:g}{among}"


def distance(found: Inspection) -> str:
    """How far two models are apart here."""
    name = pair(found)[1]
    if name is None:
        return ""
    kl = found.kl[name]
    return (
        f"KL divergence here, over all words: {_nats(kl)} nats. A coin that falls heads"
        f" {50 + 100 * coin(kl):.1f}% of the time is as far from a fair one."
    )


def _moved(found: Inspection, baseline: str, name: str) -> float:
    """By how much a variant's scores of the two words chosen differ from the baseline's, one against the other."""
    one, other = found.chosen[baseline], found.chosen[name]
    return found.lead(baseline, one, other) + found.lead(name, other, one)


def _both(baseline: str, name: str | None) -> list[str]:
    return [baseline] if name is None else [baseline, name]


def _row(found: Inspection, candidate: Candidate, baseline: str, name: str | None) -> Markup:
    """A word; for each model a bar, as long as its chance is beside the greatest of all, and the figure."""
    names = _both(baseline, name)
    most = max(each.probabilities[one] for each in found.candidates for one in names)
    by = [each for each in names if found.chosen[each] == candidate.word]
    cell = Markup('<span role="cell" class="chance" style="--variant:var(--{});--share:{:.1%}">{}</span>')
    tag = Markup(' <small style="--variant:var(--{0})">{0}</small>')
    chances = (
        cell.format(each, candidate.probabilities[each] / most, _percent(candidate.probabilities[each]))
        for each in names
    )
    return Markup('<div role="row"{}><span role="rowheader"><bdi>{}</bdi>{}</span>{}</div>').format(
        Markup(' class="taken" style="--variant:var(--{})"').format(by[0]) if by else "",
        _plain(candidate.word),
        Markup().join(map(tag.format, by)),
        Markup().join(chances),
    )


def _totals(found: Inspection, baseline: str, name: str | None) -> Markup:
    """The sums that were compared, of two words that were chosen; nothing where there is one word, or no dice."""
    if name is None or found.chosen[name] == found.chosen[baseline]:
        return Markup()
    both = [found.candidate(found.chosen[each]) for each in (baseline, name)]
    if both[0].noise is None:
        return Markup()
    row = Markup('<tr><th scope="row"><bdi>{}</bdi></th><td>{:+.2f}</td>{}</tr>')
    body = Markup().join(
        row.format(
            _plain(each.word), each.noise, Markup().join(_total(found, each, model) for model in (baseline, name))
        )
        for each in both
    )
    return Markup(
        '<table class="totals"><thead><tr><th scope="col">score + dice</th><th scope="col">dice</th>'
        '<th scope="col">{}</th><th scope="col">{}</th></tr></thead><tbody>{}</tbody></table>'
    ).format(baseline, name, body)


def _total(found: Inspection, candidate: Candidate, name: str) -> Markup:
    score = candidate.scores[name]
    won = found.chosen[name] == candidate.word
    return Markup("<td><b>{}</b></td>" if won else "<td>{}</td>").format(
        f"{score:.2f}" if math.isfinite(score) else "–"
    )


def _others(found: Inspection, name: str | None) -> Markup:
    """What the variants that are not drawn chose; nothing without any."""
    _, *names = found.chosen
    left = [each for each in names if each != name]
    item = Markup('<li style="--variant:var(--{0})"><b>{0}</b> chose {1}, KL {2}</li>')
    items = Markup().join(item.format(each, quoted(found.chosen[each]), _nats(found.kl[each])) for each in left)
    return Markup('<ul class="rest">{}</ul>').format(items) if left else Markup()


def _percent(share: float) -> str:
    """A chance, with as many digits as tell it from none."""
    if share == 0:
        return "–"
    return f"{share:.1%}" if share >= 0.0995 else f"{share:.2%}" if share >= 0.0001 else "<0.01%"


def _nats(kl: float) -> str:
    """A divergence at one place; below what rounding makes of it, none."""
    return f"{kl:.2g}" if kl >= 1e-6 else "0"


def _plain(word: str) -> str:
    return "¶" if word == EOS else shown(word)
