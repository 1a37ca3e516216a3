"""An address of this page: what its query string asks for, and the query string that asks for it.

What it asks is checked like any input; a sentence never repeats it. It knows nothing of Gradio, nor on which host
and under which path the page is served.
"""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from urllib.parse import parse_qsl, quote, urlencode

from lmdemo.errors import InputError
from lmdemo.evaluation import check_slice, default_tokens
from lmdemo.first_results import EXAMPLE_WORDS
from lmdemo.generation import GenerationSettings
from lmdemo.inputs import plain_text, some_of
from lmdemo.lab import DEFAULT_MEASURED, DEFAULT_WINDOW
from lmdemo.rounding import MATRICES, Rounding
from lmdemo.shape import TUTORIAL_SHAPE, Shape
from lmdemo.variants import BASELINE, TUTORIAL

TABS = ("generate", "size", "evaluate", "bits", "model", "about")
VIEWS = {  # an exhibit -> its tab
    "tiles": "generate",
    "texts": "generate",
    "size": "size",
    "evaluate": "evaluate",
    "bits": "bits",
    "shape": "model",
}
WRITING = ("prompt", "words", "temperature", "top_k", "seed", "allow_unk")  # the fields of GenerationSettings
MEASURING = ("tokens", "window")
BITS = 4  # that the Bits tab begins with: one scale a tensor has fallen off its cliff, one a row has not
ROUNDING = ("bits", "scale", "matrices")
SHAPING = ("ntoken", "ninp", "nhid", "nlayers", "tied")  # the fields of a Shape, beside the window
NAMES = ("tab", *WRITING, *MEASURING, *ROUNDING, *SHAPING, "variants", "run")  # the parameters of an address
SCALES = {False: "tensor", True: "row"}  # by `per_row`: what has a scale of its own
MOST = 64  # parameters in an address; it has a dozen
MOST_TEXT = 100_000  # characters in it: a prompt of 2,000 takes at most twelve for each


@dataclass(frozen=True)
class GenerateQuery:
    """What an address asks of the Generate tab."""

    settings: GenerationSettings
    variants: tuple[str, ...]  # beside the baseline
    run: bool  # at once

    def parameters(self) -> dict[str, str]:
        """The parameters that ask for it; `allow_unk` only where it is set."""
        return {"tab": "generate", **_settings(self.settings), **_how(self.variants, self.run)}


@dataclass(frozen=True)
class EvaluateQuery:
    """What an address asks of the Evaluate tab."""

    tokens: int
    window: int
    variants: tuple[str, ...]
    run: bool

    def parameters(self) -> dict[str, str]:
        """The parameters that ask for it."""
        fields = {"tokens": str(self.tokens), "window": str(self.window)}
        return {"tab": "evaluate", **fields, **_how(self.variants, self.run)}


@dataclass(frozen=True)
class BitsQuery:
    """What an address asks of the Bits tab, which runs at once."""

    rounding: Rounding
    settings: GenerationSettings | None  # of the texts; None for those that the page has

    def parameters(self) -> dict[str, str]:
        """The parameters that ask for it."""
        rounding = self.rounding
        fields = {"bits": str(rounding.bits), "scale": SCALES[rounding.per_row]}
        texts = _settings(self.settings) if self.settings else {}
        return {"tab": "bits", **fields, "matrices": ",".join(rounding.matrices), **texts}


@dataclass(frozen=True)
class ShapeQuery:
    """What an address asks of the part Your shape."""

    shape: Shape
    run: bool

    def parameters(self) -> dict[str, str]:
        """The parameters that ask for it; `tied` only where it is set."""
        shape = self.shape
        fields = {name: str(getattr(shape, name)) for name in ("ntoken", "ninp", "nhid", "nlayers", "window")}
        tied = {"tied": "1"} if shape.tied else {}
        return {"tab": "model", **fields, **tied, **({"run": "1"} if self.run else {})}


def join(address: str, parameters: Mapping[str, str]) -> str:
    """`address`, whatever query it had, with this one: spaces as %20, so that nobody takes a + for one."""
    return f"{base(address)}?{urlencode(parameters, quote_via=quote, safe=',', errors='replace')}"


def base(address: str) -> str:
    """`address` without its query and its fragment."""
    return address.partition("#")[0].partition("?")[0]


def tab(address: object) -> str | None:
    """The tab to open: that of the exhibit, if one is asked for; None where the address leaves it to the page.

    Raises:
        InputError: there is no such tab, or no such exhibit.
    """
    query = _query(address)
    view, name = query.get("view"), query.get("tab")
    if view is not None and view not in VIEWS:
        raise InputError(f"The view of an address must be one of {', '.join(VIEWS)}.")
    if name is not None and name not in TABS:
        raise InputError(f"The tab of an address must be one of {', '.join(TABS)}.")
    return VIEWS[view] if view else name


def guessing(address: object) -> bool:
    """Whether a reader is to guess what other variants choose before they are shown.

    Raises:
        InputError: `guess` is neither 0 nor 1.
    """
    return _switch("Guess", _query(address).get("guess", "0"))


