"""The page as a visitor meets it."""

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

import lmdemo
from browsing import SETTINGS, SIZE_ROWS, TABS, Visitor, assert_grows, at_rest, look_until, open_tab, unfold
from lmdemo.lab import DEFAULT_MEASURED

Visit = Callable[..., Visitor]


def button(page: Page, name: str):  # noqa: ANN201
    return page.get_by_role("tabpanel").get_by_role("button", name=name, exact=True).locator("visible=true")


def setting(page: Page, name: str, value: str) -> None:
    """Set a number of the Generate tab, its settings unfolded."""
    box = page.get_by_role("spinbutton", name=re.compile(name))
    if not box.is_visible():
        unfold(page)
    box.fill(value)
    box.press("Tab")
    expect(box).to_have_value(value)


def variant(page: Page, name: str):  # noqa: ANN201
    return page.get_by_role("checkbox", name=name, exact=True).locator("visible=true")


def write_for_seconds(page: Page) -> None:
    """Begin a run in which there is time to look, and to press: 1,000 words of every variant."""
    setting(page, "Words", "1000")
    for name in list(lmdemo.VARIANTS)[1:]:
        variant(page, name).check()
    button(page, "Write").click()


def status(page: Page):  # noqa: ANN201
    return page.locator("#writing-status").get_by_role("status")


def test_a_finished_example_is_there_before_any_click(visit: Visit) -> None:
    page = visit().page
    expect(status(page)).to_contain_text(re.compile(r"int8 chose another word at (\d+|none) of 80 places\."))
    expect(page.locator("#writing section")).to_have_count(2)
    open_tab(page, "Evaluate")
    expect(page.locator("#measuring-status")).to_contain_text("the answers are in the card above.")
    expect(page.locator("#ship .answer:not(.pending)")).to_have_count(3)
    expect(page.locator("#results tbody th")).to_have_text(DEFAULT_MEASURED)
    expect(page.locator("#speeds .js-plotly-plot .barlayer .trace")).to_have_count(2)  # the limits and the speeds
    expect(page.locator("#fidelity tbody th")).to_have_text(DEFAULT_MEASURED[1:])
    expect(page.locator("#spread")).to_contain_text(
        re.compile(r"In \d+ passages of this text, \d+ words each, KL of int8 ran from")
    )
    expect(page.locator("#dots .js-plotly-plot .scatterlayer .trace")).to_have_count(
        12
    )  # of three, dots and means, twice
    expect(page.locator("#course .js-plotly-plot .scatterlayer .trace")).to_have_count(4)  # the words, three lines


def test_a_tile_leads_to_its_tab(visit: Visit) -> None:
    page = visit().page
    page.get_by_role("textbox", name="Prompt").fill("The captain")
    tiles = page.locator("a.tile")
    expect(tiles.locator("b")).to_have_text([re.compile(r"^\d+%$"), re.compile(r"[\d.]+×$"), re.compile("of 100$")])
    for number, name in enumerate(("Size", "Evaluate", "Evaluate")):
        tiles.nth(number).press("Enter")
        expect(page.get_by_role("tab", name=name)).to_have_attribute("aria-selected", "true")
    open_tab(page, "Generate")
    expect(page.get_by_role("textbox", name="Prompt")).to_have_value("The captain")  # it was no other page


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_moves_while_the_page_is_drawn(open_page: Visit, address: str, width: int) -> None:
    page = open_page("about:blank", width).page
    page.add_init_script("""
      window.moved = 0;
      const add = (list) => list.getEntries().forEach(({value}) => { window.moved += value; });
      new PerformanceObserver(add).observe({type: "layout-shift"});
    """)
    page.goto(address)
    page.get_by_text("Computed here after the start").wait_for()
    expect(page.locator("a.tile b").first).to_contain_text("%")
    at_rest(page)
    assert page.evaluate("window.moved") <= 0.02


