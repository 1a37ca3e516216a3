"""A Hub on loopback that huggingface_hub's real client talks to, with faults on demand.

It speaks what that client asks of the Hub: model info, resolve with redirects to where large files
lie, and the upload protocol (create, preupload, LFS batch, commit). Large files are the *.safetensors, as on
the Hub. Repositories live in memory. No package that does this is kept up, so it is written here, on the web
framework that Gradio brings along.
"""

import asyncio
import hashlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse, StreamingResponse
from huggingface_hub import constants

from local_hub_uploads import add_committing, add_uploading, step
from local_repos import Repo, git_id, is_large, refused, rights
from waiting import LAST_NET

LONGEST = 2 * LAST_NET  # seconds something hangs; a test that has not released it by then has failed


@dataclass(frozen=True)
class Fault:
    """What goes wrong, and at which of the client's steps."""

    info: int = 0  # HTTP status instead of model info
    code: str = ""  # X-Error-Code with it
    hang: str = ""  # "info" or "file": accept, then say nothing until released
    given: int = 100  # bytes of a large file that come before it hangs
    half: bool = False  # break off in the middle of a large file
    wrong: bool = False  # other bytes of the right length
    step: str = ""  # of an upload, at which one of these happens: create, preupload, batch, store, commit
    status: int = 0  # HTTP status instead of an answer
    silent: bool = False  # accept, then say nothing until released
    deaf: bool = False  # do it, then say nothing until released
    overtaken: bool = False  # another commit comes in before this one

    @property
    def hangs(self) -> bool:
        """Whether something is never answered."""
        return bool(self.hang) or self.silent or self.deaf


@contextmanager
def as_patient_as(fault: Fault) -> Iterator[None]:
    """The Hub's client gives up after a second where something hangs; else a busy machine has all the time it needs."""
    if not fault.hangs:
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        for limit in ("HF_HUB_ETAG_TIMEOUT", "HF_HUB_DOWNLOAD_TIMEOUT"):
            patch.setattr(constants, limit, 1)
        patch.setattr("lmdemo.publish.COMMIT_TIMEOUT", 1.0)
        yield


class LocalHub:
    """The server, in a thread of this process; `url` is what HF_ENDPOINT has to be."""

    def __init__(self, listening: socket.socket) -> None:
        self.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        # under another host name, as on the Hub: the client follows no such redirect before it has read its headers
        self.large_url = f"http://localhost:{listening.getsockname()[1]}/large"
        self.repos: dict[str, Repo] = {}
        self.large: dict[str, bytes] = {}  # by SHA-256
        self.fault = Fault()
        self.faults: dict[str, Fault] = {}  # by model, where it is another than `fault`
        self._released = threading.Event()  # nothing hangs any more
        self.requests: list[str] = []
        config = uvicorn.Config(_routes(self), log_level="warning", lifespan="off")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([listening],), daemon=True)
        self._thread.start()

    def put(self, name: str, folder: Path, private: bool = False) -> str:
        """Add the files of `folder` as a commit of the model `name`; returns its hash."""
        repo = self.repos.setdefault(name, Repo(private))
        return repo.commit({path.name: path.read_bytes() for path in folder.iterdir()})

    def fault_of(self, name: str) -> Fault:
        """What goes wrong with a model."""
        return self.faults.get(name, self.fault)

    def release(self) -> None:
        """Whatever hangs goes on; what is still wrong then happens."""
        self._released.set()

    def hang(self) -> None:
        """Until released, by the test or by the next one."""
        self._released.wait(LONGEST)

    def go_on(self, name: str, fault: Fault) -> None:
        """Whatever hangs goes on, a model's with another fault, which may hang again."""
        self.faults[name] = fault
        hanging, self._released = self._released, threading.Event()
        hanging.set()

    def calm(self) -> None:
        """No fault, nothing that hangs, and no request counted."""
        self.fault = Fault()
        self.faults.clear()
        self.release()
        self._released = threading.Event()
        self.requests.clear()

    def close(self) -> None:
        """Stop serving."""
        self.release()
        self._server.should_exit = True
        self._server.force_exit = True
        self._thread.join(timeout=LAST_NET)


