"""What lies on the local Hub and who may touch it: repositories with their commits, ids, tokens, refusals."""

import hashlib
from dataclasses import dataclass, field

from fastapi import Request
from fastapi.responses import JSONResponse

TOKEN = "hf_local"  # may read and write everything here
READER = "hf_reader"  # may only read


@dataclass
class Repo:
    """Its commits, oldest first: each a hash and the files by path."""

    private: bool = False
    commits: list[tuple[str, dict[str, bytes]]] = field(default_factory=list)

    def files(self, revision: str) -> tuple[str, dict[str, bytes]] | None:
        """The commit that `main` or a hash stands for."""
        if revision == "main":
            return self.commits[-1]
        return next((commit for commit in self.commits if commit[0] == revision), None)

    def commit(self, changes: dict[str, bytes | None]) -> str:
        """Add a commit on top; a file that is None is removed."""
        files = dict(self.commits[-1][1]) if self.commits else {}
        files = {path: data for path, data in (files | changes).items() if data is not None}
        parts = [f"{path}{git_id(data)}" for path, data in sorted(files.items())]
        sha = hashlib.sha1(f"{len(self.commits)}{parts}".encode()).hexdigest()
        self.commits.append((sha, files))
        return sha


def git_id(data: bytes) -> str:
    """The id of a git blob."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def stored_id(path: str, data: bytes) -> str:
    return hashlib.sha256(data).hexdigest() if is_large(path) else git_id(data)


def is_large(path: str) -> bool:
    return path.endswith(".safetensors")


def refused(status: int, code: str, message: str = "") -> JSONResponse:
    return JSONResponse({"error": message or code}, status, {"X-Error-Code": code, "X-Error-Message": message or code})


def rights(request: Request) -> str:
    """`write`, `read`, `none`, or `invalid` for a token that nobody gave out."""
    token = request.headers.get("authorization", "").removeprefix("Bearer ")
    return {"": "none", TOKEN: "write", READER: "read"}.get(token, "invalid")