def test_it_streams_and_stops_at_once(visit: Visit) -> None:
    page = visit().page
    expect(button(page, "Stop")).to_be_disabled()
    write_for_seconds(page)
    assert_grows(page.locator("#writing section").first)
    with page.expect_response("**/cancel"):
        button(page, "Stop").click()
    expect(status(page)).to_contain_text("Stopped.")
    expect(button(page, "Stop")).to_be_disabled()
    at_rest(page)  # which it does not come to while something is written
    setting(page, "Words", "20")
    button(page, "Write").click()
    expect(status(page).get_by_role("listitem").first).to_contain_text("of 20")
    expect(page.locator("#writing-status .under-way")).to_have_count(0)


def test_the_same_seed_writes_the_same_and_what_is_chosen_otherwise_is_marked(visit: Visit) -> None:
    page = visit().page
    setting(page, "Words", "300")
    texts = {}
    for seed in (3, 4, 5, 6, 3):  # among these texts of 300 words some part
        setting(page, "Seed", str(seed))
        before = page.locator("#writing section > p").first.inner_text()
        button(page, "Write").click()
        expect(page.locator("#writing section > p").first).not_to_have_text(before)
        expect(status(page)).to_contain_text(re.compile(r"300 places\."))
        written = [section.inner_text() for section in page.locator("#writing section > p").all()]
        assert texts.setdefault(seed, written) == written
        found = re.search(r"another word at (\d+) of 300 places\.\s+Left to itself", status(page).inner_text())
        fp32, int8 = page.locator("#writing section").all()
        assert fp32.locator("[data-word]").count() == 300
        assert fp32.locator("mark").count() == (int(found.group(1)) if found else 0)
        assert fp32.locator("mark + small.chosen").count() == fp32.locator("mark").count()
        assert int8.locator(".own").count() == bool(found)
    assert len({text for pair in texts.values() for text in pair}) > len(texts)


def test_raw_tokens_are_a_switch_away(visit: Visit) -> None:
    page = visit().page
    page.get_by_role("textbox", name="Prompt").fill("It isn’t half-mad")
    button(page, "Write").click()
    expect(page.locator("#writing .prompt").first).to_have_text("It isn’t half-mad")
    # to the end of the run, which is drawn as it was begun
    expect(page.locator("#writing-status .under-way")).to_have_count(0)
    page.get_by_role("checkbox", name="Raw tokens").check()
    expect(page.locator("#writing .prompt").first).to_have_text("It is n't half @-@ mad")


def test_enter_in_the_prompt_writes(visit: Visit) -> None:
    page = visit().page
    page.get_by_role("textbox", name="Prompt").fill("The captain")
    page.get_by_role("textbox", name="Prompt").press("Enter")
    expect(page.locator("#writing .prompt").first).to_have_text("The captain")


def test_an_example_and_a_new_seed_write(visit: Visit) -> None:
    page = visit().page
    page.get_by_role("button", name="She opened the letter, and").click()
    expect(page.locator("#writing .prompt").first).to_have_text("She opened the letter, and")
    expect(page.locator("#writing-status .under-way")).to_have_count(0)
    setting(page, "Seed", "1")
    page.evaluate("""() => {
      const texts = document.querySelector("#writing"), before = texts.offsetHeight;
      window.fallen = 0;
      const look = () => {
        if (texts.querySelector(".under-way")) window.fallen = Math.max(window.fallen, before - texts.offsetHeight);
        requestAnimationFrame(look);
      };
      look();
    }""")
    button(page, "New seed").click()
    expect(page.get_by_role("spinbutton", name="Seed")).not_to_have_value("1")
    expect(status(page)).to_contain_text(re.compile(r"80 places\."))
    assert page.evaluate("window.fallen") <= 1  # the texts keep their height until the new ones are there


def test_a_race_is_slow_enough_to_watch_and_stop_skips_it(visit: Visit) -> None:
    page = visit().page
    setting(page, "Words", "400")  # 40 seconds to watch
    button(page, "Write").click()
    expect(status(page)).to_contain_text("of 400 places.")
    at_rest(page)
    whole = page.locator("#writing").inner_text()
    button(page, "Watch it").click()
    expect(status(page)).to_contain_text(re.compile(r"really [\d.]+ s against [\d.]+ s\. [\d.]+ s on the clock"))
    assert_grows(page.locator("#writing section").first)
    button(page, "Stop").click()
    expect(page.locator("#writing")).to_have_text(whole, use_inner_text=True)
    expect(status(page)).to_contain_text("of 400 places.")


