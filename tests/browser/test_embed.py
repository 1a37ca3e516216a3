"""The page on somebody else's page, from another origin: in a frame and as a web component."""

import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import create_server
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import FrameLocator, Page, Route, expect

from browsing import SETTINGS, SIZE_ROWS, Visitor, assert_grows, at_rest, is_light, look_until, open_tab, unfold
from lmdemo.bench import ROOT
from lmdemo.ui import embed, query

RUN = {"tab": "generate", "prompt": "The captain", "words": "150", "seed": "5", "variants": "int8", "run": "1"}
EXAMPLE = ROOT / "assets" / "embed.html"
WAYS = {"frame": True, "component": False}
Open = Callable[..., Visitor]
Inside = Page | FrameLocator


class Host(ThreadingHTTPServer):
    """Another origin, with pages of its own."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.pages: list[str] = []

    def page(self, body: str) -> str:
        """The address of a page around `body`; of `body` itself, if it is a page."""
        head = '<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        self.pages.append(body if body.startswith("<!doctype") else head + "<h1>Elsewhere</h1>" + body)
        return f"http://localhost:{self.server_port}/{len(self.pages) - 1}"


class _Handler(BaseHTTPRequestHandler):
    server: Host

    def do_GET(self) -> None:
        number = self.path.strip("/").partition("?")[0]
        found = number.isdigit()
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(self.server.pages[int(number)].encode() if found else b"")

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with Host() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def inside(page: Page, way: str) -> Inside:
    return page.frame_locator("iframe") if way == "frame" else page


def frame_heights(page: Page) -> list[int]:
    """Of the frame on its page, and of what is in it; as tall as each other, nothing scrolls."""
    content = page.frames[1].evaluate("document.documentElement.scrollHeight")
    return [round(page.locator("iframe").bounding_box()["height"]), content]


def assert_follows(page: Page) -> int:
    """The frame comes to be as tall as what it holds; how tall."""

    def follows() -> bool:
        frame, content = frame_heights(page)
        return frame == content > 0

    look_until(page, follows, "a frame as tall as its content")
    return frame_heights(page)[0]


@pytest.mark.parametrize(("way", "width", "dark"), [("frame", 390, False), ("component", 1280, True)])
def test_it_streams_from_another_origin(
    host: Host, open_page: Open, address: str, way: str, width: int, dark: bool
) -> None:
    theme = "dark" if dark else "light"
    url = host.page(embed.snippet(f"{address}/", RUN, WAYS[way], theme))
    visitor = open_page(url, width, not dark)  # the snippet's theme is against the reader's system
    page, shown = visitor.page, inside(visitor.page, way)
    assert_grows(shown.locator("#writing section").first)
    expect(shown.locator("#writing-status").get_by_role("status")).to_contain_text("150 places")
    expect(page.get_by_role("link", name=embed.TITLE)).to_have_count(0)  # hidden, or gone
    for part in (".top", ".tiles", ".facts", "footer"):
        expect(shown.locator(f"{part} >> visible=true")).to_have_count(0)
    assert is_light(shown.locator("#writing")) == dark
    for name in ("Size", "Evaluate", "About", "Generate") if way == "frame" else ("Evaluate",):
        open_tab(page, name, shown)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        if way == "frame":
            assert_follows(page)
    hosts = {urlsplit(request).netloc for request in visitor.requests if request.startswith("http")}
    assert hosts == {urlsplit(url).netloc, urlsplit(address).netloc}
    assert visitor.errors == []


# An exhibit, and what is drawn of it.
EXHIBITS = {"tiles": ".tile", "texts": "#writing section", "size": "#size-bars .point", "evaluate": "#ship .answer"}
ELSEWHERE = (".top", ".facts", "footer", ".asking", "#settings", "#sizes", "#results", "[role=tab]", "button.stop")
ELSEWHERE += ("#bits-writing section",)  # an exhibit too: test_bits.py


def assert_stands_alone(shown: Inside, drawn: str, source: str | re.Pattern[str]) -> None:
    """Of the page there is one exhibit, and a link to its tab."""
    expect(shown.locator(drawn).first).to_be_visible()
    for other in {*EXHIBITS.values(), *ELSEWHERE} - {drawn}:
        expect(shown.locator(f"{other} >> visible=true"), f"{other} beside {drawn}").to_have_count(0)
    link = shown.locator(".attribution").get_by_role("link")
    expect(link).to_be_visible()
    expect(link).to_have_attribute("href", source)


def test_an_exhibit_stands_alone_and_says_where_it_is_from(host: Host, open_page: Open, address: str) -> None:
    asked = {view: {"tab": tab} for view, tab in query.VIEWS.items()}
    visitor = open_page(
        host.page("".join(embed.snippet(f"{address}/", asked[view], True, "", view) for view in EXHIBITS)), 390
    )
    page = visitor.page
    page.set_viewport_size({"width": 390, "height": 3000})  # a browser does not draw frames that are out of sight
    for number, (view, drawn) in enumerate(EXHIBITS.items()):
        shown = page.locator("iframe").nth(number).content_frame
        assert_stands_alone(shown, drawn, f"{address}/?tab={query.VIEWS[view]}")
    at_rest(page)
    for frame in page.frames:
        assert frame.evaluate("document.documentElement.scrollWidth <= innerWidth")
    with page.expect_popup() as opened:  # a tile leads to the whole page, in a tab of its own
        page.locator("iframe").first.content_frame.locator(".tile").first.click()
    expect(opened.value).to_have_url(f"{address}/?tab=size")
    assert visitor.errors == []


@pytest.mark.parametrize("way", WAYS)
def test_where_the_app_cannot_be_reached_a_link_stays(host: Host, open_page: Open, way: str) -> None:
    with create_server(("127.0.0.1", 0)) as nobody:
        address = f"http://127.0.0.1:{nobody.getsockname()[1]}/"
    page = open_page(host.page(embed.snippet(address, {"tab": "size"}, WAYS[way], ""))).page
    at_rest(page)
    link = page.get_by_role("link", name=embed.TITLE)
    expect(link).to_be_visible()
    expect(link).to_have_attribute("href", f"{address}?tab=size")
    assert page.evaluate("document.documentElement.scrollHeight <= innerHeight")
    if way == "frame":
        assert page.locator("iframe").bounding_box()["height"] == 0


def test_two_components_on_a_page_each_keep_their_address(host: Host, open_page: Open, address: str) -> None:
    parts = (embed.snippet(f"{address}/", {"tab": name}, False, "") for name in ("size", "about"))
    page = open_page(host.page("".join(parts)) + "?tab=evaluate").page
    for number, name in enumerate(("Size", "About")):
        tab = page.locator("gradio-app").nth(number).get_by_role("tab", selected=True)
        expect(tab).to_have_text(name)


def assert_comes_to_rest(page: Page) -> None:
    """The frame's height follows what is in it, up and down, and comes to rest."""
    fold = inside(page, "frame").get_by_role("button", name=SETTINGS)
    folded = assert_follows(page)
    fold.click()
    look_until(page, lambda: frame_heights(page)[0] > folded, "a frame that grew")
    assert_follows(page)
    fold.click()
    look_until(page, lambda: frame_heights(page) == [folded, folded], "a frame as it was")
    at_rest(page, 120)
    assert frame_heights(page) == [folded, folded]


