"""A short round in Debian's Firefox, over WebDriver BiDi: what a visitor does first, and where things stand."""

import csv
import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Playwright, expect

import lmdemo
from browsing import Visitor, assert_grows, at_rest, look_until, open_tab, unfold
from lmdemo.lab import DEFAULT_MEASURED
from lmdemo.variants import BASELINE
from waiting import LAST_NET

Visit = Callable[..., Visitor]

WIDTHS = (1280, 390, 320)  # pixels
CHARTS = {"Generate": 0, "Size": 1, "Evaluate": 3, "About": 0}  # of each tab
# Of each chart in sight, how much its picture is wider than the box it is in, in pixels.
WIDER = """() => [...document.querySelectorAll(".js-plotly-plot .main-svg:first-child")]
  .filter((picture) => picture.checkVisibility())
  .map((picture) => picture.clientWidth - picture.closest(".block").clientWidth)"""


@pytest.fixture(scope="module")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where Firefox saves."""
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="module")
def browser(playwright: Playwright, downloads: Path) -> Iterator[Browser]:
    """Firefox in place of Chromium, for the pages of this file."""
    firefox = shutil.which("firefox-esr")
    assert firefox, "There is no Firefox; on Debian: apt-get install firefox-esr"
    browser = playwright.firefox.launch(
        channel="moz-firefox", executable_path=firefox, downloads_path=downloads, timeout=LAST_NET * 1000
    )
    yield browser
    browser.close()


def button(page: Page, name: str):  # noqa: ANN201
    return page.get_by_role("tabpanel").get_by_role("button", name=name, exact=True).locator("visible=true")


def test_it_shows_points_writes_stops_and_saves(visit: Visit, downloads: Path) -> None:
    visitor = visit(alone=True)
    page = visitor.page
    status = page.locator("#writing-status")

    def saved(name: str, file: str) -> str:
        """What a button of the open tab saves: looked for where it goes, as 153 gives no name to such a download."""
        button(page, name).click()
        path = downloads / file
        look_until(page, lambda: path.exists() and path.stat().st_size, file)
        return path.read_text(encoding="utf-8")

    expect(status).to_contain_text(re.compile(r"int8 chose another word at \d+ of 80 places\."))
    expect(page.locator("#writing section")).to_have_count(2)
    at_rest(page)
    page.locator("[data-word].other").first.click()
    thought = page.get_by_role("region", name=re.compile("^Word "))
    expect(thought.locator(".taken")).to_have_text([re.compile("fp32"), re.compile("int8")])
    page.get_by_role("textbox", name="Prompt").fill("The captain")
    unfold(page)
    for name in lmdemo.VARIANTS:  # 1,000 words of each: seconds, in which Stop is pressed
        if name != BASELINE:
            page.get_by_role("tabpanel").get_by_role("checkbox", name=name, exact=True).locator("visible=true").check()
    words = page.get_by_role("spinbutton", name="Words")
    words.fill("1000")
    words.press("Tab")
    button(page, "Write").click()
    expect(page.locator("#writing .prompt").first).to_have_text("The captain")
    assert_grows(page.locator("#writing section").first)
    button(page, "Stop").click()
    expect(status).to_contain_text("Stopped.")
    open_tab(page, "Size")
    rows = list(csv.DictReader(saved("Table as CSV", "lmdemo-sizes.csv").splitlines()))
    assert [row["variant"] for row in rows] == list(lmdemo.VARIANTS)
    assert "MB on disk" in saved("Chart as SVG", "lmdemo-sizes.svg")
    open_tab(page, "Evaluate")
    assert list(json.loads(saved("JSON", "lmdemo-evaluation.json"))["variants"]) == list(DEFAULT_MEASURED)
    assert visitor.errors == []


def assert_fitting(page: Page, charts: int, where: str) -> None:
    """So many charts are in sight, and soon as wide as their boxes."""
    look_until(page, lambda: page.evaluate(WIDER) == [0] * charts, f"charts as wide as their boxes, {where}")


def test_everything_fits_at_every_width(visit: Visit) -> None:
    visitor = visit(alone=True)
    page = visitor.page
    prompt = page.locator(".asking textarea")
    for width in WIDTHS:  # which changes while three of the tabs are hidden
        page.set_viewport_size({"width": width, "height": 844})
        for name in CHARTS:
            open_tab(page, name)
            where = f"{name} at {width}"
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), where
            tops = {tab.bounding_box()["y"] for tab in page.get_by_role("tab").all()}
            assert len(tops) == 1, where
            assert_fitting(page, CHARTS[name], where)
            assert prompt.evaluate("text => text.scrollHeight <= text.clientHeight"), where
    assert visitor.errors == []
