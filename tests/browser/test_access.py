"""The page without a mouse, without sight of it, on a phone; and what it hands out."""

import csv
import json
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page, expect

import lmdemo
from browsing import SETTINGS, TABS, Visitor, assert_legible, at_rest, open_tab, unfold

CHARTS = {  # tab, label of the buttons, name of the file, by the chart's id
    "size-bars": ("Size", "Chart", "lmdemo-sizes"),
    "speeds": ("Evaluate", "Chart", "lmdemo-speed"),
    "dots": ("Evaluate", "Passages", "lmdemo-passages"),
    "course": ("Evaluate", "KL along the text", "lmdemo-course"),
    "bits-curves": ("Bits", "Curves", "lmdemo-bits"),
}
PHONE = {"has_touch": True, "is_mobile": True, "device_scale_factor": 2}
Visit = Callable[..., Visitor]

# What axe finds and is not ours: (rule, selector), each with its reason. There is none.
EXCEPTIONS: set[tuple[str, str]] = set()


def press_until(page: Page, key: str, role: str, name: str | re.Pattern) -> None:
    """Press Tab or Shift+Tab until a control has the focus."""
    wanted = page.get_by_role(role, name=name, exact=True).locator("visible=true")
    for _ in range(60):
        if wanted.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press(key)
    pytest.fail(f"{key} does not lead to {name}")


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_axe_finds_nothing_serious(visit: Visit, width: int, dark: bool) -> None:
    page = visit(width, dark).page
    page.evaluate(AXE_SCRIPT)
    unfold(page)
    found = []
    for name in TABS:
        open_tab(page, name)
        if name == "Evaluate":
            page.get_by_role("button", name="Percentiles").click()
            at_rest(page)
        violations = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
        found += [
            (name, violation["id"], str(node["target"]), node["failureSummary"])
            for violation in violations
            if violation["impact"] in ("serious", "critical") or violation["id"] in ("heading-order", "region")
            for node in violation["nodes"]
            if (violation["id"], node["target"][0]) not in EXCEPTIONS
        ]
    assert found == []


def test_generate_works_with_the_keyboard_alone(visit: Visit) -> None:
    page = visit().page
    press_until(page, "Tab", "tab", "Generate")
    press_until(page, "Tab", "button", re.compile(SETTINGS))
    page.keyboard.press("Enter")
    words = page.get_by_role("spinbutton", name=re.compile("Words"))
    expect(words).to_be_visible()
    at_rest(page)
    press_until(page, "Tab", "spinbutton", re.compile("Words"))
    page.keyboard.press("Control+a")
    page.keyboard.type("1000")
    press_until(page, "Tab", "button", "Write")
    outline = "getComputedStyle(document.activeElement)"
    assert page.evaluate(f"{outline}.outlineStyle !== 'none' && {outline}.outlineWidth !== '0px'")
    page.keyboard.press("Enter")
    line = page.locator("#writing-status .status")
    expect(line).to_have_class(re.compile("under-way"))
    with page.expect_response("**/cancel"):
        page.keyboard.press("Escape")
    expect(line).to_contain_text("Stopped.")
    at_rest(page)
    expect(line).to_contain_text("Stopped.")


def test_evaluate_works_with_the_keyboard_alone(visit: Visit) -> None:
    page = visit().page
    press_until(page, "Tab", "tab", "Evaluate")
    page.keyboard.press("Enter")
    line = page.locator("#measuring-status .status")
    expect(line).to_contain_text("words measured; the answers are in the card above.")
    press_until(page, "Tab", "spinbutton", re.compile("Window"))
    page.keyboard.press("Control+a")
    page.keyboard.type("1")  # word by word, long enough to be seen
    press_until(page, "Tab", "button", "Measure")
    page.keyboard.press("Enter")
    expect(line).to_contain_text("words read")
    page.keyboard.press("Escape")
    expect(line).to_contain_text("Stopped")


def test_escape_at_rest_changes_nothing(visit: Visit) -> None:
    visitor = visit()
    page = visitor.page
    before, asked = page.locator("#writing-status").inner_text(), len(visitor.requests)
    page.keyboard.press("Escape")
    at_rest(page)
    assert page.locator("#writing-status").inner_text() == before
    assert visitor.requests[asked:] == []


def test_a_run_is_read_out_once_at_its_end(visit: Visit) -> None:
    page = visit().page
    page.evaluate("""() => {
      window.heard = [];
      const regions = [...document.querySelectorAll("body > .unseen[role=status]")];
      const note = (changes) => changes.forEach(({target}) => window.heard.push(target.textContent));
      regions.forEach((region) => new MutationObserver(note).observe(region, {childList: true}));
      window.said = new Set();
      const gradios = document.querySelector(".sr-only[role=status]");
      const listen = () => window.said.add(gradios.textContent.trim());
      new MutationObserver(listen).observe(gradios, {childList: true, characterData: true, subtree: true});
    }""")
    page.get_by_role("textbox", name="Prompt").fill("The captain")
    page.get_by_role("textbox", name="Prompt").press("Enter")
    expect(page.locator("#writing .prompt").first).to_have_text("The captain")
    expect(page.locator("#writing-status .under-way")).to_have_count(0)
    expect(page.locator("#writing-status .status")).to_have_attribute("aria-live", "off")
    heard = page.evaluate("window.heard")
    assert len(heard) == 1
    assert re.search("80 places", heard[0])
    page.wait_for_function("window.said.has('Done.')")  # in words, not by a key without any


