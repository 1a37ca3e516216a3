"""A real Chromium; each visitor has a page of its own, and every request it makes is recorded.

Nothing here waits for a number of seconds: a test waits for what is shown, and before it looks at where things stand,
until the page is at rest. The limits are for what never comes.
"""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Frame,
    FrameLocator,
    Locator,
    Page,
    Playwright,
    expect,
    sync_playwright,
)

from waiting import LAST_NET, wait_until

# the last for processor time: the scripts of a page are compiled once, for all pages
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run"
    " --disable-background-networking --disable-component-update --disable-sync"
    " --process-per-site"
)
# the one that tests/run found; without any, Playwright's own
CHROMIUM = os.environ.get("LMDEMO_CHROMIUM") or shutil.which("chromium-headless-shell") or shutil.which("chromium")
expect.set_options(timeout=LAST_NET * 1000)

SETTINGS = "Variants and settings"  # the fold of the Generate tab
SIZE_ROWS = 5  # of all variants, those with the same bytes together
TABS = ("Generate", "Size", "Evaluate", "Bits", "Your model", "About")
# What is drawn last of each tab.
DRAWN = {
    "Generate": "#writing section",
    "Size": "#size-bars .barlayer .point",
    "Evaluate": "#speeds .barlayer .point",
    "Bits": "#bits-writing section",
    "Your model": "#shape-line .sentence",
    "About": "#weights tbody tr",
}
# Resolves when nothing of the document has changed, and nothing has moved, in so many frames one after another.
AT_REST = """(frames) => new Promise((resolve) => {
  let quiet = 0, before = "";
  const observer = new MutationObserver(() => { quiet = 0; });
  const options = {subtree: true, childList: true, attributes: true, characterData: true};
  observer.observe(document, options);
  const look = () => {
    const {scrollWidth, scrollHeight} = document.documentElement, now = `${scrollWidth} ${scrollHeight}`;
    quiet = now === before ? quiet + 1 : 0;
    before = now;
    if (quiet < frames) return requestAnimationFrame(look);
    observer.disconnect();
    resolve();
  };
  requestAnimationFrame(look);
})"""


COUNTS_LENGTHS = """
  window.lengths = new Set();
  new MutationObserver(() => {
    const text = document.querySelector("#writing section");
    if (text) window.lengths.add(text.textContent.length);
  }).observe(document, {childList: true, subtree: true, characterData: true});
"""


@dataclass
class Visitor:
    """A page, and what went on behind it."""

    page: Page
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def look_until(page: Page, condition: Callable[[], object], what: str) -> None:
    """Look at a page until a condition holds."""
    wait_until(condition, what, lambda: page.wait_for_timeout(20))  # milliseconds; its events are handled meanwhile


def at_rest(page: Page | Frame, frames: int = 10) -> None:
    """Wait until a page is drawn: nothing on it changes or moves from one frame to the next."""
    page.evaluate(AT_REST, frames)


def open_tab(page: Page, name: str, within: Page | FrameLocator | None = None) -> None:
    """Open a tab, and wait until it is drawn; `within` is where it is, if that is not the page itself."""
    within = within or page
    within.get_by_role("tab", name=name, exact=True).click()
    within.locator(f"{DRAWN[name]} >> visible=true").first.wait_for(timeout=LAST_NET * 1000)
    at_rest(page)


def unfold(page: Page) -> None:
    """Open the settings of the Generate tab; what is typed before they are drawn is overwritten."""
    page.get_by_role("button", name=SETTINGS).click()
    at_rest(page)


def assert_grows(text: Locator, times: int = 3) -> None:
    """The first text of a page had so many lengths, one after another, since the page was opened.

    The page counts them itself: on a busy machine whoever looks from outside comes too late for most.
    """

    def grown() -> bool:
        return text.evaluate("() => window.lengths.size") > times  # the example's is one of them

    look_until(text.page, grown, f"a text of {times} lengths")


def is_light(text: Locator) -> bool:
    """Whether an element's text is light, on dark."""
    return min(map(int, re.findall(r"\d+", text.evaluate("element => getComputedStyle(element).color")))) > 127


