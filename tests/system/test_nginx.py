"""The README's nginx configuration in a real nginx: the page under a path, two replicas, each visitor on one."""

import getpass
import os
import re
import shutil
import socket
import subprocess
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
import pytest
from gradio_client import Client
from playwright.sync_api import Page, expect

import lmdemo
from browsing import Visitor, assert_grows
from lmdemo.server.queue_limits import PER_ADDRESS_UNREAD
from lmdemo.ui import embed, query
from patient import post
from readme import README
from short import running_shortly
from waiting import LAST_NET, wait_until

PATH = "/demo/lm"
LONG = {"words": "1000", "variants": ",".join(lmdemo.VARIANTS)}  # a run of seconds
Open = Callable[..., Visitor]

# Around the README's file, what Debian's own nginx.conf and default site do there; and a site of somebody else's.
AROUND = """
user {user};
worker_processes 1;
pid nginx.pid;
events {{}}
http {{
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    log_format visits '$remote_addr|$cookie_lmdemo|$upstream_addr|$status|$request_uri';
    access_log access.log visits;
    gzip on;
    server {{
        listen 127.0.0.1:{port} default_server;
        return 404;
    }}
    server {{
        listen 127.0.0.1:{elsewhere};
        root pages;
        location /moved/ {{
            proxy_pass http://{replica}/;
        }}
    }}
    include lmdemo.conf;
}}
"""


@dataclass(frozen=True)
class Served:
    """A request as nginx saw it."""

    client: str  # address
    cookie: str  # - for none
    replica: str  # host:port; several after one that did not answer
    status: int
    target: str  # path and query


@dataclass(frozen=True)
class Proxy:
    """A running nginx in front of two replicas."""

    folder: Path
    outside: str  # the address of the page, without the last slash
    elsewhere: str  # of another site
    replicas: tuple[str, str]  # host:port

    def served(self) -> list[Served]:
        """Every request that has ended."""
        lines = (self.folder / "access.log").read_text().splitlines()
        fields = (line.split("|", 4) for line in lines)
        return [
            Served(client, cookie, replica, int(status), target) for client, cookie, replica, status, target in fields
        ]

    def replicas_of(self, cookie: str) -> set[str]:
        """Those that answered the requests with this cookie."""
        return {request.replica for request in self.served() if request.cookie == cookie}

    def page(self, body: str) -> str:
        """The address of a page of another site around `body`."""
        (self.folder / "pages" / "page.html").write_text(f'<!doctype html><meta charset="utf-8">{body}')
        return f"{self.elsewhere}/page.html"

    def cookie_for(self, replica: str) -> str:
        """A cookie that nginx gave and that leads to this replica."""
        for _ in range(40):
            with httpx.Client(timeout=LAST_NET, verify=False) as client:
                client.get(f"{self.outside}/")
                client.get(f"{self.outside}/theme.css")
                cookie = client.cookies["lmdemo"]
            if self.replicas_of(cookie) == {replica}:
                return cookie
        pytest.fail(f"of 40 visitors none was sent to {replica}")


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def answers(place: str) -> bool:
    """Whether somebody listens on a host:port."""
    host, port = place.split(":")
    with socket.socket() as there:
        return there.connect_ex((host, int(port))) == 0


def configuration(port: int, replicas: tuple[str, str]) -> str:
    """The README's file, at addresses that are free here."""
    (text,) = re.findall(r"```nginx\n(.*?)```", README, re.DOTALL)
    assert text.count(PATH) == 4  # the README counts them
    here = {
        "listen 80;": f"listen 127.0.0.1:{port};",
        "server_name example.org;": "server_name 127.0.0.1;",
        "server 127.0.0.1:7860;": f"server {replicas[0]};",
        "server 127.0.0.1:7861;": f"server {replicas[1]};",
    }
    for printed, ours in here.items():
        assert text.count(printed) == 1, printed
        text = text.replace(printed, ours)
    return text


@pytest.fixture(scope="module")
def other_replica() -> Iterator[tuple[psutil.Process, str]]:
    """A second app: its process, its address."""
    with running_shortly() as (process, address, _):
        yield process, address


