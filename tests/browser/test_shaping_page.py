"""A shape that a visitor asks about: filled in, measured, stopped, and asked for by an address."""

import re
from collections.abc import Callable

from playwright.sync_api import expect

from browsing import Visitor, assert_legible, at_rest, open_tab

VERDICT = re.compile("At this shape")


def test_a_shape_is_measured_and_a_larger_one_stopped(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    page = visitor.page
    open_tab(page, "Your model")
    part = page.locator("#your-shape")
    line, status = part.locator("#shape-line"), part.locator("#shape-status")
    measure, stop = part.get_by_role("button", name="Measure"), part.get_by_role("button", name="Stop").first
    expect(stop).to_be_disabled()

    part.get_by_role("button", name="A small one").click()
    expect(line).to_contain_text("30,500 parameters, 122 kB as fp32, 47 kB as int8.")
    part.get_by_label("Hidden").fill("0")
    expect(line.get_by_role("alert")).to_have_text("Hidden must be a whole number from 1 to 4,096.")
    part.get_by_label("Hidden").fill("20")
    expect(line).to_contain_text("12,860 parameters")
    measure.click()
    expect(status).to_contain_text(VERDICT)
    expect(part.locator("#shape-table tbody th")).to_have_text(["fp32", "fp32-packed", "int8", "int8-packed"])
    for chart in ("shape-size", "shape-speeds"):
        assert_legible(page, chart)
    expect(part.locator("#shape-speeds")).to_have_attribute("aria-describedby", "shape-status")
    assert "tab=model&window=25&ntoken=100&ninp=50&nhid=20&nlayers=1&run=1" in page.url

    part.get_by_role("button", name="The tutorial’s").click()
    expect(line).to_contain_text("28,484,606 parameters")
    measure.click()
    expect(status).to_contain_text("Building")
    stop.click()
    expect(status).to_contain_text("Stopped before all was measured.")
    expect(part.locator("#shape-table tbody th")).to_have_count(4)  # of what was measured before
    at_rest(page)
    assert visitor.errors == []


def test_an_exhibit_measures_what_its_address_asks_for(open_page: Callable[..., Visitor], address: str) -> None:
    visitor = open_page(f"{address}/?view=shape&ntoken=50&ninp=8&nhid=8&nlayers=1", width=390)
    page = visitor.page
    expect(page.locator("#shape-status")).to_contain_text(VERDICT)
    expect(page.get_by_role("spinbutton", name="Vocabulary")).to_have_value("50")
    expect(page.locator("#shape-speeds .barlayer .point").first).to_be_visible()
    for hidden in ("#your-text", "#tiles", "#top"):
        expect(page.locator(hidden)).to_be_hidden()
    assert page.locator("#attribution a").get_attribute("href").endswith("tab=model")
    assert visitor.errors == []