def _routes(hub: LocalHub) -> FastAPI:
    app = FastAPI()

    @app.middleware("http")
    async def count(request: Request, answer):  # noqa: ANN001, ANN202
        hub.requests.append(f"{request.method} {request.url.path}")
        faulty = hub.fault.step != "" and hub.fault.step == step(request)
        if faulty and hub.fault.status:
            return refused(hub.fault.status, "")
        if faulty and hub.fault.silent:
            await asyncio.to_thread(hub.hang)
        answered = await answer(request)
        if faulty and hub.fault.deaf:
            await asyncio.to_thread(hub.hang)
        return answered

    _add_reading(app, hub)
    _add_files(app, hub)
    add_uploading(app, hub)
    add_committing(app, hub)
    return app


def _add_reading(app: FastAPI, hub: LocalHub) -> None:
    def find(request: Request, name: str, revision: str) -> tuple[str, dict[str, bytes], Repo] | Response:
        if rights(request) == "invalid":
            return refused(401, "", "Invalid credentials in Authorization header")
        repo = hub.repos.get(name)
        if repo is None or (repo.private and rights(request) == "none"):
            return refused(401 if rights(request) == "none" else 404, "RepoNotFound", "Repository not found")
        commit = repo.files(revision)
        return (*commit, repo) if commit else refused(404, "RevisionNotFound", "Invalid rev id")

    @app.get("/api/models/{owner}/{name}")
    @app.get("/api/models/{owner}/{name}/revision/{revision:path}")
    def info(request: Request, owner: str, name: str, revision: str = "main") -> Response:
        fault = hub.fault_of(f"{owner}/{name}")
        if fault.hang == "info":
            hub.hang()
        if fault.info:
            return refused(fault.info, fault.code)
        found = find(request, f"{owner}/{name}", revision)
        if isinstance(found, Response):
            return found
        sha, files, repo = found
        siblings = [
            {"rfilename": path, "size": len(data), "blobId": git_id(data), **_large_entry(path, data)}
            for path, data in files.items()
        ]
        return JSONResponse({"id": f"{owner}/{name}", "sha": sha, "private": repo.private, "siblings": siblings})

    @app.api_route("/{owner}/{name}/resolve/{revision}/{path:path}", methods=["GET", "HEAD"])
    def resolve(request: Request, owner: str, name: str, revision: str, path: str) -> Response:
        found = find(request, f"{owner}/{name}", revision)
        if isinstance(found, Response):
            return found
        sha, files, _ = found
        if path not in files:
            return refused(404, "EntryNotFound")
        data = files[path]
        headers = {"X-Repo-Commit": sha, "Accept-Ranges": "bytes"}
        if is_large(path):
            oid = hashlib.sha256(data).hexdigest()
            hub.large[oid] = data
            headers |= {"X-Linked-Etag": f'"{oid}"', "X-Linked-Size": str(len(data))}
            return RedirectResponse(f"{hub.large_url}/{oid}?model={owner}/{name}", 302, headers)
        headers["ETag"] = f'"{git_id(data)}"'
        return Response(data, headers=headers, media_type="application/octet-stream")


def _large_entry(path: str, data: bytes) -> dict:
    if not is_large(path):
        return {}
    return {"lfs": {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 134}}


def _add_files(app: FastAPI, hub: LocalHub) -> None:
    @app.api_route("/large/{oid}", methods=["GET", "HEAD"])
    def large(request: Request, oid: str, model: str) -> Response:
        data, fault = hub.large[oid], hub.fault_of(model)
        start = int(request.headers.get("range", "bytes=0-")[6:].split("-")[0])
        headers = {"ETag": f'"{oid}"', "Content-Length": str(len(data) - start)}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        body = bytes(len(data)) if fault.wrong else data
        status = 206 if start else 200
        return StreamingResponse(_pieces(hub, fault, body[start:]), status, headers)

    @app.put("/large/{oid}")
    async def store(request: Request, oid: str) -> Response:
        data = await request.body()
        if hashlib.sha256(data).hexdigest() != oid:
            return Response(status_code=400)
        hub.large[oid] = data
        return Response(headers={"ETag": f'"{oid}"'})


def _pieces(hub: LocalHub, fault: Fault, data: bytes) -> Iterator[bytes]:
    sent = 0
    if fault.hang == "file":
        sent = fault.given
        yield data[:sent]
        hub.hang()
    if fault.half:
        yield data[sent : len(data) // 2]
        raise ConnectionAbortedError("broken off on purpose")
    for start in range(sent, len(data), 1 << 20):
        yield data[start : start + (1 << 20)]