def writing(address: object, offered: Collection[str], prompt: str) -> GenerateQuery | None:
    """What the Generate tab is asked for, with `prompt` where it names none; None if nothing.

    In an exhibit there is nothing to press, so what is asked of one is written at once.

    Raises:
        InputError: there is no such tab or exhibit, or a field is out of its range.
    """
    query = _query(address)
    if (tab(address) or "generate") != "generate" or not query.keys() & {*WRITING, "variants", "run"}:
        return None
    return GenerateQuery(_given(query, prompt), _variants(query, offered, TUTORIAL), _runs(query))


def measuring(address: object, offered: Collection[str], available: int) -> EvaluateQuery | None:
    """What the Evaluate tab is asked for, with `available` words of test text; None if nothing.

    Raises:
        InputError: a field is out of its range.
    """
    query = _query(address)
    if query.get("view", query.get("tab")) != "evaluate" or not query.keys() & {*MEASURING, "variants", "run"}:
        return None
    tokens = _number(query["tokens"]) if "tokens" in query else default_tokens(available)
    window = _number(query["window"]) if "window" in query else DEFAULT_WINDOW
    variants = _variants(query, offered, DEFAULT_MEASURED)
    return EvaluateQuery(*check_slice(tokens, window, available), variants, _runs(query))


def rounding(address: object, prompt: str) -> BitsQuery | None:
    """What the Bits tab is asked for, with `prompt` where it names none; None if it is not to be opened.

    Raises:
        InputError: a field is out of its range.
    """
    query = _query(address)
    if query.get("view", query.get("tab")) != "bits":
        return None
    bits = _number(query["bits"]) if "bits" in query else BITS
    matrices = [name for name in query["matrices"].split(",") if name] if "matrices" in query else MATRICES
    asked = Rounding(bits, per_row(query.get("scale", SCALES[False])), matrices)
    return BitsQuery(asked, _given(query, prompt) if query.keys() & {*WRITING} else None)


def per_row(scale: object) -> bool:
    """What has a scale of its own, a row or a tensor, as `Rounding` takes it.

    Raises:
        InputError: it is neither.
    """
    if scale not in tuple(SCALES.values()):
        raise InputError(f"Scale must be {' or '.join(SCALES.values())}.")
    return scale == SCALES[True]


def _given(query: Mapping[str, str], prompt: str) -> GenerationSettings:
    """What is to be written; what is left out is as in /generate, but for the prompt and the number of words."""
    given: dict[str, object] = {name: _number(query[name]) for name in WRITING[1:5] if name in query}
    return GenerationSettings(
        **{"prompt": query.get("prompt", prompt), "words": EXAMPLE_WORDS} | given,
        allow_unk=_switch("Allow_unk", query.get("allow_unk", "0")),
    )


def _settings(settings: GenerationSettings) -> dict[str, str]:
    """The parameters that ask for a text; `allow_unk` only where it is set."""
    fields = {
        "prompt": settings.prompt,
        "words": str(settings.words),
        "temperature": repr(settings.temperature).removesuffix(".0"),
        "top_k": str(settings.top_k),
        "seed": str(settings.seed),
    }
    return fields | ({"allow_unk": "1"} if settings.allow_unk else {})


def shaping(address: object) -> ShapeQuery | None:
    """Which shape is asked for, with the tutorial's fields where it names none; None if nothing.

    Raises:
        InputError: a field is out of its range, or all of them are too much.
    """
    query = _query(address)
    asked = {*SHAPING, "window", "run"} & query.keys()
    if VIEWS.get(query.get("view", ""), query.get("tab")) != "model" or not asked:
        return None
    given: dict[str, object] = {name: _number(query[name]) for name in asked - {"tied", "run"}}
    tied = _switch("Tied", query.get("tied", "0"))
    return ShapeQuery(Shape(**{**asdict(TUTORIAL_SHAPE), **given, "tied": tied}), _runs(query))


def _how(variants: Collection[str], run: bool) -> dict[str, str]:
    others = ",".join(name for name in variants if name != BASELINE)
    return {"variants": others, **({"run": "1"} if run else {})}


def _query(address: object) -> dict[str, str]:
    """The parameters of an address; of one named twice, the last."""
    query = plain_text("An address", address, MOST_TEXT).partition("#")[0].partition("?")[2]
    try:
        return dict(parse_qsl(query, keep_blank_values=True, max_num_fields=MOST))
    except ValueError as error:
        raise InputError(f"An address has at most {MOST} parameters.") from error


def _number(text: str) -> object:
    """The number that `text` writes; what is none comes back as it is, for the check of its field to refuse."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _switch(field: str, text: str) -> bool:
    if text not in ("0", "1"):
        raise InputError(f"{field} must be 0 or 1.")
    return text == "1"


def _runs(query: Mapping[str, str]) -> bool:
    return _switch("Run", query.get("run", "0")) or "view" in query


def _variants(query: Mapping[str, str], offered: Collection[str], default: Collection[str]) -> tuple[str, ...]:
    """The variants beside the baseline, in the order of the table."""
    if "variants" not in query:
        return tuple(name for name in offered if name in default and name != BASELINE)
    named = [name for name in query["variants"].split(",") if name]
    return tuple(name for name in some_of("Variants", named, offered) if name != BASELINE)
