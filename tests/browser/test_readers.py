"""The page as readers have it: in their system's colours, on paper, with large text, from right to left.

A page load costs seconds: one page for each way of reading, and all tabs on it.
"""

import re
from collections.abc import Callable

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page, expect

from browsing import TABS, Visitor, at_rest, open_tab, unfold

Visit = Callable[..., Visitor]
HEBREW = "שלום עולם, the לילה קר"

# Every element that has text of its own, in sight, as [what it says, colour, whether it is a label upon a colour].
TEXT = """() => [...document.querySelectorAll(".gradio-container *:not(.sr-only)")]
  .filter((element) => element.checkVisibility({visibilityProperty: true, opacityProperty: true}))
  .filter((element) => [...element.childNodes]
    .some((node) => node.nodeType === 3 && /[\\p{L}\\d]/u.test(node.textContent)))
"""
SIZES = f"() => ({TEXT})().map((element) => [element.textContent, parseFloat(getComputedStyle(element).fontSize)])"
PALE = f"""() => ({TEXT})().filter((element) => !element.matches(".sign, .bartext"))
  .map((element) => [element, getComputedStyle(element)])
  .map(([element, {{color, fill}}]) => [element.textContent, element.closest("svg") ? fill : color])
  .filter(([, colour]) => {{
    const [red, green, blue] = colour.match(/[\\d.]+/g);
    return 0.2 * red + 0.7 * green + 0.1 * blue > 118;
  }})"""
# WCAG's contrast of two colours of the page
CONTRAST = """([one, other]) => {
  const light = (colour) => colour.match(/[\\d.]+/g).slice(0, 3)
    .map((part) => part / 255).map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
    .reduce((sum, part, at) => sum + part * [0.2126, 0.7152, 0.0722][at], 0);
  const [dark, bright] = [light(one), light(other)].sort((a, b) => a - b);
  return (bright + 0.05) / (dark + 0.05);
}"""
FILLS = """traces => traces.map((trace) => [".bartext", "path"]
  .map((part) => getComputedStyle(trace.querySelector(part)).fill))"""
COLOUR = "(element, [pseudo, property]) => getComputedStyle(element, pseudo)[property]"


def contrast(page: Page, selector: str, property_: str, pseudo: str | None = None) -> float:
    """That of a property of the first such element in sight, with the colour of the system's pages."""
    element = page.locator(f"{selector} >> visible=true").first
    canvas = page.evaluate("""() => {
      const probe = document.body.appendChild(document.createElement("i"));
      probe.style.backgroundColor = "Canvas";
      const colour = getComputedStyle(probe).backgroundColor;
      probe.remove();
      return colour;
    }""")
    return page.evaluate(CONTRAST, [element.evaluate(COLOUR, [pseudo, property_]), canvas])


@pytest.mark.parametrize("dark", [False, True])
def test_colours_of_the_system_leave_text_legible_and_graphics_in_sight(visit: Visit, dark: bool) -> None:
    page = visit(dark=dark, forced_colors="active").page
    page.evaluate(AXE_SCRIPT)
    unfold(page)
    page.locator("[data-word].other").first.click()
    page.locator(".inspection").wait_for()
    for selector, property_, pseudo in (
        (".text mark", "color", None),
        (".text mark", "borderBottomColor", None),
        (".text .chosen", "color", None),
        (".inspection p", "color", None),
        (".inspection", "borderTopColor", None),
        (".chances .chance", "backgroundColor", "::before"),
        (".chances .chance + .chance", "borderTopColor", "::before"),
        (".tile .bars i", "backgroundColor", None),
        (".tile b", "color", None),
        ("button.primary", "color", None),
        ("button.primary", "borderTopColor", None),
        ("input[type=range]", "borderTopColor", None),
        ("input[type=number]", "borderTopColor", None),
    ):
        assert contrast(page, selector, property_, pseudo) >= 4.5, selector
    for name in TABS:
        open_tab(page, name)
        violations = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
        assert [(name, each["id"], node["html"]) for each in violations for node in each["nodes"]] == []
        if name == "Size":  # what stands on a bar is as dark as the bar is light, and the other way round
            for text, bar in page.locator("#size-bars .trace.bars").evaluate_all(FILLS):
                assert page.evaluate(CONTRAST, [text, bar]) >= 4.5
        if name == "Evaluate":
            assert contrast(page, ".ship .sign", "color") >= 4.5
            assert contrast(page, ".ship .answer", "borderTopColor") >= 4.5


def test_a_dark_page_is_printed_black_on_white_with_its_headings(visit: Visit) -> None:
    page = visit(dark=True).page
    for name in TABS:
        page.emulate_media(media="screen")
        open_tab(page, name)
        page.emulate_media(media="print")
        at_rest(page)
        assert page.evaluate(PALE) == [], name
        for around in ("body", "gradio-app", ".gradio-container", ".main"):
            found = page.locator(around).first.evaluate("element => getComputedStyle(element).backgroundColor")
            assert found == "rgb(255, 255, 255)", around
        if name == "Evaluate":
            expect(page.locator("#results .term").first).to_be_visible()
    expect(page.get_by_role("button", name="Write", exact=True).locator("visible=true")).to_have_count(0)


def test_twice_the_size_of_text_is_twice_as_large_and_a_narrow_screen_holds_it_all(visit: Visit) -> None:
    page = visit(320).page
    for name in TABS:
        open_tab(page, name)
        assert page.evaluate("document.documentElement.scrollWidth") == 320, name
    open_tab(page, "Generate")
    before = page.evaluate(SIZES)
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    at_rest(page)
    after = page.evaluate(SIZES)
    assert [text for text, _ in before] == [text for text, _ in after]
    assert [text for (text, one), (_, two) in zip(before, after, strict=True) if two < 1.6 * one] == []


def test_a_prompt_from_right_to_left_is_written_and_listed_in_its_direction_and_a_refused_run_leaves_the_address(
    visit: Visit,
) -> None:
    page = visit().page
    prompt = page.get_by_role("textbox", name="Prompt")
    prompt.fill(HEBREW)
    assert prompt.evaluate("element => getComputedStyle(element).unicodeBidi") == "plaintext"
    page.get_by_role("button", name="Write", exact=True).click()
    line = page.locator("#writing-status .status")
    isolated = ", ".join(f"\u2068{word}\u2069" for word in ("שלום", "עולם", "לילה", "קר"))
    expect(line).to_contain_text(f"Not in the model’s vocabulary, read as <unk>: {isolated}")
    expect(page.locator("#writing section > p").first).to_have_attribute("dir", "auto")
    expect(page.locator("#writing-status .under-way")).to_have_count(0)

    good = page.url
    assert "run=1" in good
    unfold(page)
    number = page.get_by_role("spinbutton", name=re.compile("Top-k"))
    number.fill("-5")
    number.press("Tab")
    page.get_by_role("button", name="Write", exact=True).click()
    expect(line).to_contain_text("Top-k must be a whole number from 0 to 1,000")
    expect(page).to_have_url(good)
