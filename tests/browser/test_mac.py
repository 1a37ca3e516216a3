"""On torch as the macOS wheel for Apple silicon has it: every tab, every variant, a measurement."""

import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import expect

import lmdemo
from browsing import Visitor
from short import running_shortly

MAC = Path(__file__).parents[1] / "support" / "mac"


def test_on_qnnpack_without_onednn_every_tab_and_every_variant_works(
    open_page: Callable[..., Visitor], tmp_path: Path
) -> None:
    log = tmp_path / "log"
    names = list(lmdemo.VARIANTS)
    with running_shortly(log=log, PYTHONPATH=str(MAC)) as (_, address, _):
        visitor = open_page(f"{address}/?words=20&variants={','.join(names[1:])}&run=1")
        page = visitor.page
        expect(page.get_by_text(re.compile("qnnpack")).first).to_be_visible()
        panel = page.get_by_role("tabpanel")

        expect(page.locator("#writing section h2")).to_have_text(
            ["fp32", *(f"{name} left to itself" for name in names[1:])]
        )
        expect(page.locator("#writing-status .under-way")).to_have_count(0)
        expect(page.locator("#writing-status").get_by_role("listitem")).to_have_count(len(names) - 1)

        page.get_by_role("tab", name="Size", exact=True).click()
        expect(panel.locator("visible=true").get_by_role("row").filter(has_text="int4-embedding").first).to_be_visible()

        page.get_by_role("tab", name="Evaluate", exact=True).click()
        for name in names[1:]:
            panel.get_by_role("checkbox", name=name, exact=True).locator("visible=true").check()
        words = page.get_by_role("spinbutton", name=re.compile("Words of test text"))
        words.fill("200")
        words.press("Tab")
        panel.get_by_role("button", name="Measure", exact=True).locator("visible=true").click()
        expect(page.locator("#measuring-status")).to_contain_text("200 words measured")
        expect(page.locator("#results tbody th")).to_have_text(names)
        expect(page.locator("#fidelity tbody th")).to_have_text(names[1:])

        page.get_by_role("tab", name="About", exact=True).click()
        expect(page.locator("#variants dt")).to_have_text(names)
        expect(page.locator("#variants")).not_to_contain_text("Not available here")
        expect(page.locator("#variants")).not_to_contain_text("oneDNN")
        assert visitor.errors == []
    written = log.read_text(encoding="utf-8")
    assert "qnnpack" not in written
    assert "Traceback" not in written
