"""A text that a visitor pastes: measured, marked, and left nowhere."""

import re
from collections.abc import Callable
from pathlib import Path

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import expect

from browsing import Visitor, at_rest, open_tab

SECRET = "Zyxqwv"
TEXT = f"The old man did not answer {SECRET}.\n<img src=x onerror=alert(1)> She went to the window, and it was cold."
PASTE = f"{SECRET} the " * 900_000  # ten megabytes
LINES = "marks => marks.map(mark => parseFloat(getComputedStyle(mark).borderBottomWidth))"
KEPT = "JSON.stringify([location.href, history.state, {...localStorage}, {...sessionStorage}])"


def test_a_pasted_text_is_measured_and_marked_and_nothing_of_it_stays(
    visit: Callable[..., Visitor], app_log: Path
) -> None:
    visitor = visit()
    page = visitor.page
    open_tab(page, "Your model")
    part = page.locator("#your-text")
    box, measure = part.get_by_role("textbox"), part.get_by_role("button", name="Measure this text")
    expect(part.get_by_role("button", name="Stop")).to_be_disabled()

    box.fill(TEXT)
    measure.click()
    expect(part.get_by_role("heading", name="Where int8 hesitates")).to_be_visible()
    expect(part.locator(".ship")).to_contain_text("Should I ship int8?")
    expect(part.locator(".ship .answer.pending")).to_have_count(0)
    expect(part.locator(".status")).to_contain_text(SECRET)
    expect(part.locator(".read .lacking", has_text=SECRET)).to_be_visible()
    expect(part.locator(".read")).to_contain_text(
        re.compile(r"The old man .*She went to the window, and it was cold\.")
    )
    marked = part.locator(".read mark").first
    expect(marked).to_have_attribute("title", re.compile(r"KL 0\.\d+"))
    at_rest(page)
    assert part.locator(".scale mark").evaluate_all(LINES) == [1, 2, 4, 6]  # told apart without a colour
    page.evaluate(AXE_SCRIPT)
    for scheme in ("light", "dark"):
        page.evaluate("dark => document.body.classList.toggle('dark', dark)", scheme == "dark")
        at_rest(page)
        violations = page.evaluate("axe.run('#your-text', {resultTypes: ['violations']})")["violations"]
        assert [node["html"] + node["failureSummary"] for each in violations for node in each["nodes"]] == []

    assert SECRET not in page.evaluate(KEPT)
    assert not [url for url in visitor.requests if SECRET in url]
    for paste, sentence in (
        (lambda: box.fill("night"), "The text has one word: paste at least two."),
        (lambda: page.keyboard.insert_text(PASTE), "The text must be text of at most 20,000 characters."),
    ):
        box.fill("")
        paste()
        measure.click()
        expect(part.get_by_role("alert")).to_have_text(sentence)
        expect(part.locator(".ship, .read")).to_have_count(0)
    assert SECRET not in app_log.read_text(encoding="utf-8")
    assert visitor.errors == []
