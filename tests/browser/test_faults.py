"""Whatever the Hub does, the page is there at once, writes, and says what happened in one sentence.

The real app in a process of its own, the real client in it, a Hub on loopback that hangs for as long as a test says, a
real browser. What each fault is told as stands in test_hub.py and test_service.py, a full disk in test_full_disk.py;
here is what a page does meanwhile and at the end.
"""

import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import hf_hub_download
from playwright.sync_api import Page, expect

from browsing import Visitor, unfold
from lmdemo.bench import ROOT
from lmdemo.prompts import EXAMPLES
from local_hub import LONGEST, Fault, LocalHub
from pulled import large_checkpoint, small_checkpoint
from short import running_shortly

VisitAt = Callable[..., Visitor]
BUNDLED = "This page runs on the checkpoint bundled with it. Asked for by LMDEMO_MODEL."
CACHED = "The copy of it that is cached here is used."
# the client waits for as long as the Hub hangs
PATIENT = {"HF_HUB_ETAG_TIMEOUT": str(LONGEST), "HF_HUB_DOWNLOAD_TIMEOUT": str(LONGEST)}


@dataclass(frozen=True)
class App:
    """A running app, the model that was asked of it, and where it logs and caches."""

    address: str
    name: str
    log: Path
    home: Path


@contextmanager
def asking(hub: LocalHub, home: Path, name: str, endpoint: str = "") -> Iterator[App]:
    """The app, asking the Hub, or who is at `endpoint`, for a model."""
    environment = {"LMDEMO_MODEL": name, "HF_HOME": str(home), "HF_ENDPOINT": endpoint or hub.url} | PATIENT
    log = home.with_suffix(".log")
    with running_shortly(log=log, **environment) as (_, address, _):
        yield App(address, name, log, home)


def write(page: Page, prompt: str) -> None:
    """Write from `prompt`, to the end."""
    page.get_by_role("textbox", name="Prompt").fill(prompt)
    page.get_by_role("button", name="Write", exact=True).click()
    expect(page.locator("#writing .prompt").first).to_have_text(prompt)
    expect(page.locator("#writing-status").get_by_role("status")).to_contain_text(
        re.compile(r"chose another word at (\d+|none) of 80 places\.")
    )


def assert_discreet(page: Page, app: App) -> None:
    """Nothing that only the server's owner should see, and nothing that went wrong unnoticed."""
    shown = page.content()
    assert not [text for text in ("Traceback", str(app.home), str(ROOT), str(Path.home())) if text in shown]
    assert "Traceback" not in app.log.read_text(encoding="utf-8")


def test_a_page_writes_while_the_hub_hangs_and_is_told_how_it_ended(
    hub: LocalHub, tmp_path: Path, name: str, visit_at: VisitAt
) -> None:
    hub.put(name, small_checkpoint(tmp_path / "model"))
    hub.faults[name] = Fault(hang="info")
    with asking(hub, tmp_path / "home", name) as app:
        page = visit_at(app.address).page
        line = page.locator("#pull")
        asked = f"Asking the Hub for {name} … Until then this page runs on the checkpoint bundled with it."
        expect(line).to_contain_text(asked)
        write(page, "The captain")
        expect(line).to_contain_text(asked)
        hub.go_on(name, Fault(hang="file", half=True))
        expect(line).to_contain_text(f"Pulling {name} from the Hub: 0.0 of 0.3 MB.")
        hub.release()
        expect(line).to_contain_text(f"Could not pull {name}: the Hub broke the connection off.")
        expect(line).to_contain_text(BUNDLED)
        expect(line.get_by_role("progressbar")).to_have_count(0)
        expect(page.locator(".facts")).to_contain_text("checkpoint bundled")
        write(page, "It was")
        assert_discreet(page, app)


def test_a_warm_cache_serves_while_the_hub_is_down(hub: LocalHub, tmp_path: Path, name: str, visit_at: VisitAt) -> None:
    folder, home = small_checkpoint(tmp_path / "model"), tmp_path / "home"
    hub.put(name, folder)
    for file in folder.iterdir():
        hf_hub_download(name, file.name, cache_dir=home / "hub")
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound and not listening: nobody else listens there either
        with asking(hub, home, name, f"http://127.0.0.1:{nobody.getsockname()[1]}") as app:
            page = visit_at(app.address).page
            expect(page.locator("#pull")).to_contain_text("the Hub could not be reached.")
            expect(page.locator("#pull")).to_contain_text(CACHED)
            expect(page.locator(".facts")).to_contain_text(f"checkpoint {name} at")
            write(page, "zz1 zz2")
            assert_discreet(page, app)


def test_a_pull_is_shown_as_it_comes_and_ends_in_a_switch_that_changes_no_run(
    hub: LocalHub, tmp_path: Path, name: str, visit_at: VisitAt
) -> None:
    hub.put(name, large_checkpoint(tmp_path / "model"))
    hub.faults[name] = Fault(hang="file", given=12_000_000)
    with asking(hub, tmp_path / "home", name) as app:
        page = visit_at(app.address).page
        line = page.locator("#pull")
        expect(line).to_contain_text(f"Pulling {name} from the Hub: 10.5 of 13.3 MB.")
        assert float(line.get_by_role("progressbar").get_attribute("value")) > 10e6
        write(page, "It was")
        unfold(page)
        words = page.get_by_role("spinbutton", name="Words")
        words.fill("400")
        words.press("Tab")
        page.get_by_role("button", name="Write", exact=True).click()
        expect(page.locator("#writing-status .under-way")).to_be_visible()
        hub.release()
        expect(line).to_contain_text(f"This page now runs on {name} at")
        expect(page.locator(".facts")).to_contain_text(f"checkpoint {name} at")
        # the prompts to try are the new model's; what a visitor typed stays
        expect(page.get_by_role("button", name="zz1 zz2 zz3 zz4")).to_be_visible()
        expect(page.get_by_role("button", name=EXAMPLES[1])).to_have_count(0)
        expect(page.get_by_role("textbox", name="Prompt")).to_have_value("It was")
        # on a busy machine the switch may come at the run's end; test_service.py has it within one, whatever the clock
        expect(page.locator("#writing-status .under-way")).to_have_count(0)
        assert not re.search(r"zz\d", page.locator("#writing").inner_text())  # of the new one's words none
        words.fill("80")
        words.press("Tab")
        write(page, "zz1 zz2")
        assert re.search(r"zz\d", page.locator("#writing section > p").last.inner_text().split("zz2", 1)[1])
        assert_discreet(page, app)
