"""The variants' texts side by side, as HTML; and, over them, what they say about 8 bits.

The baseline's text tells the story alone: beside a word stands what another variant would have chosen there, met with
the same words before it and the same noise. What a variant writes when it is left to itself stands next to it.
"""

from collections.abc import Iterator, Mapping, Sequence

from markupsafe import Markup

from lmdemo.generation import Generation
from lmdemo.report import choices, prose
from lmdemo.text import EOS, shown, spaced

PARAGRAPH = "¶"  # where a text has the end of one
DRAWN = 500  # words of all texts together, with which they take a browser twice as long to draw as short ones
LEGEND = Markup(
    '<p class="legend"><span class="other"><mark style="--variant:var(--{0})">word</mark>'
    '<small class="chosen" style="--variant:var(--{1})">other</small></span> {0}’s word, and the choice of {2} there'
    ' <span class="apart">· <span class="own" style="--variant:var(--{1})">tinted</span> {2} on a way of its own'
    "</span>{3}</p>"
)
POINTING = Markup(
    ' <span class="hint">· tap a word to see what each model thought there</span>'
    ' <span class="guess">· a gap is {0}’s choice: guess it, then tap the word or press Enter. After the last comes'
    " {0}’s own text</span>"
)


def verdict(generation: Generation, before: str = "") -> Markup | str:
    """At how many places each variant chose another word, and from where on its own text goes another way.

    Of one variant a headline and a sentence, of several a line each under a headline; `before` begins the headline.
    """
    baseline, *others = generation.writings
    if generation.compared == 0 or not others:
        return before + choices.parting(generation)
    if len(others) == 1:
        return Markup('<strong class="headline">{}{}</strong> <span class="then">{}</span>').format(
            before, choices.chosen(generation, others[0]), choices.own_way(generation, others[0])
        )
    line = Markup(
        '<li><strong style="--variant:var(--{0})">{0}</strong> <span>{1}</span> <span class="then">{2}</span></li> '
    )
    lines = (
        line.format(name, choices.chosen_short(generation, name), choices.own_way_short(generation, name))
        for name in others
    )
    return Markup(
        '<strong class="headline">{}Places at which each chose another word than {}</strong><ul>{}</ul>'
    ).format(before, baseline, Markup().join(lines))


def pace(generation: Generation) -> float:
    """How many times as long as short ones the texts so far take a browser to draw."""
    return 1 + generation.computed["words"] / DRAWN


def side_by_side(generation: Generation, raw: bool, under_way: bool, simulated: bool = False) -> Markup:
    """All texts, the baseline's first; those of a run that is `under_way` keep the height that they had.

    Where a model is `simulated` no speed is told, and its words are not to be pointed at.
    """
    baseline, *others = generation.writings
    legend = Markup()
    if others:
        hint = Markup() if simulated else POINTING.format(others[0])
        other = "the rounded model" if simulated else others[0] if len(others) == 1 else "a variant"
        legend = LEGEND.format(baseline, others[0], other, hint)
    columns = Markup().join(_column(name, generation, raw, simulated) for name in generation.writings)
    return Markup('{}<div class="texts{}">{}</div>').format(legend, " under-way" if under_way else "", columns)


def _column(name: str, generation: Generation, raw: bool, simulated: bool) -> Markup:
    baseline = next(iter(generation.writings))
    return Markup(
        '<section class="text" style="--variant:var(--{name})" aria-label="{name}">'
        '<header><h2>{name}{alone}</h2><small>{rate}</small></header><p dir="auto">{words}</p></section>'
    ).format(
        name=name,
        alone="" if name == baseline else Markup(" <small>left to itself</small>"),
        rate="" if simulated else prose.rate(generation.writings[name].words_per_second),
        words=_baseline(generation, raw, simulated) if name == baseline else _alone(generation, name, raw),
    )


def _baseline(generation: Generation, raw: bool, simulated: bool) -> Markup:
    """The prompt, then each word in an element of its own, with what other variants choose in its place.

    One word is in the order of Tab, from which the others are reached: the first of those that are chosen otherwise.
    Of a simulated model's none is: there is nothing to point at.
    """
    baseline = next(iter(generation.writings))
    prompt, pieces = _pieces(generation, baseline, raw)
    chosen = _chosen_otherwise(generation, raw)
    word = Markup("{}<span{}>{}</span>{}")
    marked = Markup('{}<span{} class="other"><mark>{}</mark>{}</span>{}')
    entry = min(chosen, default=0)
    parts = [prompt]
    for position, (before, text, after) in enumerate(pieces):
        place = Markup() if simulated else _place(position, position == entry)
        if position in chosen:
            parts.append(marked.format(before, place, text, chosen[position], after))
        else:
            parts.append(word.format(before, place, text, after))
    return Markup().join(parts)


def _place(position: int, entry: bool) -> Markup:
    """The attributes of a word that can be pointed at."""
    button = Markup(' tabindex="0" role="button" aria-expanded="false"') if entry else ""
    return Markup(' data-word="{}"{}').format(position, button)


def _chosen_otherwise(generation: Generation, raw: bool) -> Mapping[int, Markup]:
    """By position, what other variants choose along the baseline's words."""
    found: dict[int, Markup] = {}
    one = Markup('<small class="chosen" style="--variant:var(--{0})" title="{0}’s choice here">{1}</small>')
    for name in generation.along:
        for position, word in generation.choices(name).items():
            text = PARAGRAPH if word == EOS and not raw else shown(word)
            found[position] = found.get(position, Markup()) + one.format(name, text)
    return found


def _alone(generation: Generation, name: str, raw: bool) -> Markup:
    """The prompt, then a variant's own text: what follows from its first other word is marked as one."""
    prompt, pieces = _pieces(generation, name, raw)
    texts = ["".join(piece) for piece in pieces]
    parted = generation.parted(name)
    if not parted:
        return Markup("{}{}").format(prompt, "".join(texts))
    first = parted[0]
    before, word, after = pieces[first]
    return Markup('{}{}{}<span class="own"><mark>{}</mark>{}</span>').format(
        prompt, "".join(texts[:first]), before, word, after + "".join(texts[first + 1 :])
    )


def _pieces(generation: Generation, name: str, raw: bool) -> tuple[Markup, Sequence[tuple[str, str, str]]]:
    """The prompt; and of each word that was written what stands before it, itself, and what stands after it."""
    words = [shown(word) for word in (*generation.prompt, *generation.writings[name].words)]
    texts = [f" {word}" for word in words] if raw else spaced(words)
    start = len(generation.prompt)
    prompt = Markup('<span class="prompt">{}</span>').format("".join(texts[:start]).lstrip())
    return prompt, list(_parts(words[start:], texts[start:], raw))


def _parts(words: Sequence[str], texts: Sequence[str], raw: bool) -> Iterator[tuple[str, str, str]]:
    for word, text in zip(words, texts, strict=True):
        if word == EOS and not raw:
            yield "", PARAGRAPH, text  # the empty line
        else:
            bare = text.lstrip()
            yield text[: len(text) - len(bare)], bare, ""
