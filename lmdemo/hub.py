"""The Hub end of a checkpoint: its files pulled and checked. How one gets there is publish.py's business.

All of it goes through huggingface_hub's own client, its cache, its token and its settings. That client
compares sizes only, so every file is hashed here and compared with what the Hub states for the commit: the
SHA-256 of a large file; of a small one, which the Hub keeps in git, the id of its git blob. What the files
hold is checkpoint.py's business.
"""

import logging
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx2
from huggingface_hub import HfApi, constants, hf_hub_download, try_to_load_from_cache
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    OfflineModeIsEnabled,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.file_download import repo_folder_name
from huggingface_hub.hf_api import RepoSibling
from huggingface_hub.utils import WeakFileLock, tqdm

from lmdemo.checksums import matches
from lmdemo.errors import HubError
from lmdemo.hub_name import HubName
from lmdemo.inputs import certificates

log = logging.getLogger(__name__)

_COMMIT = re.compile(r"[0-9a-f]{40}")

DEFAULT_NAME = "lmdemo-lstm"  # of the model that a Space looks for under its own account

LOCK_PATIENCE = 600.0  # seconds that another process may take to fetch a file

Report = Callable[[int, int], None]  # bytes that are here, bytes in all

STATUSES = {
    401: "the Hub does not accept the token in HF_TOKEN",
    403: "the token in HF_TOKEN has no right to this",
    429: "the Hub takes no more requests from here for now",
}


@dataclass(frozen=True)
class Pulled:
    """Where the files of one commit lie."""

    folder: Path
    commit: str
    problem: str = ""  # why the Hub was not asked, if what is cached here was used without it


def address(repo: str, commit: str) -> str:
    """The page of a model's files on the Hub, at a commit."""
    return f"{constants.ENDPOINT}/{repo}/tree/{commit}"


def pull(name: HubName, required: Iterable[str], optional: Iterable[str], most: int, report: Report) -> Pulled:
    """Fetch the named files of a model, and those of the `optional` ones it has, into the client's cache.

    What is cached already is not fetched again. Where the Hub cannot be reached or is out of order, what is
    cached serves; where it answers that there is no such model, or not for us, it does not.

    Args:
        most: bytes in all that are accepted.
        report: called with the bytes that are here and the bytes in all.

    Raises:
        HubError: the Hub did not give these files, or they are not what it states.
        InputError: the certificates that the environment names cannot be read.
    """
    certificates(os.environ)
    required, optional = tuple(required), tuple(optional)
    try:
        info = HfApi().model_info(
            name.repo, revision=name.revision, files_metadata=True, timeout=constants.HF_HUB_ETAG_TIMEOUT
        )
    except Exception as error:  # the client raises errors of four libraries and promises none of them
        if _is_passing(error) and (cached := _cached(name, required, optional)) is not None:
            return Pulled(cached, cached.name, str(hub_error(f"Could not pull {name}", error)))
        raise hub_error(f"Could not pull {name}", error, folder=True) from error
    files = {file.rfilename: file for file in info.siblings or ()}
    if missing := [file for file in required if file not in files]:
        raise HubError(f"{name} on the Hub has no {missing[0]}; a checkpoint needs {', '.join(required)}.")
    wanted = {file: files[file] for file in (*required, *optional) if file in files}
    if sum(file.size or 0 for file in wanted.values()) > most:
        raise HubError(f"{name} on the Hub is over {most / 1e9:.0f} GB; that is not pulled.")
    try:
        folder = _fetch(name, info.sha, wanted, report)
    except HubError:
        raise
    except Exception as error:  # as above
        raise hub_error(f"Could not pull {name}", error) from error
    return Pulled(folder, info.sha)


def hub_error(
    what: str,
    error: BaseException,
    statuses: Mapping[int, str] = STATUSES,
    outcome: str = "",
    *,
    folder: bool = False,
) -> HubError:
    """One sentence for an error of the client; the innermost cause tells what happened.

    Args:
        what: could not be done.
        statuses: reasons by HTTP status, where the client has no error of its own for one.
        outcome: what was left behind, if that has to be said.
        folder: the name may have been meant for a folder, and none is here.
    """
    while error.__cause__ is not None and not isinstance(error, HfHubHTTPError | httpx2.HTTPError):
        error = error.__cause__
    reason = _reason(error, statuses, "no folder of that name is here, and " if folder else "")
    if reason is None:
        log.error("%s", what, exc_info=error)
        reason = f"the client failed ({type(error).__name__})"
    return HubError(f"{what}: {reason}{outcome and '; ' + outcome}.")


def _reason(error: BaseException, statuses: Mapping[int, str], missing: str) -> str | None:
    """What an error of the client means, with `missing` before what a missing folder may explain; None if unknown."""
    match error:
        case GatedRepoError():
            reason = "the Hub gives it to approved accounts only; set HF_TOKEN to a token of one"
        case RepositoryNotFoundError():
            reason = (
                f"{missing}the Hub has no such model, or it is private and HF_TOKEN holds no token that may read it"
            )
        case RevisionNotFoundError():
            reason = "the Hub has no such revision of it"
        case RemoteEntryNotFoundError():
            reason = "a file of it is missing on the Hub"
        case HfHubHTTPError():
            reason = statuses.get(error.response.status_code, "the Hub answered with an error")
            reason += f" ({error.response.status_code})"
        case OfflineModeIsEnabled():
            reason = f"{missing}HF_HUB_OFFLINE is set, and it is not in the cache"
        case httpx2.TimeoutException():
            reason = "the Hub did not answer in time"
        case httpx2.RemoteProtocolError():
            reason = "the Hub broke the connection off"
        case httpx2.UnsupportedProtocol() | httpx2.InvalidURL():
            reason = "HF_ENDPOINT is not an address such as https://huggingface.co"
        case UnicodeEncodeError():  # of a header
            reason = "the token, which is HF_TOKEN's or that of `hf auth login`, holds a character that no token has"
        case httpx2.TransportError():
            reason = f"{missing}the Hub could not be reached"
        case ConnectionError() | TimeoutError():  # from the client of the Hub's chunk storage, which is not httpx2
            reason = "the connection to the Hub's storage failed"
        case UnicodeDecodeError():  # of a file in which the client notes what a branch stands for
            reason = "what is cached of it here is damaged; `hf cache rm` removes it"
        case OSError(errno=int(), strerror=str()):
            reason = f"it could not be written to the cache ({error.strerror})"
        case OSError() if "Consistency check" in str(error):
            reason = "a file came in another length than the Hub states"
        case _:
            return None
    return reason


