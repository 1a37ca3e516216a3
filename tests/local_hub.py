"""A Hub on loopback that huggingface_hub's real client talks to, with faults on demand.

It speaks what that client asks of the Hub: model info, resolve with redirects to where large files
lie, and the upload protocol (create, preupload, LFS batch, commit). Large files are the *.safetensors, as on
the Hub. Repositories live in memory. No package that does this is kept up, so it is written here, on the web
framework that Gradio brings along.
"""

import base64
import hashlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse, StreamingResponse

TOKEN = "hf_local"  # may read and write everything here
READER = "hf_reader"  # may only read


@dataclass(frozen=True)
class Fault:
    """What goes wrong, and at which of the client's steps."""

    info: int = 0  # HTTP status instead of model info
    code: str = ""  # X-Error-Code with it
    hang: str = ""  # "info" or "file": accept, then say nothing
    half: bool = False  # break off in the middle of a large file
    wrong: bool = False  # other bytes of the right length
    drip: bool = False  # a large file a little at a time, for eight seconds


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
        self.gate = threading.Event()  # closed: model info is not answered yet
        self.gate.set()
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

    def calm(self) -> None:
        """No fault, the gate open, and no request counted."""
        self.fault = Fault()
        self.faults.clear()
        self.gate.set()
        self.requests.clear()

    def close(self) -> None:
        """Stop serving."""
        self.gate.set()
        self._server.should_exit = True
        self._server.force_exit = True
        self._thread.join(timeout=10)