def test_sizes_are_bars_a_table_and_a_sentence(visit: Visit) -> None:
    page = visit().page
    open_tab(page, "Size")
    expect(page.locator(".barlayer .trace").locator("visible=true")).to_have_count(3)
    expect(page.get_by_role("row", name=re.compile("^int8, int8-packed")).locator("visible=true")).to_contain_text("MB")
    expect(page.locator("#sizes tbody tr")).to_have_count(SIZE_ROWS)
    expect(page.get_by_text(re.compile(r"int8 takes \d+% of the bytes of fp32"))).to_be_visible()


def slice_of(page: Page, words: int, window: int) -> None:
    """Set what is measured."""
    for name, value in (("Words of test text", words), ("Window", window)):
        box = page.get_by_role("spinbutton", name=re.compile(name))
        box.fill(str(value))
        box.press("Tab")


def test_measuring_shows_progress_and_stop_keeps_what_was_measured(visit: Visit) -> None:
    page = visit().page
    open_tab(page, "Evaluate")
    slice_of(page, 8_000, 1)  # word by word, long enough to be seen
    button(page, "Measure").click()
    line = page.locator("#measuring-status").get_by_role("status")
    expect(line).to_contain_text(re.compile(r"[\d,]+ of [\d,]+ words read"))
    with page.expect_response("**/cancel"):  # the step under way ends first, and until then no press counts
        button(page, "Stop").click()
    expect(line).to_contain_text(re.compile(r"Stopped after [\d,]+ of [\d,]+ words"))
    expect(page.locator("#results tbody tr")).to_have_count(len(DEFAULT_MEASURED))
    slice_of(page, 500, 200)
    button(page, "Measure").click()
    expect(page.locator("#measuring-status")).to_contain_text("500 words measured")


def test_every_variant_can_write_and_be_measured(visit: Visit) -> None:
    page = visit(390).page
    names = list(lmdemo.VARIANTS)
    page.get_by_role("button", name=SETTINGS).click()
    for name in names[1:]:
        variant(page, name).check()
    button(page, "Write").click()
    expect(page.locator("#writing section")).to_have_count(len(lmdemo.VARIANTS))
    expect(status(page).locator("li strong")).to_have_text(names[1:])
    expect(page.locator("#writing section h2")).to_have_text(
        ["fp32", *(f"{name} left to itself" for name in names[1:])]
    )
    expect(page.locator("#writing-status .under-way")).to_have_count(0)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    open_tab(page, "Evaluate")
    for name in names[1:]:
        variant(page, name).check()
    words = page.get_by_role("spinbutton", name=re.compile("Words of test text"))
    words.fill("600")
    words.press("Tab")
    button(page, "Measure").click()
    expect(page.locator("#measuring-status")).to_contain_text("600 words measured")
    expect(page.locator("#results tbody th")).to_have_text(names)
    expect(page.locator("#fidelity tbody th")).to_have_text(names[1:])
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_an_evaluation_can_be_taken_along(visit: Visit) -> None:
    page = visit().page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    open_tab(page, "Evaluate")
    expect(page.locator("#fidelity tbody tr")).to_have_count(len(DEFAULT_MEASURED) - 1)
    with page.expect_download() as download:
        button(page, "JSON").click()
    assert download.value.suggested_filename == "lmdemo-evaluation.json"
    content = json.loads(Path(download.value.path()).read_text(encoding="utf-8"))
    assert list(content["variants"]) == list(DEFAULT_MEASURED)
    with page.expect_download() as download:
        button(page, "CSV").click()
    rows = list(csv.DictReader(Path(download.value.path()).read_text(encoding="utf-8").splitlines()))
    assert float(rows[2]["loss"]) == content["variants"]["int8"]["loss"]
    button(page, "Copy as Markdown").click()
    page.wait_for_function(
        "navigator.clipboard.readText().then(text => text.startsWith('**') && text.includes('| | loss |'))"
    )
    copied = page.evaluate("navigator.clipboard.readText()")
    assert content["machine"]["cpu"] in copied


