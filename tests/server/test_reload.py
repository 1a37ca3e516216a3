"""`gradio app.py`: the page is served, and an edit shows, on a page that is open too."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from endpoints import call
from lmdemo.bench import ROOT
from lmdemo.bench.app import plain_environment
from waiting import LAST_NET, wait_until

HEADING, EDITED = "What did 8 bits change?</h1>", "as it was edited</h1>"


@contextmanager
def reloading(folder: Path) -> Iterator[str]:
    """The command in `folder`, and all that it starts; yields the app's address."""
    command = [Path(sys.executable).parent / "gradio", "app.py"]
    with subprocess.Popen(
        command, cwd=folder, env=plain_environment(), stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            address = next(line.split()[-1] for line in process.stdout if "Running on local URL" in line)
            yield address
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.communicate()


def test_an_edit_shows(tmp_path: Path) -> None:
    shutil.copy(ROOT / "app.py", tmp_path)
    for name in ("lmdemo", "assets"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    page = tmp_path / "lmdemo" / "ui" / "page.py"
    text = page.read_text(encoding="utf-8")
    with reloading(tmp_path) as address, httpx.Client(base_url=address, timeout=LAST_NET) as http:
        assert HEADING in http.get("/config").text
        with http.stream("GET", "/gradio_api/dev/reload") as told:
            page.write_text(text.replace(HEADING, EDITED), encoding="utf-8")
            # Gradio takes note of the files some time after it serves: until then an edit is none
            wait_until(lambda: EDITED in http.get("/config").text, "the edit", lambda: os.utime(page))
            assert "event: reload" in told.iter_lines()
        assert call(address, "generate")[0] == "complete"
