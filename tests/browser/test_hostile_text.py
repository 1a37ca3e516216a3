"""What a visitor types, an address asks and a vocabulary holds is shown as the text it is, on every tab."""

import csv
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

import pytest
import torch
from playwright.sync_api import Frame, Page, expect
from test_embed import Host, host  # noqa: F401 - another origin

import lmdemo
from browsing import Visitor, at_rest, open_tab
from lmdemo.bench import running_app
from lmdemo.lab import DEFAULT_MEASURED
from lmdemo.ui import embed

OUTSIDE = "//127.0.0.1:59999/"
PAYLOADS = (
    "<script>window.ran=1</script>",
    "</p></section></script><script>window.ran=2</script>",
    "<img/src=x/id=ran/onerror=window.ran=3>",
    '"><svg/id=ran/onload=window.ran=4>',
    "'onmouseover='window.ran=5'id='ran",
    f"![picture](http:{OUTSIDE}a.png)",
    f"[link](http:{OUTSIDE})",
    "[link](javascript:window.ran=6)",
    "<a/id=ran/href=javascript:window.ran=7>x</a>",
    "<iframe/id=ran/src=javascript:parent.ran=8>",
    f"<style/id=ran>*{{background:url({OUTSIDE})}}</style>",
    f"url(http:{OUTSIDE}b)",
    "&lt;b&gt;&amp;&#60;",
    "{{window.ran=9}}",
    "${window.ran=10}",
    "<%=window.ran%>",
    "**bold**",
    "`code`",
    "$$\\frac{1}{2}$$",
    "=HYPERLINK(1)",
    "%3Cb%3E",
    "\u202egnp.exe",
    "zero\u200bwidth",
    "x" * 200,
)
FOLDER = "=1+1<img src=x id=ran onerror=window.ran=11>{{7*7}}${7*7}![p](http:)"
FOREIGN = """() => [...document.querySelectorAll(
  "#ran, [onerror], [onload], [onmouseover], [href^='javascript:'], [src*='OUTSIDE'], [href*='OUTSIDE']"
)].map((element) => element.outerHTML)""".replace("OUTSIDE", OUTSIDE)
Open = Callable[..., Visitor]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The app on a checkpoint whose words, name and test text are such text."""
    words = lmdemo.Vocabulary(["<unk>", "<eos>", *PAYLOADS])
    torch.manual_seed(0)
    model = lmdemo.LSTMModel(len(words), 6, 8, 2).eval()
    folder = lmdemo.save_checkpoint(tmp_path_factory.mktemp("hostile") / FOLDER, model, words)
    (folder / "test.txt").write_text(f" {' '.join(PAYLOADS)} \n" * 20, encoding="utf-8")
    with running_app(LMDEMO_MODEL=str(folder)) as (_, address, _):
        yield address


def assert_text(visitor: Visitor, address: str, *frames: Frame) -> None:
    """Nothing ran, no element came of the text, nothing was asked of another host."""
    for frame in frames or (visitor.page.main_frame,):
        assert frame.evaluate("window.ran") is None
        assert frame.evaluate(FOREIGN) == []
    away = [url for url in visitor.requests if not url.startswith((address, "data:", "blob:", "http://localhost:"))]
    assert away == []
    assert visitor.errors == []


def press(page: Page, name: str) -> None:
    page.get_by_role("tabpanel").get_by_role("button", name=name, exact=True).locator("visible=true").click()


def saved(page: Page, name: str) -> str:
    """The file that a button hands out."""
    with page.expect_download() as download:
        press(page, name)
    return Path(download.value.path()).read_text(encoding="utf-8")


def query(**parameters: str) -> str:
    return "&".join(f"{name}={quote(value, safe='')}" for name, value in parameters.items())


def shown(page: Page, place: str) -> str:
    """The text of an element, as it stands in the document."""
    return page.locator(place).evaluate("element => element.textContent")


def test_a_vocabulary_of_markup_is_text_on_every_tab(open_page: Open, hostile: str) -> None:
    visitor = open_page(f"{hostile}/?words=300&run=1", 390)
    page = visitor.page
    expect(page.locator(".facts")).to_contain_text(f"from the folder {FOLDER}")
    expect(page.locator("#writing-status")).to_contain_text("300 places")
    # to the end of the run, which is drawn as it was begun
    expect(page.locator("#writing-status .under-way")).to_have_count(0)
    page.get_by_role("checkbox", name="Raw tokens").check()
    expect(page.locator("#writing section > p").first).to_contain_text(f"{PAYLOADS[0]} ")
    at_rest(page)
    for word in PAYLOADS:
        assert f" {word} " in shown(page, "#writing") + " ", word
    assert_text(visitor, hostile)
    page.get_by_role("checkbox", name="Raw tokens").uncheck()
    at_rest(page)
    page.locator("[data-word]").first.click()
    expect(page.locator(".inspection .taken").first).to_be_visible()
    assert_text(visitor, hostile)
    page.keyboard.press("Escape")
    press(page, "Watch it")
    expect(page.locator("#writing-status .under-way")).to_be_visible()
    assert_text(visitor, hostile)
    press(page, "Stop")
    expect(page.locator("#writing-status")).to_contain_text("300 places.")
    open_tab(page, "Size")
    assert_text(visitor, hostile)
    open_tab(page, "Evaluate")
    expect(page.locator("#fidelity tbody tr")).to_have_count(len(DEFAULT_MEASURED) - 1)
    page.locator("#course .nsewdrag").hover()  # the passage under the pointer
    expect(page.locator("#course .hoverlayer")).to_contain_text("around word")
    assert any(word in shown(page, "#course .hoverlayer") for word in PAYLOADS)
    assert page.locator("#course .hoverlayer a").count() == 0
    assert_text(visitor, hostile)
    assert json.loads(saved(page, "JSON"))["checkpoint"] == FOLDER
    rows = list(csv.DictReader(saved(page, "CSV").splitlines()))
    assert {row["checkpoint"] for row in rows} == {f"'{FOLDER}"}  # a spreadsheet takes it for text, not for a formula
    open_tab(page, "About")
    assert_text(visitor, hostile)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_prompt_of_markup_is_text_wherever_it_is_shown(open_page: Open, address: str) -> None:
    prompt = " ".join(PAYLOADS)
    visitor = open_page(f"{address}/?{query(prompt=prompt, words='3', run='1')}", 390)
    page = visitor.page
    expect(page.locator("#writing-status")).to_contain_text("3 places")
    expect(page.get_by_role("textbox", name="Prompt")).to_have_value(prompt)
    assert "<script>, <, /, script, > …" in shown(page, "#writing-status")
    assert_text(visitor, address)
    page.get_by_role("checkbox", name="Raw tokens").check()
    at_rest(page)
    assert_text(visitor, address)
    press(page, "Watch it")
    expect(page.locator("#writing section")).to_have_count(2)
    assert_text(visitor, address)
    expect(page.locator("#writing-status")).to_contain_text("3 places")  # at its end; until then it would hide the link
    page.evaluate("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    page.evaluate("document.execCommand = () => false")
    press(page, "Copy link to this run")
    shown_link = page.get_by_label("This browser does not let this page copy.")
    expect(shown_link).to_have_value(re.compile(re.escape(query(prompt=prompt))))
    assert_text(visitor, address)
    open_tab(page, "About")
    code = page.locator("#snippet .cm-content")  # the builder's
    expect(code).to_contain_text("prompt=%3Cscript%3Ewindow.ran")
    assert "<script>window.ran" not in code.inner_text()
    assert_text(visitor, address)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("frame", [True, False])
def test_a_snippet_with_a_prompt_of_markup_carries_it_as_text(
    host: Host,  # noqa: F811
    open_page: Open,
    hostile: str,
    frame: bool,
) -> None:
    asked = {"tab": "generate", "prompt": " ".join(PAYLOADS), "words": "40", "run": "1"}
    snippet = embed.snippet(f"{hostile}/", asked, frame, "")
    visitor = open_page(host.page(snippet))
    page = visitor.page
    inside = page.frame_locator("iframe") if frame else page
    expect(inside.locator("#writing section")).to_have_count(2)
    expect(inside.locator("#writing .prompt").first).to_contain_text("window.ran=1")
    assert_text(visitor, hostile, *page.frames)


def ask(open_page: Open, address: str, parameters: Mapping[str, str]) -> Visitor:
    """Open the page at an address with such parameters."""
    asked = "&".join(f"{quote(name)}={quote(value)}" for name, value in parameters.items())
    return open_page(f"{address}/?{asked}#{PAYLOADS[2]}")


def test_a_bad_value_of_markup_is_a_sentence_and_the_page_works(open_page: Open, address: str) -> None:
    parameters = {"tab": PAYLOADS[2], "variants": PAYLOADS[3], "seed": PAYLOADS[13], "run": PAYLOADS[14]}
    parameters |= {"words": PAYLOADS[0], "temperature": PAYLOADS[8], "view": PAYLOADS[1], "__theme": PAYLOADS[2]}
    visitor = ask(open_page, address, parameters)
    page = visitor.page
    told = page.locator("#writing-status")
    expect(told.get_by_role("alert")).to_contain_text("In this page’s address:")
    expect(page.locator("#writing section")).to_have_count(2)  # the example
    assert_text(visitor, address)
    page.get_by_role("textbox", name="Prompt").fill("The captain")
    press(page, "Write")
    expect(told.get_by_role("status")).to_contain_text("80 places")
    assert_text(visitor, address)


def test_a_bad_slice_of_markup_is_a_sentence_over_the_first_results(open_page: Open, address: str) -> None:
    visitor = ask(
        open_page, address, {"tab": "evaluate", "tokens": PAYLOADS[2], "window": PAYLOADS[5], "embed": PAYLOADS[3]}
    )
    page = visitor.page
    expect(page.locator("#measuring-status").get_by_role("alert")).to_contain_text("In this page’s address:")
    expect(page.locator("#results tbody tr")).to_have_count(len(DEFAULT_MEASURED))
    assert_text(visitor, address)


def test_control_characters_are_no_elements(open_page: Open, address: str) -> None:
    parameters = {"prompt": "a\x00b\ufffe\u202e", "words": "2", "run": "1", "deep_link": PAYLOADS[2], PAYLOADS[2]: "1"}
    visitor = ask(open_page, address, parameters)
    expect(visitor.page.locator("#writing-status")).to_contain_text("2 places")
    assert_text(visitor, address)
