"""The script that follows a run's line, on a page of its own: lines come and go as Gradio draws them."""

import pytest
from playwright.sync_api import Browser

from lmdemo.bench import ROOT

PAGE = """<div role="tabpanel"><div class="block" id="line"><div class="wrap full"></div><div id="said"></div></div>
<div><button class="start">Write</button><button class="stop">Stop</button></div></div>"""
# What a visitor and Gradio do, one after another; in between the script has seen what changed.
ACTS = """async (acts) => {
  const [said, sign, stop] = ["#said", ".wrap", ".stop"].map((part) => document.querySelector(part));
  const line = (words) => { said.innerHTML = `<p class="status"><span class="said">${words}</span></p>`; };
  const props = {};
  lmdemo.followRun(said, props, () => {}, false);
  const known = {
    begins: () => { sign.className = "wrap full"; },
    queued: () => { sign.innerHTML = "<p class=progress-text>queue: 2/2</p>"; },
    "goes on": () => line("<i class=under-way></i>"),
    "no line": () => { said.innerHTML = ""; },
    "a line": () => line("Stopped."),
    stop: () => { stop.disabled = false; stop.click(); },
    cleared: () => { sign.className = "wrap full hide"; },
  };
  for (const act of acts) {
    known[act]();
    await new Promise(requestAnimationFrame);
  }
  return props.value ?? "";
}"""


@pytest.mark.parametrize(
    ("acts", "broken"),
    [
        (["begins", "goes on", "cleared"], True),
        (["begins", "goes on", "stop", "cleared"], False),
        # an update that was on its way when Stop was pressed
        (["begins", "goes on", "stop", "no line", "goes on", "cleared"], False),
        # before the first line Gradio's own sign says that a run waits
        (["a line", "queued", "stop", "queued", "goes on", "cleared"], False),
        # the run after one that was stopped
        (["begins", "goes on", "stop", "cleared", "a line", "begins", "goes on", "cleared"], True),
    ],
)
def test_only_a_run_that_nobody_stopped_is_broken_off(browser: Browser, acts: list[str], broken: bool) -> None:
    with browser.new_page() as page:
        page.set_content(PAGE)
        page.add_script_tag(path=ROOT / "assets" / "run.js")
        assert ("Broken off" in page.evaluate(ACTS, acts)) is broken


# Whether a press of the button beside Stop is heard of: over Gradio's sign in each of these states.
PRESSES = """async (states) => {
  const [said, sign, start] = ["#said", ".wrap", ".start"].map((part) => document.querySelector(part));
  lmdemo.followRun(said, {}, () => {}, false);
  let heard = false;
  start.addEventListener("click", () => { heard = true; });
  const found = [];
  for (const [kind, within] of states) {
    sign.className = kind;
    sign.innerHTML = within;
    await new Promise(requestAnimationFrame);
    heard = false;
    start.click();
    found.push([heard, start.ariaDisabled]);
  }
  return found;
}"""


def test_while_a_run_is_under_way_no_other_begins(browser: Browser) -> None:
    under_way, failed, over = ("wrap full", ""), ("wrap full", "<i class=error></i>"), ("wrap full hide", "")
    with browser.new_page() as page:
        page.set_content(PAGE)
        page.add_script_tag(path=ROOT / "assets" / "run.js")
        found = page.evaluate(PRESSES, [over, under_way, failed, under_way, over])
    assert found == [[True, "false"], [False, "true"], [True, "false"], [False, "true"], [True, "false"]]
