"""Uploads to the local Hub: create, preupload, LFS batch, commit, as huggingface_hub's client asks for them."""

import base64
import json
import re
from typing import TYPE_CHECKING

import yaml
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from local_repos import Repo, is_large, refused, rights, stored_id

if TYPE_CHECKING:
    from local_hub import LocalHub

LICENCES = ("apache-2.0", "cc0-1.0", "mit")  # of the Hub's longer list


def step(request: Request) -> str:
    """Which step of an upload a request is."""
    path = request.url.path
    found = re.search(r"^/api/repos/(create)$|/(preupload)/|/objects/(batch)$|/(commit)/main$", path)
    if found:
        return found[found.lastindex]
    return "store" if request.method == "PUT" and path.startswith("/large/") else ""


def _forbidden(request: Request) -> Response | None:
    if rights(request) == "invalid":
        return refused(401, "", "Invalid credentials in Authorization header")
    return None if rights(request) == "write" else refused(403, "", "You don't have the rights to write here")


def add_uploading(app: FastAPI, hub: "LocalHub") -> None:
    @app.post("/api/repos/create")
    async def create(request: Request) -> Response:
        asked = await request.json()
        name = f"{asked['organization']}/{asked['name']}"
        if refusal := _forbidden(request):
            return refusal
        if name in hub.repos:
            return JSONResponse({"url": f"{hub.url}/{name}", "error": "You already created this model repo"}, 409)
        hub.repos[name] = Repo(private=asked.get("visibility") == "private")
        hub.repos[name].commit({".gitattributes": b"*.safetensors filter=lfs diff=lfs merge=lfs -text\n"})
        return JSONResponse({"url": f"{hub.url}/{name}"})

    @app.post("/api/validate-yaml")
    async def validate(request: Request) -> Response:
        front = re.match(r"---\n(.*?)\n---\n", (await request.json())["content"], re.DOTALL)
        licence = (yaml.safe_load(front[1]) if front else {}).get("license")
        if licence is None or licence in LICENCES:
            return JSONResponse({"warnings": [], "errors": []})
        message = f'"license" must be one of [{", ".join(LICENCES)}]'
        return JSONResponse({"errors": [{"message": message}], "warnings": []}, 400)

    @app.post("/api/models/{owner}/{name}/preupload/{revision}")
    async def preupload(request: Request, owner: str, name: str) -> Response:
        if refusal := _forbidden(request):
            return refusal
        stored = hub.repos[f"{owner}/{name}"].commits[-1][1]
        files = [
            {
                "path": file["path"],
                "uploadMode": "lfs" if is_large(file["path"]) else "regular",
                "shouldIgnore": False,
                "oid": stored_id(file["path"], stored[file["path"]]) if file["path"] in stored else None,
            }
            for file in (await request.json())["files"]
        ]
        return JSONResponse({"files": files})

    @app.post("/{owner}/{name}.git/info/lfs/objects/batch")
    async def batch(request: Request) -> Response:
        objects = (await request.json())["objects"]
        upload = [{**one, "actions": {"upload": {"href": f"{hub.large_url}/{one['oid']}"}}} for one in objects]
        return JSONResponse({"transfer": "basic", "objects": upload})


def add_committing(app: FastAPI, hub: "LocalHub") -> None:
    @app.post("/api/models/{owner}/{name}/commit/{revision}")
    async def commit(request: Request, owner: str, name: str) -> Response:
        if refusal := _forbidden(request):
            return refusal
        repo = hub.repos[f"{owner}/{name}"]
        if hub.fault.overtaken:
            repo.commit({"other.txt": b"of another commit"})
        changes: dict[str, bytes | None] = {}
        for line in (await request.body()).splitlines():
            entry = json.loads(line)
            value = entry["value"]
            match entry["key"]:
                case "header" if value.get("parentCommit", repo.commits[-1][0]) != repo.commits[-1][0]:
                    return refused(412, "", "A commit has happened since")
                case "file":
                    changes[value["path"]] = base64.b64decode(value["content"])
                case "lfsFile":
                    changes[value["path"]] = hub.large[value["oid"]]
                case "deletedFile":
                    changes[value["path"]] = None
        sha = repo.commit(changes)
        return JSONResponse({"commitUrl": f"{hub.url}/{owner}/{name}/commit/{sha}", "commitOid": sha})
