"""The app is killed at work with a page open, started again on the same port, and stopped: what a visitor sees."""

import re
import signal
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from gradio_client import Client
from playwright.sync_api import expect

from browsing import Visitor
from local_hub import LONGEST, Fault, LocalHub
from logged import beside_jobs
from patient import post
from pulled import large_checkpoint
from short import running_shortly
from waiting import LAST_NET

LOST = "Connection to the server was lost. Attempting reconnection..."  # Gradio's own words
ENDED = "The app was stopped before this run was done; try again in a minute."


def test_a_page_that_was_open_survives_a_kill_in_a_pull_and_is_told_of_a_stop(
    hub: LocalHub, tmp_path: Path, name: str, visit_at: Callable[..., Visitor]
) -> None:
    hub.put(name, large_checkpoint(tmp_path / "model"))
    hub.faults[name] = Fault(hang="file", given=12_000_000)
    home, log = tmp_path / "home", tmp_path / "log"
    environment = {"LMDEMO_MODEL": name, "HF_HOME": str(home), "HF_ENDPOINT": hub.url}
    patient = {"HF_HUB_DOWNLOAD_TIMEOUT": str(LONGEST)}  # the client waits for as long as the Hub hangs

    with running_shortly(**environment | patient) as (app, address, _):
        page = visit_at(address).page
        for seed in range(5):  # under load
            data = ["It was", 1000, 1.0, 0, seed]
            post(f"{address}/gradio_api/call/generate", json={"data": data}).raise_for_status()
        expect(page.locator("#pull")).to_contain_text("10.5 of 13.3 MB")
        page.get_by_role("button", name="Watch it").click()
        expect(page.locator("#writing-status .under-way")).to_be_visible()
        app.kill()
        app.wait(timeout=LAST_NET)
        # nothing looks as if it were still being written
        expect(page.locator("#writing-status").get_by_role("alert")).to_contain_text("Broken off")
        expect(page.locator("#writing .broken section")).to_have_count(2)
        expect(page.locator(".under-way")).to_have_count(0)
        expect(page.get_by_test_id("toast-body")).to_contain_text(LOST)
        expect(page.locator("#writing")).to_contain_text("It was a cold night")  # what it showed stays
    (half,) = home.rglob("*.incomplete")
    assert half.stat().st_size > 10e6

    hub.calm()
    with running_shortly(log=log, port=urlsplit(address).port, **environment) as (app, _, _):
        client = Client(address, verbose=False, httpx_kwargs={"timeout": LAST_NET})
        assert len(client.predict("It was", 5, api_name="/generate")["int8"]["words"]) == 5
        client.close()
        # by itself, the page connects again and draws what is there now
        expect(page.get_by_test_id("toast-body")).to_have_count(0)
        expect(page.locator(".facts")).to_contain_text(f"checkpoint {name} at")
        status = page.locator("#writing-status").get_by_role("status")
        page.get_by_role("textbox", name="Prompt").fill("zz1 zz2")
        page.get_by_role("button", name="Write", exact=True).click()
        expect(page.locator("#writing .prompt").first).to_have_text("zz1 zz2")
        expect(status).to_contain_text(re.compile(r"chose another word at (\d+|none) of 80 places\."))
        page.get_by_role("button", name="Watch it").click()
        expect(status).to_contain_text("on the clock")
        app.send_signal(signal.SIGTERM)
        page.get_by_text(ENDED).wait_for()
        assert app.wait(timeout=LAST_NET) == 0
    assert beside_jobs(log) == []