def test_every_chart_is_named_and_described_by_its_sentence(visit: Visit) -> None:
    page = visit().page
    for chart, (tab, _, _) in CHARTS.items():
        open_tab(page, tab)
        image = page.locator(f"#{chart}")
        expect(image).to_have_role("img")
        expect(image).to_have_accessible_name(re.compile("by (variant|bits)"))
        expect(image).to_have_accessible_description(re.compile("int8|4 bits"))


def test_a_heading_says_what_it_means_on_hover_on_focus_and_on_a_tap(visit: Visit) -> None:
    page = visit(width=390, has_touch=True).page
    open_tab(page, "Evaluate")
    heading = page.locator("#fidelity").get_by_role("button", name="KL", exact=True)
    expect(heading).to_have_accessible_description(re.compile("^Divergence of the variant’s distribution"))
    said = page.locator(".meaning >> visible=true")
    for begin in (heading.hover, heading.focus, heading.tap):
        begin()
        expect(said).to_have_text(re.compile("^Divergence of the variant’s distribution"))
        box = said.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
        page.keyboard.press("Escape")
        expect(said).to_have_count(0)
        heading.blur()
        page.mouse.move(0, 0)


def test_tables_have_captions_and_headers(visit: Visit) -> None:
    page = visit().page
    for name, table in (("Size", "sizes"), ("Evaluate", "results"), ("Evaluate", "fidelity"), ("About", "weights")):
        open_tab(page, name)
        expect(page.locator(f"#{table} caption")).not_to_be_empty()
        assert page.locator(f"#{table} th:not([scope])").count() == 0
        assert page.locator(f"#{table} th:empty").count() == 0


def test_charts_download_as_pictures(visit: Visit) -> None:
    page = visit(390).page
    for tab, label, name in CHARTS.values():
        open_tab(page, tab)
        _assert_downloads(page, label, name)


def _assert_downloads(page: Page, label: str, name: str) -> None:
    saved = {}
    for kind in ("PNG", "SVG"):
        with page.expect_download() as download:
            page.get_by_role("button", name=f"{label} as {kind}").locator("visible=true").click()
        assert download.value.suggested_filename == f"{name}.{kind.lower()}"
        saved[kind] = Path(download.value.path()).read_bytes()
    assert saved["PNG"].startswith(b"\x89PNG")
    assert int.from_bytes(saved["PNG"][16:20]) == 2 * 960  # as wide whatever the window's width
    picture = ElementTree.fromstring(saved["SVG"])
    assert picture.get("width") == "960"
    written = "".join(picture.itertext())
    assert ("one scale a row" if label == "Curves" else "int8") in written
    assert "fp32" in written


def test_sizes_and_weights_download_as_csv(visit: Visit, bundled: lmdemo.Checkpoint) -> None:
    page = visit().page
    rows = {}
    for name in ("Size", "About"):
        open_tab(page, name)
        with page.expect_download() as download:
            page.get_by_role("button", name="Table as CSV").locator("visible=true").click()
        rows[name] = list(csv.DictReader(Path(download.value.path()).read_text(encoding="utf-8").splitlines()))
    sizes = lmdemo.sizes(lmdemo.build_variants(bundled.model))
    assert {row["variant"]: int(row["bytes"]) for row in rows["Size"]} == {
        name: size.total for name, size in sizes.items()
    }
    assert [row["name"] for row in rows["About"]] == page.locator("#weights tbody th").all_inner_texts()
    assert json.loads(rows["About"][0]["scale"]) > 0


def test_reduced_motion_is_honoured(visit: Visit) -> None:
    page = visit(reduced_motion="reduce").page
    slow = page.evaluate("""() => [...document.querySelectorAll(".gradio-container *")].filter((element) => {
      const style = getComputedStyle(element);
      return [style.animationDuration, style.transitionDuration].some((text) =>
        text.split(",").some((duration) => parseFloat(duration) > 0.001));
    }).map((element) => element.className)""")
    assert slow == []


def test_a_phone_has_room_for_a_finger_and_text_to_read(visit: Visit) -> None:
    page = visit(390, **PHONE).page
    page.get_by_role("button", name=SETTINGS).tap()
    for name in TABS:
        open_tab(page, name)
        for chart in (chart for chart, (tab, _, _) in CHARTS.items() if tab == name):
            assert_legible(page, chart)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, name
        assert page.evaluate(SMALL_TARGETS) == [], name


# Controls a finger has less than 24 px for. The label of a checkbox or a radio is its target, a link within a sentence
# is as high as its line; the hidden tabs are Gradio's, for measuring.
SMALL_TARGETS = """() => [...document.querySelectorAll("button, input, textarea, a")]
  .filter((element) => element.checkVisibility({visibilityProperty: true}))
  .filter((element) => !element.closest("li, p, .tab-container.visually-hidden"))
  .map((element) => ["checkbox", "radio"].includes(element.type) ? element.closest("label") : element)
  .map((element) => [element.outerHTML.slice(0, 120), element.getBoundingClientRect()])
  .filter(([, box]) => Math.min(box.width, box.height) < 23.9).map(([html, box]) => [html, box.height])"""


def test_names_stay_in_sight_over_a_table_pushed_sideways(visit: Visit) -> None:
    page = visit(390, dark=True, **PHONE).page
    open_tab(page, "Size")
    table = page.locator("#sizes .table")
    assert table.evaluate("element => { element.scrollLeft = 150; return element.scrollLeft }") == 150
    name = page.locator("#sizes tbody th").first
    assert name.bounding_box()["x"] == pytest.approx(table.bounding_box()["x"], abs=1)
    covers = name.evaluate("element => getComputedStyle(element).backgroundColor")
    assert re.fullmatch(r"rgb\(\d+, \d+, \d+\)", covers)  # nothing shows through
