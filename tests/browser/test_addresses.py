"""What an address asks of the page, and the address of a run; what it asks in vain is in test_hostile_text.py."""

import re
from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

import lmdemo
import patient
from browsing import Visitor, open_tab, unfold
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
    expect(page.get_by_role("button", name="Copied", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Copy link to this run")).to_be_visible()  # again
    expect(line(page).get_by_role("listitem")).to_have_count(2)  # the verdict stays
    copied = page.evaluate("navigator.clipboard.readText()")
    assert query.writing(copied, lmdemo.VARIANTS, "") == asked
    other = open_page(copied, dark=True).page
    expect(line(other).get_by_role("listitem")).to_have_count(2)
    expect(other.locator("#writing-status .under-way")).to_have_count(0)
    assert texts(other) == first
    assert other.get_by_role("textbox", name="Prompt").input_value() == PROMPT


def test_without_a_clipboard_it_copies_the_old_way_or_shows_what_to_copy(open_page: Open, address: str) -> None:
    visitor = open_page("about:blank")
    page = visitor.page
    page.add_init_script("Object.defineProperty(Navigator.prototype, 'clipboard', {value: undefined})")
    page.goto(f"{address}/?words=5&seed=3&run=1")
    expect(line(page)).to_contain_text("5 places")
    page.evaluate("document.addEventListener('copy', () => { window.copied = String(document.activeElement.value) })")
    page.get_by_role("button", name="Copy link to this run").click()
    expect(page.get_by_role("button", name="Copied", exact=True)).to_be_visible()
    link = re.compile(f"^{address}/\\?tab=generate&prompt=.*&seed=3.*&run=1$")
    assert link.match(page.evaluate("copied"))
    open_tab(page, "About")
    page.locator("#code-that-ran").get_by_role("button", name="Copy").click()  # Gradio's own
    page.wait_for_function("copied.includes('quantize_dynamic')")
    page.evaluate("document.execCommand = () => false")
    open_tab(page, "Generate")
    page.get_by_role("button", name="Copy link to this run").click()
    field = page.get_by_label("This browser does not let this page copy.")
    expect(field).to_have_value(link)
    expect(field).to_be_focused()
    expect(line(page)).to_contain_text("5 places")
    assert visitor.errors == []


def test_a_run_is_in_the_address_and_outlives_a_reload(open_page: Open, address: str) -> None:
    names = tuple(lmdemo.VARIANTS)[1:]  # 1,000 words of each take seconds, in which Stop is pressed
    variants = ",".join(names)
    page = open_page(f"{address}/?__theme=light&words=1000&a=b+c&seed=5&variants={variants}&b#place").page
    expect(line(page)).to_contain_text("Filled in from the address")
    page.get_by_role("textbox", name="Prompt").fill(PROMPT)
    page.get_by_role("button", name="Write", exact=True).click()
    expect(page.locator("#writing .under-way section")).to_have_count(len(lmdemo.VARIANTS))
    settings = GenerationSettings(PROMPT, 1000, seed=5)
    asked = query.join("", query.GenerateQuery(settings, names, run=True).parameters())
    kept = f"{address}/{asked}&__theme=light&a=b+c&b#place"
    assert page.url == kept
    interrupted = page.get_by_text("The page was reloaded before this run had come to its end")
    page.reload()  # as the page does by itself after a lost connection
    expect(interrupted).to_be_visible()
    expect(page.locator("#writing .under-way section")).to_have_count(len(lmdemo.VARIANTS))
    page.get_by_role("button", name="Stop", exact=True).locator("visible=true").click()
    expect(line(page)).to_contain_text("Stopped.")
    page.get_by_role("button", name="New seed").click()
    expect(page.locator("#writing .under-way section")).to_have_count(len(lmdemo.VARIANTS))
    expect(interrupted).to_have_count(0)
    assert "&seed=5&" not in page.url
    page.get_by_role("button", name="Stop", exact=True).locator("visible=true").click()
    expect(line(page)).to_contain_text("Stopped.")
    stopped = page.url
    page.reload()  # what was stopped was not interrupted
    expect(page.locator("#writing .under-way section")).to_have_count(len(lmdemo.VARIANTS))
    expect(interrupted).to_have_count(0)
    assert page.url == stopped


def test_an_address_opens_a_tab_and_measures(open_page: Open, address: str) -> None:
    page = open_page(f"{address}/?tab=evaluate&tokens=500&window=50&variants=int8&run=1").page
    expect(page.get_by_role("tab", selected=True)).to_have_text("Evaluate")
    expect(page.locator("#measuring-status")).to_contain_text("500 words measured")
    expect(page.locator("#results tbody th")).to_have_text(["fp32", "int8"])
    expect(page.get_by_role("spinbutton", name=re.compile("Window")).locator("visible=true")).to_have_value("50")


def test_every_run_that_goes_into_the_address_leaves_it_when_it_is_refused(address: str) -> None:
    events = patient.get(f"{address}/config").json()["dependencies"]
    line = re.compile(r'"line": "([\w-]+)"')

    def lines(function: str) -> dict[int, str]:
        scripts = {event["id"]: event["js"] or "" for event in events}
        return {number: line.search(js).group(1) for number, js in scripts.items() if f"lmdemo.{function}(" in js}

    kept, forgotten = lines("keepRun"), lines("forgetRefused")
    assert sorted({*kept.values()}) == ["bits-status", "measuring-status", "shape-status", "writing-status"]
    after = {(event["trigger_after"], forgotten[event["id"]]) for event in events if event["id"] in forgotten}
    assert after >= {*kept.items()}