def assert_follow_the_system(page: Page) -> None:
    """The frame and the component are dark where the reader's system is, and light where it is."""
    texts = [inside(page, way).locator(".status >> visible=true").first for way in WAYS]
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme=scheme)
        look_until(page, lambda dark=scheme == "dark": [is_light(text) for text in texts] == [dark, dark], scheme)


def test_the_example_page_is_whole_and_follows_its_reader(host: Host, open_page: Open, address: str) -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    assert text.count("http") == 1  # the app is named in one place
    url = host.page(text.replace("http://127.0.0.1:7860/", f"{address}/"))
    visitor = open_page(url, 390)
    page = visitor.page
    expect(page.frame_locator("iframe").locator("#writing-status")).to_contain_text("60 places")
    expect(page.locator("gradio-app #sizes tbody tr")).to_have_count(SIZE_ROWS)
    expect(page.get_by_role("link", name=embed.TITLE)).to_have_count(0)
    assert_comes_to_rest(page)
    assert_follow_the_system(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    hosts = {urlsplit(request).netloc for request in visitor.requests if request.startswith("http")}
    assert hosts == {urlsplit(url).netloc, urlsplit(address).netloc}
    assert visitor.errors == []


def test_the_example_page_holds_what_the_builder_writes() -> None:
    def squeezed(html: str) -> str:
        return re.sub(r"\s+", "", html)

    text = squeezed(EXAMPLE.read_text(encoding="utf-8")).replace("gradio.js", "/gradio.js")
    asked = {"tab": "generate", "prompt": "The old house by the river", "words": "60", "seed": "3", "run": "1"}
    assert squeezed(embed.snippet("", asked, True, "")) in text
    assert squeezed(embed.snippet("", {"tab": "size"}, False, "")) in text


def test_the_builder_writes_what_is_set_and_says_what_is_wrong_with_it(open_page: Open, address: str) -> None:
    page = open_page(f"{address}/?tab=generate&prompt=%3Cb%3E+%22quoted%22&words=12&seed=8&variants=int8").page
    expect(page.locator("#writing-status")).to_contain_text("Filled in from the address")
    page.get_by_role("tab", name="About", exact=True).click()
    written = page.locator("#snippet .cm-content")
    expect(written).to_contain_text(f'<iframe src="{address}/?view=texts&amp;prompt=%3Cb%3E%20%22quoted')
    page.get_by_role("radio", name="web component").check()
    held: list[Route] = []
    page.route("**/run/**", lambda route: held.append(route), times=1)
    with page.expect_request("**/run/**"):
        page.get_by_role("radio", name="dark", exact=True).check()
    page.get_by_role("radio", name="All tabs").check()  # before the choice of dark is answered
    held.pop().continue_()
    expect(written).to_contain_text('run=1" theme_mode="dark"')
    code = written.inner_text()
    asked = {"tab": "generate", "prompt": '<b> "quoted"', "words": "12", "temperature": "1", "top_k": "0", "seed": "8"}
    asked |= {"variants": "int8", "run": "1"}
    assert code.split() == embed.snippet(f"{address}/", asked, False, "dark").split()
    page.get_by_role("tab", name="Generate", exact=True).click()
    unfold(page)
    seed = page.get_by_role("spinbutton", name=re.compile("Seed"))
    seed.fill("-1")
    seed.press("Tab")
    page.get_by_role("tab", name="About", exact=True).click()
    expect(page.get_by_role("alert").locator("visible=true")).to_contain_text("Seed must be a whole number")


def test_the_default_snippet_shows_what_the_page_shows(host: Host, open_page: Open, address: str) -> None:
    page = open_page(f"{address}/?tab=about").page  # the builder is there before the example is
    texts = page.locator("#writing section")
    page.get_by_role("tab", name="Generate", exact=True).click()
    expect(texts).to_have_count(2)
    note = page.locator("#writing-status .note")
    expect(note).to_contain_text("Computed here after the start")
    shown, said = texts.all_inner_texts(), note.inner_text()
    page.get_by_role("tab", name="About", exact=True).click()
    written = page.locator("#snippet .cm-content")
    number = re.search(r"[Ss]eed (\d+)", said)[1]
    expect(written).to_contain_text(f"&amp;seed={number}&amp;")
    elsewhere = open_page(host.page(written.inner_text())).page
    expect(inside(elsewhere, "frame").locator("#writing section")).to_have_text(shown, use_inner_text=True)
