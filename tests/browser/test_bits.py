"""The Bits tab: the slider moves, the text, the dot and the weights follow."""

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect
from test_embed import assert_stands_alone

from browsing import Visitor, look_until

Open = Callable[..., Visitor]
DOT = "() => document.querySelector('#bits-curves .js-plotly-plot').data.at(-1).x[0]"


def squares(page: Page) -> int:
    """Weights of the row that is drawn that are not on 0."""
    svg = page.locator("#bits-row .rounding > svg").first
    places = svg.locator("rect:not(.term)").evaluate_all("squares => squares.map(each => each.getAttribute('y'))")
    return sum(place != max(set(places), key=places.count) for place in places)


def test_the_slider_moves_and_text_dot_and_weights_follow(open_page: Open, address: str) -> None:
    visitor = open_page(f"{address}/?tab=bits&words=40")
    page = visitor.page
    expect(page.locator("#bits-status")).to_contain_text("4 bits, one scale a tensor: perplexity 241 instead of 54.9")
    expect(page.locator("#bits-status")).to_contain_text("of 40 places.")
    assert page.evaluate(DOT) == 4
    baseline, rounded = (page.locator(f"#bits-writing section[aria-label={name}] p") for name in ("fp32", "rounded"))
    fp32, at_4, on_the_grid = baseline.locator("span").count(), rounded.inner_text(), squares(page)
    slider = page.get_by_role("slider", name=re.compile("Bits a weight"))
    slider.focus()
    for _ in range(4):  # faster than it answers: of the positions on the way none is waited for
        page.keyboard.press("ArrowRight")
    expect(page.locator("#bits-status")).to_contain_text("8 bits, one scale a tensor: perplexity 55.1 instead of 54.9")
    expect(page.locator("#bits-status")).to_contain_text("of 40 places.")
    assert rounded.inner_text() != at_4
    assert baseline.locator("span").count() == fp32
    assert page.locator("#bits-writing .chosen").count() < 10
    look_until(page, lambda: page.evaluate(DOT) == 8, "the dot at 8 bits")
    assert squares(page) > on_the_grid
    page.get_by_role("radio", name="one scale a row").check()
    expect(page.locator("#bits-status")).to_contain_text("8 bits, one scale a row")
    page.get_by_role("checkbox", name="decoder").uncheck()
    expect(page.locator("#bits-status")).to_contain_text("embedding and LSTM alone: perplexity")
    expect(page.locator("#bits-row .sentence")).to_contain_text("It is not rounded now")

    weight = page.locator("#bits-row rect.term").nth(3)
    weight.click()
    expect(page.locator(".meaning:visible")).to_have_text(
        re.compile(
            r"Weight 4: −?0\.\d{4} becomes the integer −?\d+, which stands for −?0\.\d{4}: an error of [+−]0\.\d{4}"
        )
    )
    expect(page.locator("#hurting tbody th").first).to_have_text("decoder")  # found out behind the page
    expect(page.locator("#hurting .sentence")).to_contain_text("The decoder hurts most: alone with 8 bits")
    assert len(page.evaluate("document.querySelector('#bits-curves .js-plotly-plot').data[1].x")) >= 1
    assert "bits=8&scale=row&matrices=embedding,LSTM&" in page.url
    assert visitor.errors == []
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{page.url}&view=bits")  # what the address asks for, and nothing beside it
    expect(page.locator("#bits-status")).to_contain_text(
        "8 bits, one scale a row, embedding and LSTM alone: perplexity"
    )
    assert_stands_alone(page, "#bits-writing section", re.compile(r"\?(?!.*view=)(.*&)?tab=bits\b"))
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert visitor.errors == []
