"""What an address asks of the page, and the address of a run."""

import re
from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

import lmdemo
from browsing import Visitor, unfold
from lmdemo.generation import GenerationSettings
from lmdemo.ui import query

PROMPT = "“A & B”? #1 + 100% of it, isn’t <i> \\ 😀"
Open = Callable[..., Visitor]


def line(page: Page) -> Locator:
    return page.locator("#writing-status")


def texts(page: Page) -> dict[str, str]:
    """What each variant wrote."""
    return {
        section.get_attribute("aria-label"): section.locator("> p").inner_text()
        for section in page.locator("#writing section").all()
    }


def test_an_address_opens_a_tab(open_page: Open, address: str) -> None:
    page = open_page(f"{address}/?tab=about").page
    expect(page.get_by_role("tab", selected=True)).to_have_text("About")


def test_an_address_fills_the_inputs_and_waits(open_page: Open, address: str) -> None:
    query = "?prompt=The+captain%27s&words=33&temperature=0.5&top_k=7&seed=11&variants=int4-embedding"
    page = open_page(f"{address}/{query}").page
    expect(line(page)).to_contain_text("Filled in from the address; press Write.")
    expect(page.get_by_role("textbox", name="Prompt")).to_have_value("The captain's")
    for offered in ("Watch it", "Copy link to this run", "Stop"):
        expect(page.get_by_role("button", name=offered).locator("visible=true")).to_be_disabled()
    unfold(page)
    for name, value in {"Words": "33", "Temperature": "0.5", "Top-k": "7", "Seed": "11"}.items():
        expect(page.get_by_role("spinbutton", name=re.compile(name)).locator("visible=true")).to_have_value(value)
    expect(page.get_by_role("checkbox", name="int4-embedding", exact=True).locator("visible=true")).to_be_checked()
    expect(page.get_by_role("checkbox", name="int8", exact=True).locator("visible=true")).not_to_be_checked()
    page.get_by_role("button", name="Write", exact=True).click()
    expect(line(page)).to_contain_text("33 places")
    assert list(texts(page)) == ["fp32", "int4-embedding"]


def test_a_copied_link_writes_the_same_texts_for_somebody_else(open_page: Open, address: str) -> None:
    settings = GenerationSettings(PROMPT, 60, 1.2, 500, 2**32 - 1, allow_unk=True)
    asked = query.GenerateQuery(settings, ("int8", "int8-embedding"), run=True)
    page = open_page(query.join(f"{address}/", asked.parameters())).page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    expect(line(page).get_by_role("listitem")).to_have_count(2)
    expect(page.locator("#writing-status .under-way")).to_have_count(0)  # to the end of the run
    first = texts(page)
    assert first["fp32"].startswith("“A & B”")
    page.get_by_role("button", name="Copy link to this run").click()
    expect(line(page).get_by_role("status")).to_contain_text("Link copied.")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert query.writing(copied, lmdemo.VARIANTS, "") == asked
    other = open_page(copied, dark=True).page
    expect(line(other).get_by_role("listitem")).to_have_count(2)
    expect(other.locator("#writing-status .under-way")).to_have_count(0)
    assert texts(other) == first
    assert other.get_by_role("textbox", name="Prompt").input_value() == PROMPT


def test_without_a_clipboard_the_link_is_shown(open_page: Open, address: str) -> None:
    visitor = open_page(f"{address}/?words=5&seed=3&run=1")
    page = visitor.page
    expect(line(page)).to_contain_text("5 places")
    page.evaluate("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    page.get_by_role("button", name="Copy link to this run").click()
    shown = line(page).get_by_role("link")
    expect(shown).to_have_attribute("href", re.compile(f"^{address}/\\?tab=generate&prompt=.*&seed=3.*&run=1$"))
    assert visitor.errors == []


def test_a_bad_value_is_a_sentence_and_the_page_works(open_page: Open, address: str) -> None:
    visitor = open_page(f"{address}/?run=1&variants=%3Cimg+src=x+onerror=alert(1)%3E")
    page = visitor.page
    sentence = "In this page’s address: Variants must be a list of names among"
    expect(line(page).get_by_role("alert")).to_contain_text(sentence)
    expect(page.locator("#writing section")).to_have_count(2)  # the example
    page.get_by_role("textbox", name="Prompt").fill("The captain")
    page.get_by_role("button", name="Write", exact=True).click()
    expect(line(page).get_by_role("status")).to_contain_text("80 places")
    assert visitor.errors == []


def test_an_address_measures(open_page: Open, address: str) -> None:
    page = open_page(f"{address}/?tab=evaluate&tokens=500&window=50&variants=int8&run=1").page
    expect(page.locator("#measuring-status")).to_contain_text("over 500 words in windows of 50")
    expect(page.locator("#results tbody th")).to_have_text(["fp32", "int8"])
    expect(page.get_by_role("spinbutton", name=re.compile("Window")).locator("visible=true")).to_have_value("50")


def test_a_bad_slice_is_a_sentence_over_the_first_results(open_page: Open, address: str) -> None:
    page = open_page(f"{address}/?tab=evaluate&window=0&run=1").page
    expect(page.locator("#measuring-status").get_by_role("alert")).to_contain_text(
        "In this page’s address: Window must"
    )
    expect(page.locator("#results tbody tr")).to_have_count(3)
