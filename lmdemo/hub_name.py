"""What people write for a model on the Hub: its name, with a revision or without, or the address of its page."""

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from huggingface_hub import constants
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id

from lmdemo.errors import HubError

_REPO = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+", re.ASCII)
# what git allows, without the characters that nobody puts into a tag
_REVISION = re.compile(r"(?!.*(?:\.\.|//|@\{|/\.))\w[\w./+@=,#%!~-]*(?<![./])", re.ASCII)
_HOSTS = ("huggingface.co", "www.huggingface.co", "hf.co")
_PAGE = re.compile(  # of a model, of one of its commits, or of one of its files; a checkpoint lies in no folder
    r"(?P<repo>[^/]+/[^/]+)"
    r"(?:/(?:tree|commits?)/(?P<revision>refs/[^/]+/[^/]+|[^/]+)"
    r"|/(?:blob|raw|resolve)/(?P<of_file>refs/[^/]+/[^/]+|[^/]+)/[^/]+)?"
)
_OTHERS = {"spaces": "a Space", "datasets": "a data set", "collections": "a collection", "papers": "a paper"}


@dataclass(frozen=True)
class HubName:
    """A model on the Hub: `owner/name`, or `owner/name@revision`."""

    repo: str
    revision: str | None = None  # a branch, a tag or a commit; without one, the default branch

    @classmethod
    def parse(cls, text: str) -> "HubName | None":
        """The name that `text` is, or None if it cannot be one.

        Understood too, with spaces around and slashes behind: `owner/name/tree/revision`, and the address of a page
        of the model, on the Hub or on the host that HF_ENDPOINT names.

        Raises:
            HubError: it is an address on the Hub, of something that is no model.
        """
        text = text.strip()
        path = _path(text)
        text = text.rstrip("/") if path is None else path
        repo, at, revision = text.partition("@")
        repo, revision = (repo, revision) if at else _split(text)
        if _REPO.fullmatch(repo) is None or (revision is not None and _REVISION.fullmatch(revision) is None):
            return None
        try:
            validate_repo_id(repo)
        except HFValidationError:
            return None
        return cls(repo, revision)

    def __str__(self) -> str:
        return self.repo if self.revision is None else f"{self.repo}@{self.revision}"


def _path(text: str) -> str | None:
    """The path of an address on the Hub, with or without its scheme; None if it is none."""
    ours = urlsplit(constants.ENDPOINT)
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
    except ValueError:  # a bracket that is not closed
        return None
    path = parts.path.strip("/")
    if parts.netloc not in (*_HOSTS, ours.netloc) or ("://" not in text and "/" not in path):  # the owner "hf.co"
        return None
    path = path.removeprefix(ours.path.strip("/") + "/") if parts.netloc == ours.netloc else path
    if other := _OTHERS.get(path.split("/")[0]):
        raise HubError(f"That is the address of {other}; a checkpoint is a model on the Hub, owner/name.")
    return path


def _split(text: str) -> tuple[str, str | None]:
    """The repository and the revision that a page's path, or a name, holds; what is none is left as it is."""
    found = _PAGE.fullmatch(text)
    if found is None:
        return text, None
    revision = found["revision"] or found["of_file"]
    return found["repo"], revision and unquote(revision)
