"""The app with no byte left on the disk: for its temporary files, and for the Hub client's cache."""

import os
from collections.abc import Callable
from pathlib import Path

from calls import Calls
from local_hub import LocalHub
from logged import beside_jobs
from patient import get
from pulled import small_checkpoint
from short import running_shortly
from waiting import wait_until

# File systems that only the app's own process sees and that go with it: one for temporary files with no byte left, one
# of 64 KB for the client's cache. Where a host allows no private mounts the tests fail: no full disk was tried there.
AS_ROOT = () if os.geteuid() == 0 else ("--map-root-user",)
FULL = 'mount -t tmpfs -o size=64k tmpfs "$TMPDIR" && ! dd if=/dev/zero of="$TMPDIR/full" 2>/dev/null && exec "$@"'
SMALL = 'mount -t tmpfs -o size=64k tmpfs "$HF_HOME" && exec "$@"'
MOUNTED = ("unshare", "--mount", *AS_ROOT, "sh", "-c")


def test_a_full_disk_for_temporary_files_changes_nothing(tmp_path: Path, calls: Callable[[str], Calls]) -> None:
    full = {"TMPDIR": str(tmp_path), "GRADIO_TEMP_DIR": str(tmp_path)}
    with running_shortly(under=(*MOUNTED, FULL, "sh"), log=tmp_path.with_suffix(".log"), **full) as (_, address, _):
        call = calls(address)
        _, event, (answer,) = call.begin("generate", "It was", 20, 1, 0, 1).result()
        assert (event, len(answer["int8"]["words"])) == ("complete", 20)
        _, event, (rows,) = call.begin("evaluate", 500, 25).result()
        assert (event, [row["tokens"] for row in rows]) == ("complete", [500, 500])
        assert "What did 8 bits change?" in get(address).text
        assert get(f"{address}/gradio.js").is_success
    assert beside_jobs(tmp_path.with_suffix(".log")) == []


def test_a_disk_too_small_for_the_model_is_a_sentence_and_the_page_stays(
    hub: LocalHub, tmp_path: Path, name: str, calls: Callable[[str], Calls]
) -> None:
    hub.put(name, small_checkpoint(tmp_path / "model"))
    environment = {"LMDEMO_MODEL": name, "HF_HOME": str(tmp_path), "HF_ENDPOINT": hub.url}
    log = tmp_path.with_suffix(".log")
    sentence = f"Could not pull {name}: it could not be written to the cache (No space left on device)."
    with running_shortly(under=(*MOUNTED, SMALL, "sh"), log=log, **environment) as (_, address, _):
        wait_until(lambda: sentence in log.read_text(encoding="utf-8"), sentence)
        _, event, (answer,) = calls(address).begin("generate", "It was", 20, 1, 0, 1).result()
        assert (event, len(answer["int8"]["words"])) == ("complete", 20)
    assert "Traceback" not in log.read_text(encoding="utf-8")
