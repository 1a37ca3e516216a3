"""A checkpoint folder published on the Hub: checked, measured, described, then sent in one commit.

All of it goes through huggingface_hub's own client. Only the files of a checkpoint are sent, so only weights in
full or half precision are ever stored; variants are built where they are shown. Nothing is overwritten unasked:
what the model holds already is confirmed first, and the commit is refused if another one came in between.
"""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx2
from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationDelete,
    HfApi,
    ModelCard,
    ModelInfo,
    constants,
    get_session,
    get_token,
)
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError

from lmdemo.card import CARD, Measured, Stated, complete, measure, measured_here, new_card, read_card
from lmdemo.checkpoint import MAX_FILE_BYTES, OPTIONAL, REQUIRED, Checkpoint, Located, load
from lmdemo.checksums import SUMS
from lmdemo.errors import CheckpointError, HubError
from lmdemo.hub import STATUSES, hub_error
from lmdemo.hub_name import HubName
from lmdemo.inputs import certificates
from lmdemo.staging import staged
from lmdemo.variants import TUTORIAL, build_variants

MEASURED_WORDS = 10_000  # read from the test text, at most
COMMIT_TIMEOUT = 60.0  # seconds the Hub has for the commit itself, which is never sent twice

Confirm = Callable[[str], bool]  # given what the model holds already: may it be replaced?


@dataclass(frozen=True)
class Published:
    """A checkpoint as it now stands on the Hub."""

    name: str  # owner/name
    url: str  # of the model's page
    commit: str
    measured: Measured
    private: bool


def publish(
    folder: str | Path, name: str, confirm: Confirm, *, private: bool = False, stated: Stated | None = None
) -> Published:
    """Publish the checkpoint in `folder` as the model `name`, its card measured on at most 10,000 words.

    Args:
        name: owner/name; the model is made if there is none.
        confirm: asked before anything on the Hub is replaced.
        private: make a new model private.
        stated: what the author says of the model, for its card.

    Raises:
        CheckpointError: the folder is not a sound checkpoint, or its card cannot be read.
        HubError: the name is none, the Hub did not take it, or `confirm` said no.
        InputError: the certificates that the environment names cannot be read.
    """
    certificates(os.environ)
    repo, folder = _repo(name), Path(folder)
    if not os.path.isdir(folder):  # False for what can be no name at all
        raise CheckpointError(f"No folder {folder} to publish; a checkpoint is a folder with {', '.join(REQUIRED)}.")
    with staged(folder, (*REQUIRED, *OPTIONAL, SUMS, CARD), MAX_FILE_BYTES) as copy:
        return _publish(copy, str(folder), repo, confirm, private, stated or Stated())


def _publish(folder: Path, source: str, repo: str, confirm: Confirm, private: bool, stated: Stated) -> Published:
    """Publish what lies in `folder`, which nobody else writes to; `source` is what it is called."""
    checkpoint = load(Located(folder, source))
    card = read_card(folder / CARD, stated) if (folder / CARD).is_file() else None
    _check_access()
    there = _there(repo)
    if there is not None:
        _check_replacing(there, repo, private, confirm)
    measured = _measure(checkpoint, own=(folder / "test.txt").is_file())
    title = repo.split("/")[1]
    if card is None:
        card = new_card(title, checkpoint, stated, measured, {"weights": "stored in safetensors, computed in fp32"})
    else:
        card = complete(card, title, stated, measured)
    _check_card(card, repo)
    stands = there or _create(repo, private)
    commit = _send(repo, stands.sha, _operations(folder, card, stands))
    return Published(repo, f"{constants.ENDPOINT}/{repo}", commit, measured, bool(stands.private))


def _repo(name: str) -> str:
    parsed = HubName.parse(name)
    if parsed is None:
        raise HubError("A model on the Hub is called owner/name: letters, digits, '-', '_' and '.' around one slash.")
    if parsed.revision not in (None, "main"):
        raise HubError("A model is published on its main branch: owner/name, without a revision.")
    return parsed.repo


def _files(folder: Path) -> list[Path]:
    return [folder / file for file in (*REQUIRED, *OPTIONAL) if (folder / file).is_file()]


def _check_access() -> None:
    """What can be known before the Hub is asked."""
    if constants.is_offline_mode():
        raise HubError("Publishing needs the Hub, and HF_HUB_OFFLINE is set.")
    try:
        token = get_token()
    except Exception as error:  # it may be fetched or renewed over the network
        raise hub_error("Could not get a token for the Hub", error, _STATUSES) from error
    if token is None:
        raise HubError("Publishing needs a token that may write: put it in HF_TOKEN, or run `hf auth login` once.")


def _info(repo: str) -> ModelInfo:
    return HfApi().model_info(repo, timeout=constants.HF_HUB_ETAG_TIMEOUT)


def _there(repo: str) -> ModelInfo | None:
    """The model as it stands, or None. The first call: a Hub that is out of reach is known here, within seconds."""
    try:
        return _info(repo)
    except GatedRepoError as error:
        raise _refused(repo, error) from error
    except RepositoryNotFoundError:
        return None
    except Exception as error:  # the client raises errors of four libraries and promises none of them
        raise _refused(repo, error) from error