def test_about_says_what_each_variant_is_and_what_was_chosen_here(visit: Visit) -> None:
    page = visit().page
    open_tab(page, "About")
    expect(page.locator("#variants dt")).to_have_text(list(lmdemo.VARIANTS))
    expect(page.locator("#variants")).to_contain_text(
        "Chosen here for fp32-packed by a short measurement: LSTM, one word:"
    )


def test_bad_input_gets_a_sentence_and_nothing_is_lost(visit: Visit) -> None:
    page = visit().page
    before = page.locator("#writing").inner_text()
    setting(page, "Top-k", "-1")
    button(page, "Write").click()
    expect(page.locator("#writing-status").get_by_role("alert")).to_have_text(
        "Top-k must be a whole number from 0 to 1,000 (0 is all words)."
    )
    assert page.locator("#writing").inner_text() == before
    setting(page, "Top-k", "0")
    page.get_by_role("textbox", name="Prompt").fill("x" * 10_000)
    button(page, "Write").click()
    expect(page.locator("#writing-status").get_by_role("alert")).to_contain_text("Prompt has 10,000 characters")
    page.get_by_role("textbox", name="Prompt").fill("It was")
    button(page, "Write").click()
    expect(status(page)).to_contain_text("80 places")


def test_what_a_visitor_types_stays_text(visit: Visit) -> None:
    visitor = visit()
    page = visitor.page
    typed = "<img src=x onerror=alert(1)> <b>bold</b> ${alert(1)} {{value}} </p><script>alert(1)</script>"
    page.get_by_role("textbox", name="Prompt").fill(typed)
    button(page, "Write").click()
    expect(page.locator("#writing-status")).to_contain_text("Not in the model’s vocabulary")
    page.get_by_role("checkbox", name="Raw tokens").check()
    at_rest(page)
    assert page.locator(":is(#writing, #writing-status) :is(img, b, script)").count() == 0
    assert visitor.errors == []


@pytest.mark.parametrize(("width", "dark"), [(1280, True), (390, False)])
def test_no_tab_scrolls_sideways_and_nothing_leaves_the_host(
    visit: Visit, address: str, width: int, dark: bool
) -> None:
    visitor = visit(width, dark)
    page = visitor.page
    for name in TABS:
        open_tab(page, name)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
    open_tab(page, "Generate")
    button(page, "Write").click()
    expect(status(page)).to_contain_text("80 places")
    open_tab(page, "Evaluate")
    slice_of(page, 500, 200)
    button(page, "Measure").click()
    expect(page.locator("#measuring-status")).to_contain_text("500 words measured")
    away = [url for url in visitor.requests if not url.startswith((address, "data:", "blob:"))]
    assert away == []
    assert len(visitor.requests) > 50
    assert visitor.errors == []


def test_a_chart_fits_its_place_when_the_window_changed_while_its_tab_was_hidden(visit: Visit) -> None:
    page = visit().page
    open_tab(page, "Size")
    open_tab(page, "Generate")
    page.set_viewport_size({"width": 390, "height": 844})
    at_rest(page)
    open_tab(page, "Size")
    place = page.locator("#size-bars").bounding_box()
    look_until(page, lambda: chart_width(page, "size-bars") <= place["width"], "a chart as wide as its place")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def chart_width(page: Page, chart: str) -> float:
    return page.locator(f"#{chart} .main-svg").first.bounding_box()["width"]


def test_one_computes_and_the_other_sees_its_place(visit: Visit) -> None:
    one, other = visit().page, visit().page
    write_for_seconds(one)
    expect(one.locator("#writing .under-way section")).to_have_count(len(lmdemo.VARIANTS))
    button(other, "Write").click()
    expect(other.locator("#writing-status")).to_contain_text(re.compile("queue|processing", re.IGNORECASE))
    button(one, "Stop").click()
    expect(status(one)).to_contain_text("Stopped.")
    expect(status(other)).to_contain_text("80 places")