def assert_legible(page: Page | Frame, chart: str) -> None:
    """All text of a chart is 11 px or more and within the picture."""
    page.locator(f"#{chart} .xtick text").first.wait_for()
    at_rest(page)
    box = page.locator(f"#{chart} .main-svg").first.bounding_box()
    for text in page.locator(f"#{chart} text").all():
        if not text.inner_html() or not text.is_visible():
            continue
        assert float(text.evaluate("element => getComputedStyle(element).fontSize").removesuffix("px")) >= 11
        found = text.bounding_box()
        assert found["x"] >= box["x"] - 1
        assert found["x"] + found["width"] <= box["x"] + box["width"] + 1


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """What drives every browser of a session: a thread has room for one."""
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS.split(), timeout=LAST_NET * 1000)
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def profile(browser: Browser) -> Iterator[BrowserContext]:
    """What visitors share who ask for nothing of their own: scripts that are compiled already.

    A page that stays open keeps the process in which they are.
    """
    context = _context(browser)
    stays = context.new_page()
    stays.route("**/*", lambda route: route.fulfill(body=""))
    stays.goto("http://127.0.0.1/")
    yield context
    context.close()


@pytest.fixture
def open_page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Callable[..., Visitor]]:
    """Open any page as a new visitor: `open_page(address, width=1280, dark=False)`.

    With `alone=True`, or more for its context, the visitor has a profile, with cookies, of its own. Chromium alone has
    another, which visitors share.
    """
    alones: list[BrowserContext] = []
    shared: list[BrowserContext] = []

    def new_page(alone: bool, **how: object) -> Page:
        if alone:
            alones.append(_context(browser, **how))
            return alones[-1].new_page()
        shared[:] = [request.getfixturevalue("profile")]
        return shared[0].new_page()

    def open_page(address: str, width: int = 1280, dark: bool = False, alone: bool = False, **more: object) -> Visitor:
        page = new_page(alone or bool(more), **more)
        page.set_viewport_size({"width": width, "height": 844})
        page.emulate_media(color_scheme="dark" if dark else "light")
        visitor = Visitor(page)
        page.on("request", lambda request: visitor.requests.append(request.url))
        page.on("pageerror", lambda error: visitor.errors.append(str(error)))
        page.on("dialog", lambda dialog: (visitor.errors.append(dialog.message), dialog.dismiss()))
        page.goto(address)
        return visitor

    yield open_page
    for context in alones:
        context.close()
    for context in shared:
        _clear(context)


def _clear(profile: BrowserContext) -> None:
    """Close all pages but the one that stays, and forget what they left."""
    stays, *others = profile.pages
    origins = {urlsplit(frame.url)[:2] for page in others for frame in page.frames}
    for page in others:
        page.close()
    profile.clear_cookies()
    profile.clear_permissions()
    session = profile.new_cdp_session(stays)
    for origin in origins:
        session.send("Storage.clearDataForOrigin", {"origin": "://".join(origin), "storageTypes": "local_storage"})
    session.detach()


def _context(browser: Browser, **how: object) -> BrowserContext:
    context = browser.new_context(**how)
    context.set_default_timeout(LAST_NET * 1000)
    context.add_init_script(COUNTS_LENGTHS)
    return context


@pytest.fixture
def visit_at(open_page: Callable[..., Visitor]) -> Callable[..., Visitor]:
    """Open an app's page as a new visitor: `visit_at(address, width=1280, dark=False)`."""

    def visit(address: str, width: int = 1280, dark: bool = False, **more: object) -> Visitor:
        visitor = open_page(f"{address}/?__theme={'dark' if dark else 'light'}", width, dark, **more)
        visitor.page.get_by_role("tab", name="Generate", exact=True).wait_for()
        # the first results arrive after hydration: from then on the page answers
        visitor.page.get_by_text("Computed here after the start").wait_for()
        return visitor

    return visit


@pytest.fixture
def visit(visit_at: Callable[..., Visitor], address: str) -> Callable[..., Visitor]:
    """Open the page of the app without a Hub: `visit(width=1280, dark=False)`; more for its context."""
    return partial(visit_at, address)