@pytest.fixture(scope="module")
def proxy(
    address: str, other_replica: tuple[psutil.Process, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Proxy]:
    """nginx on the README's configuration, as a process of our own."""
    nginx = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if nginx is None:
        pytest.fail("There is no nginx; on Debian: apt-get install nginx-light")
    folder = tmp_path_factory.mktemp("nginx")
    (folder / "pages").mkdir()
    port, elsewhere = free_port(), free_port()
    replicas = urlsplit(address).netloc, urlsplit(other_replica[1]).netloc
    (folder / "lmdemo.conf").write_text(configuration(port, replicas))
    (folder / "nginx.conf").write_text(
        AROUND.format(user=getpass.getuser(), port=port, elsewhere=elsewhere, replica=replicas[0])
    )
    command = [nginx, "-p", folder, "-c", "nginx.conf", "-e", "error.log", "-g", "daemon off;"]
    with subprocess.Popen(command) as process:
        try:
            wait_until(lambda: answers(f"127.0.0.1:{port}") or process.poll() is not None, "nginx")
            assert process.poll() is None, (folder / "error.log").read_text()
            yield Proxy(folder, f"http://127.0.0.1:{port}{PATH}", f"http://localhost:{elsewhere}", replicas)
        finally:
            process.terminate()


def ready(page: Page) -> None:
    page.get_by_text("Computed here after the start").wait_for(timeout=LAST_NET * 1000)


def status(page: Page):  # noqa: ANN201
    return page.locator("#writing-status").get_by_role("status")


def as_browser(cookie: str, outside: str) -> dict:
    """The state of a browser that came before: for a context."""
    fields = {"name": "lmdemo", "value": cookie, "domain": urlsplit(outside).hostname, "path": f"{PATH}/"}
    return {"cookies": [fields | {"expires": -1, "httpOnly": True, "secure": False, "sameSite": "Lax"}], "origins": []}


def test_the_page_works_under_its_path_and_is_written_as_it_comes(open_page: Open, proxy: Proxy) -> None:
    asked = f"{proxy.outside}?words=400&seed=5&variants=int8"  # the last slash comes by redirection
    visitor = open_page(asked, alone=True)
    page = visitor.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    expect(page.locator("#writing-status")).to_contain_text("Filled in from the address")
    with page.expect_request(re.compile("/queue/join")) as joined:
        page.get_by_role("button", name="Write", exact=True).click()
    assert_grows(page.locator("#writing section").first)
    expect(status(page)).to_contain_text("400 places")
    page.get_by_role("button", name="Copy link to this run").click()
    expect(page.get_by_role("button", name="Copied", exact=True)).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()").startswith(f"{proxy.outside}/?tab=generate&prompt=")
    page.get_by_role("tab", name="Evaluate", exact=True).click()
    expect(page.locator("#speeds .js-plotly-plot .barlayer .trace")).to_have_count(2)
    whole = stream(proxy, joined.value.post_data_json)
    assert len(whole) > 5
    assert whole.count(True) > 0.8 * len(whole)  # held back in a buffer, few are
    (cookie,) = page.context.cookies()
    page.context.close()
    assert [request for request in visitor.requests if not request.startswith(proxy.outside)] == []
    assert visitor.errors == []
    requests = [request for request in proxy.served() if request.target.startswith(PATH)]
    assert len(requests) > 80
    assert [request for request in requests if request.status >= 400] == []
    assert len(proxy.replicas_of(cookie["value"])) == 1


def stream(proxy: Proxy, call: dict) -> list[bool]:
    """Make a page's call once more, over plain HTTP: at each pause of its stream, whether no message was cut there."""
    call |= {"session_hash": "overhttp"}
    post(f"{proxy.outside}/gradio_api/queue/join", json=call).raise_for_status()
    target = f"{proxy.outside}/gradio_api/queue/data"
    whole, last = [], (time.perf_counter(), b"\n\n")
    with httpx.stream("GET", target, params={"session_hash": call["session_hash"]}, timeout=LAST_NET) as events:
        for piece in events.iter_raw():
            now = time.perf_counter()
            if now - last[0] > 0.05:  # seconds; the page sends ten texts a second
                whole.append(last[1].endswith(b"\n\n"))
            last = now, (last[1] + piece)[-2:]
    return whole


def test_an_address_with_the_longest_prompt_arrives_whole(open_page: Open, proxy: Proxy) -> None:
    prompt = "😀" * 2000  # twelve characters each in an address
    page = open_page(query.join(f"{proxy.outside}/", {"prompt": prompt, "words": "5", "run": "1"})).page
    expect(status(page)).to_contain_text("5 places")
    assert page.get_by_role("textbox", name="Prompt").input_value() == prompt


def test_a_page_that_a_proxy_moved_without_a_word_says_what_the_proxy_must_send(open_page: Open, proxy: Proxy) -> None:
    page = open_page(f"{proxy.elsewhere}/moved/").page
    host = urlsplit(proxy.elsewhere).netloc
    expect(page.get_by_role("alert")).to_contain_text(
        f"must send, with every request, the header X-Forwarded-Host: {host}/moved"
    )


@pytest.mark.parametrize("frame", [True, False])
def test_another_site_embeds_it(open_page: Open, proxy: Proxy, frame: bool) -> None:
    query = {"tab": "generate", "seed": "5", "run": "1", "words": "400"}
    url = proxy.page(embed.snippet(f"{proxy.outside}/", query, frame, ""))
    visitor = open_page(url)
    shown = visitor.page.frame_locator("iframe") if frame else visitor.page
    assert_grows(shown.locator("#writing section").first, 4)
    expect(shown.locator("#writing-status .under-way")).to_have_count(0)
    expect(shown.locator("#writing-status").get_by_role("status")).to_contain_text("places.")
    assert visitor.page.context.cookies() == []  # it is held by its address
    assert [request for request in visitor.requests if not request.startswith((url, proxy.outside))] == []
    assert visitor.errors == []


def test_two_sets_of_visitors_write_at_the_same_time(open_page: Open, proxy: Proxy) -> None:
    cookies = [proxy.cookie_for(replica) for replica in proxy.replicas]
    pages = []
    for cookie in cookies:
        whose = {"storage_state": as_browser(cookie, proxy.outside)}
        ready(open_page(f"{proxy.outside}/", **whose).page)  # what a replica computes after its start is done
        page = open_page(query.join(f"{proxy.outside}/", LONG), **whose).page
        expect(page.locator("#writing-status")).to_contain_text("Filled in from the address")
        pages.append(page)
    for page in pages:
        page.get_by_role("button", name="Write", exact=True).click()
    for page in pages:
        expect(page.locator("#writing-status .under-way")).to_be_visible()
    assert pages[0].locator("#writing-status .under-way").count() == 1  # still
    for page in pages:
        assert_grows(page.locator("#writing section").first)
    for page in pages:
        page.get_by_role("button", name="Stop", exact=True).click()
        expect(status(page)).to_contain_text("Stopped.")
        page.context.close()
    assert [proxy.replicas_of(cookie) for cookie in cookies] == [{replica} for replica in proxy.replicas]


def call(client: httpx.Client, proxy: Proxy, name: str, *data: object) -> str:
    """An endpoint in two requests, as with curl: the last event."""
    started = client.post(f"{proxy.outside}/gradio_api/call/{name}", json={"data": data})
    started.raise_for_status()
    return client.get(f"{proxy.outside}/gradio_api/call/{name}/{started.json()['event_id']}", timeout=LAST_NET).text


def test_programs_are_answered_wherever_they_call_from(proxy: Proxy) -> None:
    addresses = [f"127.0.0.{number}" for number in range(2, 26)]
    for address in addresses:
        with httpx.Client(transport=httpx.HTTPTransport(local_address=address), timeout=LAST_NET) as client:
            assert "event: complete" in call(client, proxy, "sizes")
            assert not client.cookies
    met = defaultdict(set)
    for request in proxy.served():
        met[request.client].add(request.replica)
    assert all(len(met[address]) == 1 for address in addresses)
    assert set().union(*(met[address] for address in addresses)) == set(proxy.replicas)


def test_python_clients_are_spread_and_answered(proxy: Proxy) -> None:
    for _ in range(3):
        client = Client(f"{proxy.outside}/", verbose=False, httpx_kwargs={"timeout": LAST_NET})
        assert len(client.predict("It was", 5, 1.0, 0, 1, api_name="/generate")["int8"]["words"]) == 5
        assert client.src.rstrip("/") == proxy.outside
        assert len(proxy.replicas_of(client.cookies["lmdemo"])) == 1
        client.close()


def test_runs_are_counted_by_the_visitors_own_address(proxy: Proxy) -> None:
    cookie = {"lmdemo": proxy.cookie_for(proxy.replicas[0])}
    crowd, another = (
        httpx.Client(transport=httpx.HTTPTransport(local_address=address), cookies=cookie, timeout=LAST_NET)
        for address in ("127.0.0.2", "127.0.0.3")
    )
    target = f"{proxy.outside}/gradio_api/call/generate"
    with crowd, another:
        # the first takes long enough for the others to wait behind it
        answers = [
            crowd.post(target, json={"data": ["", words, 1.0, 0, 1]}) for words in (1000, *[1] * PER_ADDRESS_UNREAD)
        ]
        assert [answer.status_code for answer in answers] == [200] * PER_ADDRESS_UNREAD + [429]
        assert "event: complete" in call(another, proxy, "generate", "", 1, 1.0, 0, 1)


def test_when_a_replica_ends_its_visitors_go_to_the_other(
    open_page: Open, proxy: Proxy, other_replica: tuple[psutil.Process, str]
) -> None:
    left, gone = proxy.replicas
    cookie = proxy.cookie_for(gone)
    idle, writing = (
        open_page(address, storage_state=as_browser(cookie, proxy.outside)).page
        for address in (f"{proxy.outside}/", query.join(f"{proxy.outside}/", LONG))
    )
    ready(idle)
    expect(writing.locator("#writing-status")).to_contain_text("Filled in from the address")
    writing.get_by_role("button", name="Write", exact=True).click()
    expect(writing.locator("#writing-status .under-way")).to_be_visible()
    process, _ = other_replica
    process.kill()
    wait_until(lambda: not answers(gone), "the end of a replica")
    idle.get_by_role("button", name="Write", exact=True).click()  # as if nothing had been
    expect(status(idle)).to_contain_text(re.compile(r"int8 chose another word at (\d+|none) of 80 places\."))
    expect(status(idle)).not_to_contain_text("Computed here after the start")
    # what was running is lost: the page says so, loads anew, and begins again elsewhere
    writing.wait_for_function("performance.getEntriesByType('navigation')[0].type === 'reload'")
    expect(writing.locator("#writing-status")).to_contain_text("so far")
    idle.reload()
    ready(idle)
    for page in (idle, writing):
        page.context.close()
    assert proxy.served()[-1].replica == left