def _check_replacing(there: ModelInfo, repo: str, private: bool, confirm: Confirm) -> None:
    if private and not there.private:
        raise HubError(
            f"{repo} exists and is public; --private is for a new model. Make it private in its settings on the Hub,"
            " or publish without --private."
        )
    held = _held(there)
    if not held:
        return
    what = f"a {CARD}" if held == {CARD} else "a checkpoint"
    if not confirm(f"{repo} has {what} already (commit {(there.sha or '')[:7]})"):
        raise HubError(f"{repo} was left as it is.")


def _held(there: ModelInfo) -> set[str]:
    """The files on the Hub that publishing would replace."""
    return {file.rfilename for file in there.siblings or ()} & {*REQUIRED, *OPTIONAL, CARD}


def _measure(checkpoint: Checkpoint, own: bool) -> Measured:
    """fp32 and int8 on the beginning of the test text, which is the folder's own or the one this project carries."""
    models = build_variants(checkpoint.model, TUTORIAL)
    ids = checkpoint.test_ids[: MEASURED_WORDS + 1]
    split = "test" if len(ids) == len(checkpoint.test_ids) else f"test[:{MEASURED_WORDS}]"
    sample = None if own else checkpoint.test_name
    return measured_here(*measure(models, ids, split), sample=sample, unknown_share=checkpoint.unknown_share)


def _check_card(card: ModelCard, repo: str) -> None:
    """Ask the Hub whether it takes the card, before a model is made for it."""
    try:
        with _answered_within(constants.HF_HUB_DOWNLOAD_TIMEOUT):
            card.validate()
    except ValueError as error:
        reason = _plain(str(error))[:300].rstrip(".")
        raise HubError(f"The Hub does not take the metadata of the model card: {reason}.") from error
    except Exception as error:  # as above
        raise _refused(repo, error, "nothing was committed") from error


def _plain(answer: str) -> str:
    """What the Hub says of metadata, on one line: its messages, or all of an answer in another form."""
    with suppress(ValueError, LookupError, TypeError):
        answer = "; ".join(error["message"] for error in json.loads(answer)["errors"])
    return " ".join(answer.split())


def _create(repo: str, private: bool) -> ModelInfo:
    """Make the model; it stands at a first commit of the Hub's own then."""
    try:
        with _answered_within(constants.HF_HUB_DOWNLOAD_TIMEOUT):
            HfApi().create_repo(repo, private=private or None)
            return _info(repo)
    except Exception as error:  # as above
        raise _refused(repo, error, "nothing was committed") from error


def _operations(folder: Path, card: ModelCard, stands: ModelInfo) -> list[CommitOperationAdd | CommitOperationDelete]:
    """The folder's files and the card; a file of the checkpoint that was there before, and is no more, goes."""
    files = _files(folder)
    stale = _held(stands) - {CARD, *(path.name for path in files)}
    return [
        *(CommitOperationAdd(path.name, path) for path in files),
        CommitOperationAdd(CARD, str(card).encode()),
        *(CommitOperationDelete(file) for file in stale),
    ]


def _send(repo: str, parent: str | None, operations: list[CommitOperationAdd | CommitOperationDelete]) -> str:
    """Upload what is large, then commit all of it on top of `parent`; returns the commit."""
    api = HfApi()
    try:
        with _answered_within(constants.HF_HUB_DOWNLOAD_TIMEOUT):
            additions = [operation for operation in operations if isinstance(operation, CommitOperationAdd)]
            api.preupload_lfs_files(repo, additions, free_memory=False)
    except Exception as error:  # as above
        raise _refused(repo, error, "nothing was committed") from error
    try:
        with _answered_within(COMMIT_TIMEOUT):
            message = "Publish a checkpoint with lmdemo"
            return api.create_commit(repo, operations, commit_message=message, parent_commit=parent).oid
    except Exception as error:  # as above
        raise _refused(repo, error, _outcome(repo, parent, error)) from error


def _outcome(repo: str, parent: str | None, error: Exception) -> str:
    """What became of a commit that failed: it may have been made although its answer was lost."""
    if isinstance(error, HfHubHTTPError) and error.response.status_code < 500:
        return "nothing was committed"
    try:
        sha = _info(repo).sha
    except Exception:  # as above
        return f"whether it was committed could not be asked, {constants.ENDPOINT}/{repo} tells"
    return "nothing was committed" if sha == parent else f"yet the model now stands at commit {sha[:7]}"


@contextmanager
def _answered_within(seconds: float) -> Iterator[None]:
    """A limit for each step of a request: the client's own calls would wait for ever."""
    session = get_session()
    before = session.timeout
    session.timeout = httpx2.Timeout(seconds, connect=constants.HF_HUB_ETAG_TIMEOUT)
    try:
        yield
    finally:
        session.timeout = before


def _refused(repo: str, error: Exception, outcome: str = "") -> HubError:
    return hub_error(f"Could not publish {repo}", error, _STATUSES, outcome)


_STATUSES = STATUSES | {
    401: "the Hub does not accept the token, which is HF_TOKEN's or that of `hf auth login`",
    403: "the token may not write there: it needs the right to write, and the owner must be its account or"
    " an organisation it writes for",
    409: "there is a model of that name, made meanwhile or hidden from this token",
    412: "another commit came in between, and it is not overwritten; publish again to replace it",
}
