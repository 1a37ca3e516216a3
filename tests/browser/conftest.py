"""A real Chromium; each visitor has a context of its own, and every request it makes is recorded."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run"
    " --disable-background-networking --disable-component-update --disable-sync"
)
# the one that tests/run found; without any, Playwright's own
CHROMIUM = os.environ.get("LMDEMO_CHROMIUM") or shutil.which("chromium")
expect.set_options(timeout=30_000)  # milliseconds; these machines are noisy


@dataclass
class Visitor:
    """A page, and what went on behind it."""

    page: Page
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def assert_grows(text: Locator, times: int = 3) -> None:
    """An element's text has so many lengths, one after another, while we look."""
    lengths: set[int] = set()
    deadline = time.monotonic() + 30
    while len(lengths) < times:
        assert time.monotonic() < deadline, f"the text stays at {lengths} characters"
        lengths.add(len(text.inner_text()))
        text.page.wait_for_timeout(20)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS.split())
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Visitor]]:
    """Open any page as a new visitor: `open_page(address, width=1280, dark=False)`; more for its context."""
    contexts = []

    def open_page(address: str, width: int = 1280, dark: bool = False, **more: object) -> Visitor:
        scheme = "dark" if dark else "light"
        context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme, **more)
        contexts.append(context)
        visitor = Visitor(context.new_page())
        visitor.page.on("request", lambda request: visitor.requests.append(request.url))
        visitor.page.on("pageerror", lambda error: visitor.errors.append(str(error)))
        visitor.page.on("dialog", lambda dialog: (visitor.errors.append(dialog.message), dialog.dismiss()))
        visitor.page.goto(address)
        return visitor

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture
def visit_at(open_page: Callable[..., Visitor]) -> Callable[..., Visitor]:
    """Open an app's page as a new visitor: `visit_at(address, width=1280, dark=False)`."""

    def visit(address: str, width: int = 1280, dark: bool = False, **more: object) -> Visitor:
        visitor = open_page(f"{address}/?__theme={'dark' if dark else 'light'}", width, dark, **more)
        visitor.page.get_by_role("tab", name="Generate", exact=True).wait_for()
        # the first results arrive after hydration: from then on the page answers
        visitor.page.get_by_text("Computed here after the start").wait_for(timeout=60_000)
        return visitor

    return visit


@pytest.fixture
def visit(visit_at: Callable[..., Visitor], address: str) -> Callable[..., Visitor]:
    """Open the page of the app without a Hub: `visit(width=1280, dark=False)`; more for its context."""
    return partial(visit_at, address)
