"""The app in documentation: the README's recipes, built by Sphinx and MkDocs and served from another origin."""

import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import create_server
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, FrameLocator, Page, expect
from test_embed import assert_follows

from browsing import CHROMIUM, FLAGS, SIZE_ROWS, Visitor, assert_legible, at_rest, is_light, look_until
from lmdemo.prompts import EXAMPLES
from lmdemo.ui.embed import TITLE
from readme import PRINTED_ADDRESS, block
from waiting import LAST_NET

TEXT = {"before": "What stands before it.", "after": "What stands after it."}
# What the themes need themselves; MkDocs's has a script within its pages.
POLICIES = {"sphinx": "default-src 'self'", "mkdocs": "default-src 'self'; script-src 'self' 'unsafe-inline'"}
# MkDocs's theme takes its colours for code from a third host, unless told not to.
QUIET = "theme: {name: mkdocs, highlightjs: false}\n"
SWITCHED = "theme: {name: mkdocs, color_mode: auto, user_color_mode_toggle: true}\nextra_css: [light.css]\n"
LAYOUT = """() => {
  const boxes = [...document.querySelectorAll("h1, p")].filter((element) => !element.querySelector("a"));
  const body = getComputedStyle(document.body);
  return [body.margin, body.padding, body.lineHeight, ...boxes.map((element) => {
    const {left, width, height} = element.getBoundingClientRect(), {font, color} = getComputedStyle(element);
    return {text: element.textContent, left, width, height, font, color};
  })];
}"""
BACKGROUNDS = """() => [document.body, document.querySelector("gradio-app")]
  .map((element) => getComputedStyle(element).backgroundColor)"""
Open = Callable[..., Visitor]


class Site(ThreadingHTTPServer):
    """What a builder wrote, at an origin of its own; a page asked for with `?strict` comes under a content policy."""

    def __init__(self, folder: Path, policy: str) -> None:
        super().__init__(("127.0.0.1", 0), partial(_Handler, directory=str(folder)))
        self.folder, self.policy = folder, policy

    def page(self, name: str) -> str:
        return f"http://localhost:{self.server_port}/{name}.html"


class _Handler(SimpleHTTPRequestHandler):
    server: Site

    def end_headers(self) -> None:
        if self.path.endswith("?strict"):
            self.send_header("Content-Security-Policy", self.server.policy)
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


def sphinx(project: Path, bodies: dict[str, str]) -> None:
    (project / "_static").mkdir()
    (project / "_static" / "lmdemo.js").write_text(block("js", "lmdemo"))
    (project / "conf.py").write_text('project = "Docs"\n' + block("python", "html_js_files"))
    for name, body in bodies.items():
        if body.startswith("<"):
            body = ".. raw:: html\n\n" + re.sub("^", "   ", body, flags=re.MULTILINE)
        pages = "\n.. toctree::\n   :glob:\n\n   [!i]*\n" if name == "index" else ""
        text = f"Eight bits\n==========\n\n{TEXT['before']}\n\n{body}\n\n{TEXT['after']}\n{pages}"
        (project / f"{name}.rst").write_text(text)
    run("sphinx", "-W", "--keep-going", "-b", "html", str(project), str(project / "site"))


def mkdocs(project: Path, bodies: dict[str, str], theme: str = QUIET) -> None:
    (project / "docs").mkdir()
    (project / "docs" / "lmdemo.js").write_text(block("js", "lmdemo"))
    (project / "docs" / "light.css").write_text(block("css", "color-scheme"))
    own = f"site_name: Docs\nuse_directory_urls: false\n{theme}"
    (project / "mkdocs.yml").write_text(own + block("yaml", "extra_javascript"))
    for name, body in bodies.items():
        text = f"# Eight bits\n\n{TEXT['before']}\n\n{body}\n\n{TEXT['after']}\n"
        (project / "docs" / f"{name}.md").write_text(text)
    run("mkdocs", "build", "--strict", "--config-file", str(project / "mkdocs.yml"))


