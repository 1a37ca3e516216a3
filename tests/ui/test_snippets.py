"""The snippet for a page of someone else's: an exhibit that shows what the page shows, or all tabs."""

import re
from html import unescape

import pytest

from lmdemo.rounding import Rounding
from lmdemo.server.service import Service
from lmdemo.shape import FIELDS, Shape
from lmdemo.ui import embed, query
from lmdemo.variants import VARIANTS

ADDRESS = "https://example.org/lab/?tab=about"
SET = {"prompt": "The captain", "words": 12, "temperature": 0.8, "top_k": 40, "seed": 2, "allow_unk": False}
SET |= {"variants": ["int8"], "guess": False, "tokens": 400, "window": 50, "measured": ["int8"]}
SET |= {"bits": 3, "scale": "row", "matrices": ["LSTM", "decoder"]}
SHAPE = Shape(40, 8, 8, 2, window=5, tied=True)
SET |= {f"shape_{name}": getattr(SHAPE, name) for name in FIELDS}


@pytest.fixture(scope="module")
def service() -> Service:
    return Service()


def addresses(service: Service, shown: str, way: str = embed.FRAME, **set_now: object) -> tuple[str, str]:
    """Of the plain link, and of what is embedded."""
    update = embed.draw(service, ADDRESS, shown, way, "dark", **SET | set_now)
    assert update["wrong"] == ""
    link, embedded = re.search(r'href="([^"]+)"', update["code"]), re.search(r'src="([^"]+)"', update["code"])
    return unescape(link[1]), unescape(embedded[1])


@pytest.mark.parametrize(("shown", "view"), embed.SHOWN.items())
def test_what_is_embedded_and_what_it_links_to_show_what_is_set(service: Service, shown: str, view: str | None) -> None:
    for address in addresses(service, shown):
        assert query.tab(address) == query.VIEWS.get(view, "generate")
        written = query.writing(address, VARIANTS, "It was")
        measured = query.measuring(address, VARIANTS, 4000)
        if view in ("texts", None):
            assert written.run
            assert (written.settings.seed, written.settings.top_k) == (2, 40)
        elif view == "evaluate":
            assert measured == query.EvaluateQuery(400, 50, ("int8",), True)
        else:
            assert written is None
            assert measured is None
        rounded = query.rounding(address, "It was")
        assert (rounded is not None) == (view == "bits")
        if rounded:
            assert rounded.rounding == Rounding(3, True, ("LSTM", "decoder"))
            assert (rounded.settings.seed, rounded.settings.top_k) == (2, 40)
        assert query.shaping(address) == (query.ShapeQuery(SHAPE, run=True) if view == "shape" else None)


def test_only_an_exhibit_is_without_tabs_and_the_theme_is_the_frames(service: Service) -> None:
    assert addresses(service, "Size") == (
        "https://example.org/lab/?tab=size",
        "https://example.org/lab/?__theme=dark&view=size",
    )
    assert "?__theme=dark&embed=1&tab=generate&" in addresses(service, "All tabs")[1]
    assert addresses(service, "Tiles", embed.COMPONENT)[1].endswith("/?view=tiles")


def test_a_reader_guesses_where_the_page_is_set_so(service: Service) -> None:
    assert [query.guessing(address) for address in addresses(service, "Texts")] == [False, False]
    assert [query.guessing(address) for address in addresses(service, "Texts", guess=True)] == [True, True]