def _fetch(name: HubName, commit: str, wanted: Mapping[str, RepoSibling], report: Report) -> Path:
    """The folder with the wanted files of `commit`, each fetched if need be, and checked."""
    total = sum(file.size or 0 for file in wanted.values())
    here = 0
    folder = Path()
    _await_lock(name, wanted["config.json"])
    _note_commit(name, commit)
    for file, stated in wanted.items():
        path = _in_cache(name.repo, file, commit)
        if path is None or not _matches(path, stated):  # a copy that was damaged here is fetched anew
            bar = _counting(here, total, report)
            _await_lock(name, stated)
            options = {"force_download": path is not None, "tqdm_class": bar}
            path = Path(hf_hub_download(name.repo, file, revision=commit, **options))
            if not _matches(path, stated):
                path.resolve().unlink()  # or the next start would find it in the cache
                path.unlink(missing_ok=True)
                raise HubError(
                    f"Could not pull {name}: {file} is not the file that the Hub states"
                    f" for commit {commit[:7]}; its checksum differs."
                )
        here += stated.size or 0
        report(here, total)
        folder = path.parent
    return folder


def _await_lock(name: HubName, stated: RepoSibling) -> None:
    """Wait while another process fetches this file into the cache; the client itself would wait for ever.

    Raises:
        HubError: it holds the lock for longer than a download takes: it hangs, or has left a lock that never ends.
    """
    folder = repo_folder_name(repo_id=name.repo, repo_type="model")
    lock = Path(constants.HF_HUB_CACHE, ".locks", folder, f"{_checksum(stated)}.lock")
    try:
        if lock.exists():
            with WeakFileLock(lock, timeout=LOCK_PATIENCE):
                pass
    except TimeoutError as error:
        raise HubError(
            f"Could not pull {name}: for {LOCK_PATIENCE / 60:g} minutes another process on this machine has held the"
            " lock on a file of it in the cache; end that process, or remove the folder .locks there."
        ) from error


def _note_commit(name: HubName, commit: str) -> None:
    """Let the client note which commit a branch or tag stands for, for a start without network."""
    if name.revision is None or not _COMMIT.fullmatch(name.revision):
        noted = Path(hf_hub_download(name.repo, "config.json", revision=name.revision))
        if noted.parent.name != commit:
            log.warning("%s has moved on from commit %s while it was pulled.", name, commit)


def _counting(before: int, total: int, report: Report) -> type[tqdm]:
    """A progress bar for the client that draws nothing and reports instead."""

    class Counting(tqdm):
        def __init__(self, *args: object, **options: object) -> None:
            super().__init__(*args, **(options | {"disable": True}))
            self._count = 0

        def update(self, n: float | None = 1) -> None:
            self._count += int(n or 0)
            report(min(before + self._count, total), total)

        def update_transfer(self, n: float | None = 1) -> None:
            """Bytes on the wire, which the client counts apart from bytes written; only those count here."""

        def set_transfer_postfix_str(self, *args: object, **options: object) -> None:
            """A speed, which nobody reads here."""

    return Counting


def _cached(name: HubName, required: Iterable[str], optional: Iterable[str]) -> Path | None:
    """The folder in the client's cache, if all required files are there and undamaged."""
    try:
        needed = [_in_cache(name.repo, file, name.revision) for file in required]
        extra = [path for file in optional if (path := _in_cache(name.repo, file, name.revision))]
        whole = None not in needed and all(map(_matches_link, needed + extra))
    except (OSError, UnicodeDecodeError):  # the cache itself is damaged
        whole = False
    return needed[0].parent if whole else None


def _in_cache(repo: str, file: str, revision: str | None) -> Path | None:
    path = try_to_load_from_cache(repo, file, revision=revision)
    return Path(path) if isinstance(path, str) else None


def _matches(path: Path, stated: RepoSibling) -> bool:
    expected = _checksum(stated)
    return expected is not None and matches(path, expected)


def _checksum(stated: RepoSibling) -> str | None:
    """Of a large file its SHA-256, of a small one the id of its git blob; the cache names it by that too."""
    return stated.lfs.sha256 if stated.lfs else stated.blob_id


def _matches_link(path: Path) -> bool:
    """Without the Hub: the cache links each file to a blob that is named by what the Hub stated for it.

    Where there are no links (Windows without developer mode) nothing states anything, and the file passes.
    """
    if not path.is_symlink():
        return True
    return matches(path, path.readlink().name)


def _is_passing(error: BaseException) -> bool:
    """Whether the Hub may well answer otherwise tomorrow: then what is cached is as good as it was."""
    if isinstance(error, HfHubHTTPError):
        return error.response.status_code >= 500 or error.response.status_code == 429
    if isinstance(error, httpx2.UnsupportedProtocol):  # a setting, which will be no better
        return False
    return isinstance(error, httpx2.TransportError | OfflineModeIsEnabled)