def git_id(data: bytes) -> str:
    """The id of a git blob."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def _is_large(path: str) -> bool:
    return path.endswith(".safetensors")


def _refused(status: int, code: str, message: str = "") -> JSONResponse:
    return JSONResponse({"error": message or code}, status, {"X-Error-Code": code, "X-Error-Message": message or code})


def _routes(hub: LocalHub) -> FastAPI:
    app = FastAPI()

    @app.middleware("http")
    async def count(request: Request, answer):  # noqa: ANN001, ANN202
        hub.requests.append(f"{request.method} {request.url.path}")
        return await answer(request)

    _add_reading(app, hub)
    _add_files(app, hub)
    _add_uploading(app, hub)
    _add_committing(app, hub)
    return app


def _rights(request: Request) -> str:
    """`write`, `read`, `none`, or `invalid` for a token that nobody gave out."""
    token = request.headers.get("authorization", "").removeprefix("Bearer ")
    return {"": "none", TOKEN: "write", READER: "read"}.get(token, "invalid")


def _add_reading(app: FastAPI, hub: LocalHub) -> None:
    def find(request: Request, name: str, revision: str) -> tuple[str, dict[str, bytes], Repo] | Response:
        if _rights(request) == "invalid":
            return _refused(401, "", "Invalid credentials in Authorization header")
        repo = hub.repos.get(name)
        if repo is None or (repo.private and _rights(request) == "none"):
            return _refused(401 if _rights(request) == "none" else 404, "RepoNotFound", "Repository not found")
        commit = repo.files(revision)
        return (*commit, repo) if commit else _refused(404, "RevisionNotFound", "Invalid rev id")

    @app.get("/api/models/{owner}/{name}")
    @app.get("/api/models/{owner}/{name}/revision/{revision:path}")
    def info(request: Request, owner: str, name: str, revision: str = "main") -> Response:
        hub.gate.wait(60)
        fault = hub.fault_of(f"{owner}/{name}")
        if fault.hang == "info":
            time.sleep(30)
        if fault.info:
            return _refused(fault.info, fault.code)
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
            return _refused(404, "EntryNotFound")
        data = files[path]
        headers = {"X-Repo-Commit": sha, "Accept-Ranges": "bytes"}
        if _is_large(path):
            oid = hashlib.sha256(data).hexdigest()
            hub.large[oid] = data
            headers |= {"X-Linked-Etag": f'"{oid}"', "X-Linked-Size": str(len(data))}
            return RedirectResponse(f"{hub.large_url}/{oid}?model={owner}/{name}", 302, headers)
        headers["ETag"] = f'"{git_id(data)}"'
        return Response(data, headers=headers, media_type="application/octet-stream")


def _large_entry(path: str, data: bytes) -> dict:
    if not _is_large(path):
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
        return StreamingResponse(_pieces(fault, body[start:]), status, headers)

    @app.put("/large/{oid}")
    async def store(request: Request, oid: str) -> Response:
        data = await request.body()
        if hashlib.sha256(data).hexdigest() != oid:
            return Response(status_code=400)
        hub.large[oid] = data
        return Response(headers={"ETag": f'"{oid}"'})


def _pieces(fault: Fault, data: bytes) -> Iterator[bytes]:
    if fault.half:
        yield data[: len(data) // 2]
        raise ConnectionAbortedError("broken off on purpose")
    if fault.hang == "file":
        yield data[:100]
        time.sleep(30)
    size = len(data) // 16 + 1 if fault.drip else 1 << 20
    for start in range(0, len(data), size):
        time.sleep(0.5 if fault.drip else 0)
        yield data[start : start + size]


def _forbidden(request: Request) -> Response | None:
    return None if _rights(request) == "write" else _refused(403, "", "You don't have the rights to write here")


def _add_uploading(app: FastAPI, hub: LocalHub) -> None:
    @app.post("/api/repos/create")
    async def create(request: Request) -> Response:
        asked = await request.json()
        name = f"{asked['organization']}/{asked['name']}"
        if refused := _forbidden(request):
            return refused
        if name in hub.repos:
            return JSONResponse({"url": f"{hub.url}/{name}", "error": "You already created this model repo"}, 409)
        hub.repos[name] = Repo(private=asked.get("visibility") == "private")
        hub.repos[name].commit({".gitattributes": b"*.safetensors filter=lfs diff=lfs merge=lfs -text\n"})
        return JSONResponse({"url": f"{hub.url}/{name}"})

    @app.post("/api/validate-yaml")
    def validate() -> Response:
        return JSONResponse({"warnings": [], "errors": []})

    @app.post("/api/models/{owner}/{name}/preupload/{revision}")
    async def preupload(request: Request, owner: str, name: str) -> Response:
        stored = hub.repos[f"{owner}/{name}"].commits[-1][1]
        files = [
            {
                "path": file["path"],
                "uploadMode": "lfs" if _is_large(file["path"]) else "regular",
                "shouldIgnore": False,
                "oid": git_id(stored[file["path"]]) if file["path"] in stored else None,
            }
            for file in (await request.json())["files"]
        ]
        return JSONResponse({"files": files})

    @app.post("/{owner}/{name}.git/info/lfs/objects/batch")
    async def batch(request: Request) -> Response:
        objects = (await request.json())["objects"]
        upload = [{**one, "actions": {"upload": {"href": f"{hub.large_url}/{one['oid']}"}}} for one in objects]
        return JSONResponse({"transfer": "basic", "objects": upload})


def _add_committing(app: FastAPI, hub: LocalHub) -> None:
    @app.post("/api/models/{owner}/{name}/commit/{revision}")
    async def commit(request: Request, owner: str, name: str) -> Response:
        if refused := _forbidden(request):
            return refused
        repo = hub.repos[f"{owner}/{name}"]
        changes: dict[str, bytes | None] = {}
        for line in (await request.body()).splitlines():
            entry = json.loads(line)
            value = entry["value"]
            match entry["key"]:
                case "header" if value.get("parentCommit", repo.commits[-1][0]) != repo.commits[-1][0]:
                    return _refused(412, "", "A commit has happened since")
                case "file":
                    changes[value["path"]] = base64.b64decode(value["content"])
                case "lfsFile":
                    changes[value["path"]] = hub.large[value["oid"]]
                case "deletedFile":
                    changes[value["path"]] = None
        sha = repo.commit(changes)
        return JSONResponse({"commitUrl": f"{hub.url}/{owner}/{name}/commit/{sha}", "commitOid": sha})