def run(*module: str) -> None:
    done = subprocess.run([sys.executable, "-m", *module], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def served(folder: Path, policy: str = "") -> Iterator[Site]:
    with Site(folder, policy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def nobody() -> str:
    """An address that nothing answers."""
    with create_server(("127.0.0.1", 0)) as closed:
        return f"http://127.0.0.1:{closed.getsockname()[1]}"


@pytest.fixture(scope="module", params=["sphinx", "mkdocs"])
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, address: str, nobody: str
) -> Iterator[Site]:
    """The recipe with the app behind it, with nobody, and the builder's snippet as it is."""
    builder: str = request.param
    recipe = block(*{"sphinx": ("rst", "rst-class"), "mkdocs": ("md", TITLE)}[builder])
    bodies = {
        "index": recipe.replace(PRINTED_ADDRESS, address),
        "gone": recipe.replace(PRINTED_ADDRESS, nobody),
        "pasted": block("html", "<iframe").replace(PRINTED_ADDRESS, address),
    }
    project = tmp_path_factory.mktemp(builder)
    {"sphinx": sphinx, "mkdocs": mkdocs}[builder](project, bodies)
    yield from served(project / "site", f"{POLICIES[builder]}; frame-src {address}")


def assert_fits(page: Page) -> None:
    """Nothing scrolls but the page itself, and that not sideways."""
    assert_follows(page)
    for frame in page.frames:
        assert frame.evaluate("document.documentElement.scrollWidth <= innerWidth")


def is_dark(inside: FrameLocator) -> bool:
    return is_light(inside.locator(".status >> visible=true").first)


@pytest.mark.parametrize(("site", "width", "dark"), [("sphinx", 1280, True), ("mkdocs", 390, False)], indirect=["site"])
def test_the_app_works_on_a_page_of_documentation(
    site: Site, open_page: Open, address: str, width: int, dark: bool
) -> None:
    visitor = open_page(f"{site.page('index')}?strict", width, dark)
    page, app = visitor.page, visitor.page.frame_locator("iframe")
    expect(app.locator("#sizes tbody tr")).to_have_count(SIZE_ROWS)
    expect(app.locator("#size-bars .bars .point")).to_have_count(3 * SIZE_ROWS)  # modules
    assert_legible(page.frames[1], "size-bars")
    expect(page.get_by_role("link", name=TITLE)).to_be_hidden()
    assert_fits(page)
    assert not is_dark(app)  # the themes' pages are not, whatever the reader's system
    assert page.frames[1].evaluate(BACKGROUNDS) == ["rgb(255, 255, 255)"] * 2
    if width == 1280:
        assert page.frames[1].locator("#sizes .table").evaluate("table => table.scrollWidth <= table.clientWidth")
    app.get_by_role("tab", name="Generate", exact=True).click()
    app.get_by_role("button", name=EXAMPLES[1]).click()
    expect(app.locator("#writing .prompt")).to_have_text([EXAMPLES[1]] * 2)
    expect(app.locator("#writing-status").get_by_role("status")).to_contain_text("80 places")
    assert_fits(page)
    tops = {text.bounding_box()["y"] for text in app.locator("#writing section").all()}
    assert len(tops) == (1 if width == 1280 else 2)  # side by side where there is room
    with_it = page.evaluate(LAYOUT)
    hosts = {urlsplit(request).netloc for request in visitor.requests if request.startswith("http")}
    assert hosts == {urlsplit(site.page("")).netloc, urlsplit(address).netloc}
    assert visitor.errors == []
    assert with_it == open_page(site.page("gone"), width, dark).page.evaluate(LAYOUT)


def test_without_the_app_a_plain_link_is_left(site: Site, open_page: Open, nobody: str) -> None:
    visitor = open_page(site.page("gone"), 390)
    at_rest(visitor.page)
    link = visitor.page.get_by_role("link", name=TITLE)
    expect(link).to_be_visible()
    expect(link).to_have_attribute("href", f"{nobody}/?tab=size&__theme=light")
    assert visitor.page.locator("iframe").bounding_box()["height"] == 0
    assert visitor.errors == []


def test_the_builders_snippet_comes_through_as_it_is_pasted(site: Site, address: str) -> None:
    def squeezed(html: str) -> str:
        return re.sub(r"\s+", "", html)

    pasted = block("html", "<iframe").replace(PRINTED_ADDRESS, address)
    assert squeezed(pasted) in squeezed((site.folder / "pasted.html").read_text(encoding="utf-8"))


@pytest.mark.parametrize("site", ["mkdocs"], indirect=True)
def test_the_builders_snippet_works_as_it_is_pasted(site: Site, open_page: Open) -> None:
    page = open_page(site.page("pasted"), 390).page
    expect(page.frame_locator("iframe").locator("#sizes tbody tr")).to_have_count(SIZE_ROWS)
    expect(page.get_by_role("link", name=TITLE)).to_be_hidden()
    assert_fits(page)


def test_a_search_finds_the_words_of_the_link(site: Site) -> None:
    (index,) = [*site.folder.glob("searchindex.js"), *site.folder.glob("search/search_index.json")]
    assert "lmdemo" in index.read_text(encoding="utf-8")


@pytest.fixture
def dark_reader(browser: Browser) -> Iterator[Page]:
    """A page of a reader whose system is dark in earnest: an emulated one overrides what a page says to its frames."""
    flags = [*FLAGS.split(), "--blink-settings=preferredColorScheme=0"]
    dark = browser.browser_type.launch(executable_path=CHROMIUM, args=flags, timeout=LAST_NET * 1000)
    page = dark.new_context(color_scheme="null").new_page()
    page.set_default_timeout(LAST_NET * 1000)
    yield page
    dark.close()


def test_the_app_follows_the_switch_of_the_theme(tmp_path: Path, address: str, dark_reader: Page) -> None:
    recipe = block("md", TITLE).replace(PRINTED_ADDRESS, address)
    mkdocs(tmp_path, {"index": recipe.replace("&__theme=light", "")}, SWITCHED)
    dark_reader.route(re.compile("^https://cdnjs"), lambda route: route.abort())  # the colours for code
    for site in served(tmp_path / "site"):
        dark_reader.goto(site.page("index"))
        app = dark_reader.frame_locator("iframe")
        expect(app.locator("#sizes tbody tr")).to_have_count(SIZE_ROWS)
        for name in ("light", "dark", "light", "auto"):
            dark_reader.locator("#theme-menu").click()
            dark_reader.get_by_role("button", name=re.compile(name, re.IGNORECASE)).click()
            look_until(dark_reader, lambda app=app, dark=name != "light": is_dark(app) == dark, name)
