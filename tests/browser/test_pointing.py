"""Words of fp32's text under the finger, the pointer and the keys: what both models thought there."""

import re
from collections.abc import Callable

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Locator, Page, expect

from browsing import Visitor, at_rest

Visit = Callable[..., Visitor]


def panel_of(page: Page, place: int) -> Locator:
    """The panel about the word at a place, counted from 0."""
    return page.get_by_role("region", name=re.compile(f"^Word {place + 1}: "))


def word_at(page: Page, place: int) -> Locator:
    return page.locator(f'[data-word="{place}"]')


def assert_keys_move_from_word_to_word(page: Page) -> None:
    """The arrows, Home and End lead through fp32's text, Escape out of the panel, Enter back into it."""
    entry = page.locator("[data-word][tabindex]")  # the one from which the others are reached
    place = int(entry.get_attribute("data-word"))
    page.get_by_role("button", name="Variants and settings").focus()
    page.keyboard.press("Tab")
    expect(word_at(page, place)).to_be_focused()
    expect(panel_of(page, place)).to_be_visible()
    for key, step in (("ArrowRight", 1), ("ArrowRight", 1), ("ArrowLeft", -1)):
        place += step
        page.keyboard.press(key)
        expect(panel_of(page, place)).to_be_visible()
        expect(word_at(page, place)).to_be_focused()
        expect(word_at(page, place)).to_have_attribute("aria-expanded", "true")
        expect(entry).to_have_count(1)
    page.keyboard.press("End")
    expect(panel_of(page, 79)).to_be_visible()
    line = word_at(page, 79).bounding_box()["y"]
    page.keyboard.press("ArrowUp")
    expect(word_at(page, 79)).not_to_be_focused()
    assert page.evaluate("document.activeElement.getBoundingClientRect().bottom") <= line + 8
    page.keyboard.press("Home")
    expect(panel_of(page, 0)).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".inspection")).to_have_count(0)
    expect(word_at(page, 0)).to_be_focused()
    page.keyboard.press("Enter")
    expect(panel_of(page, 0)).to_be_visible()
    expect(page.locator("body > [role=status]", has_text="Word 1: ")).to_have_count(1)  # read out
    page.get_by_role("button", name="New seed").click()  # other texts, and nothing is said of the old ones
    expect(page.locator(".inspection")).to_have_count(0)


def assert_the_switch_hides_choices_and_goes_into_the_link(page: Page) -> None:
    """Before a word has been tapped: its choice stays in sight."""
    expect(page.locator(".text .chosen").first).to_be_visible()
    page.get_by_role("checkbox", name="Guess first").check()
    expect(page.locator(".text .chosen >> visible=true")).to_have_count(0)
    page.get_by_role("button", name="Copy link to this run").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()").endswith("&run=1&guess=1")
    page.get_by_role("checkbox", name="Guess first").uncheck()
    expect(page.locator(".text .chosen").first).to_be_visible()


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_a_word_says_what_both_models_thought(visit: Visit, width: int, dark: bool) -> None:
    visitor = visit(width, dark, permissions=["clipboard-read", "clipboard-write"])
    page = visitor.page
    at_rest(page)
    if width == 390:
        assert_the_switch_hides_choices_and_goes_into_the_link(page)
    tapped = page.locator("[data-word].other").first
    place = int(tapped.get_attribute("data-word"))
    tapped.click()
    panel = panel_of(page, place)
    expect(panel).to_contain_text("met the same dice")
    expect(panel.locator(".taken")).to_have_text([re.compile("fp32"), re.compile("int8")])
    expect(word_at(page, place)).to_be_focused()
    at_rest(page)
    box, word = page.locator("#inspector").bounding_box(), word_at(page, place).bounding_box()
    if width == 390:  # a sheet at the foot, under the word
        assert box["y"] + box["height"] == pytest.approx(844, abs=1)
        assert word["y"] + word["height"] <= box["y"]
        page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")  # what is lowest comes out from under it
        at_rest(page)
        last = page.locator("footer").bounding_box()
        assert last["y"] + last["height"] <= box["y"]
    else:  # beside it
        assert word["x"] + word["width"] <= box["x"]
    page.evaluate(AXE_SCRIPT)
    found = page.evaluate("axe.run('#reading', {resultTypes: ['violations']})")["violations"]
    assert [(each["id"], [node["target"] for node in each["nodes"]]) for each in found] == []
    panel.get_by_role("button", name="Close").click()
    expect(panel).to_have_count(0)
    expect(word_at(page, place)).to_be_focused()
    if width == 1280:
        assert_keys_move_from_word_to_word(page)
    assert visitor.errors == []


def test_a_reader_who_guesses_first_sees_a_choice_when_its_word_is_tapped(open_page: Visit, address: str) -> None:
    visitor = open_page(f"{address}/?view=texts&guess=1", 390)
    page = visitor.page
    marked = page.locator("[data-word].other")
    expect(marked.first).to_be_visible()
    choices, own = marked.locator(".chosen"), page.locator(".text .own").first
    count = marked.count()
    assert count > 1
    expect(page.locator(".text .chosen >> visible=true")).to_have_count(0)
    expect(own).not_to_be_visible()
    height = page.locator("#writing").bounding_box()["height"]
    marked.nth(0).click()
    expect(choices.nth(0)).to_be_visible()
    expect(page.locator(".inspection")).to_be_visible()
    first, second = (int(marked.nth(number).get_attribute("data-word")) for number in (0, 1))
    for _ in range(second - first):  # to arrive there is not to have guessed
        page.keyboard.press("ArrowRight")
    expect(word_at(page, second)).to_be_focused()
    expect(page.locator(".inspection")).to_have_count(0)
    expect(choices.nth(1)).not_to_be_visible()
    page.keyboard.press("Enter")
    expect(choices.nth(1)).to_be_visible()
    expect(panel_of(page, second)).to_be_visible()
    for number in range(2, count):
        marked.nth(number).locator("mark").click()
        expect(choices.nth(number)).to_be_visible()
    expect(own).to_be_visible()
    assert page.locator("#writing").bounding_box()["height"] == height  # each gap had its word's room
    assert visitor.errors == []
