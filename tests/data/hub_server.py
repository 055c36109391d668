"""Serve as much of the Hugging Face hub as `datasets` needs to load a dataset: its API, its files, and their store.

Large files are served by a store under another host name, as the hub does it, so that a token must not follow there.
"""

import hashlib
import json
import re
import socket
import struct
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

ADVICE = "unauthenticated; You are sending unauthenticated requests to the HF Hub. Please set a HF_TOKEN"
ADDRESS = re.compile(r"(?:/api)?/datasets/([^/]+/[^/]+)(?:/(revision|tree|paths-info|resolve)/([^/]+)(.*))?")


@dataclass
class Repository:
    """A dataset repository of one commit; `main` is that commit too."""

    commit: str
    files: dict[str, bytes]
    is_gated: bool = False

    def is_large(self, name: str) -> bool:
        return name.endswith((".parquet", ".txt", ".gz"))


@dataclass
class Fault:
    """What happens to the next `times` requests whose method and path match a pattern."""

    pattern: str
    times: int = 1
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body_bytes: int | None = None  # send no more of the body, then end the connection
    resets: bool = False  # end it with RST, as a proxy that dies does, not with FIN
    hides_the_end: bool = False  # Content-Length is `body_bytes` too, so that nothing seems to be missing


@dataclass
class Request:
    """A request as it arrived."""

    line: str  # method and path
    range: str | None
    token: str | None


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def shutdown_request(self, request: Any) -> None:
        self.close_request(request)  # without the FIN that comes before a RST otherwise

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Expect clients that leave."""


class HubServer:
    """A server on a free port of this host for the length of a `with` block."""

    def __init__(self, repositories: dict[str, Repository]) -> None:
        self.repositories = repositories
        self.faults: list[Fault] = []
        self.requests: list[Request] = []
        self.lock = threading.Lock()
        self._http = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": self}))
        self.port = self._http.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.store = f"http://localhost:{self.port}/store/"

    def __enter__(self) -> "HubServer":
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self.die()

    def die(self) -> None:
        """Refuse every connection from now on."""
        self._http.shutdown()
        self._http.server_close()

    def downloads(self) -> dict[str, int]:
        """Count the downloads of each large file, by its name."""
        lines = [request.line for request in self.requests if request.line.startswith("GET /store/")]
        names = {
            _sha256(data): name for repository in self.repositories.values() for name, data in repository.files.items()
        }
        counts: dict[str, int] = {}
        for line in lines:
            name = names[line.rpartition("/")[2]]
            counts[name] = counts.get(name, 0) + 1
        return counts

    def fault_of(self, line: str) -> Fault | None:
        """Take the first fault that matches a request."""
        with self.lock:
            for fault in self.faults:
                if fault.times > 0 and re.search(fault.pattern, line):
                    fault.times -= 1
                    return fault
        return None

    def stored(self, sha256: str) -> bytes | None:
        files = [data for repository in self.repositories.values() for data in repository.files.values()]
        return next((data for data in files if _sha256(data) == sha256), None)


@dataclass
class _Answer:
    status: int
    headers: dict[str, str]
    body: bytes = b""


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _json(value: Any) -> _Answer:
    return _Answer(200, {"Content-Type": "application/json"}, json.dumps(value).encode())


def _error(status: int, code: str, message: str) -> _Answer:
    headers = {"X-Error-Code": code, "X-Error-Message": message, "Content-Type": "application/json"}
    return _Answer(status, headers, json.dumps({"error": message}).encode())


class _Handler(BaseHTTPRequestHandler):
    hub: HubServer
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *_: object) -> None:
        pass

    def _serve(self) -> None:
        line = f"{self.command} {self.path}"
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with self.hub.lock:
            token = self.headers.get("Authorization")
            self.hub.requests.append(Request(line, self.headers.get("Range"), token))
        fault = self.hub.fault_of(line)
        if fault is not None and fault.status != 200:
            self._send(_Answer(fault.status, fault.headers, b"{}"), None)
        else:
            self._send(self._answer(body), fault)

    do_GET = do_HEAD = do_POST = _serve

    def _send(self, answer: _Answer, fault: Fault | None) -> None:
        length = len(answer.body)
        cut = length if fault is None or fault.body_bytes is None else min(fault.body_bytes, length)
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if not self.headers.get("Authorization"):
            self.send_header("X-HF-Warning", ADVICE)
        self.send_header("Content-Length", str(cut if fault is not None and fault.hides_the_end else length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body[:cut])
            self.wfile.flush()
        if fault is not None:
            if fault.resets:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True

    def _answer(self, body: bytes) -> _Answer:
        path = unquote(urlsplit(self.path).path)
        if path.startswith("/store/"):
            data = self.hub.stored(path.removeprefix("/store/"))
            return _error(404, "EntryNotFound", "not stored") if data is None else self._part(data, {})
        found = re.fullmatch(
            r"(?:/api)?/datasets/([^/]+/[^/]+)(?:/(revision|tree|paths-info|resolve)/([^/]+)(.*))?", path
        )
        if found is None:
            is_name = path.startswith(("/datasets/", "/api/datasets/"))  # of one part, which no repository has
            return _error(401, "RepoNotFound", "Invalid username or password.") if is_name else _error(404, "", "")
        name, what, revision, rest = found.groups()
        repository = self.hub.repositories.get(name)
        if repository is None:
            return _error(401, "RepoNotFound", "Invalid username or password.")
        if repository.is_gated and not self.headers.get("Authorization"):
            return _error(401, "GatedRepo", f"Access to dataset {name} is restricted. You must be authenticated.")
        if revision not in (None, "main", repository.commit):
            return _error(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        if what == "tree":
            return self._tree(repository, rest.strip("/"))
        if what == "paths-info":
            paths = parse_qs(body.decode()).get("paths", [])
            return _json([entry for entry in _entries(repository) if entry["path"] in paths])
        if what == "resolve":
            return self._file(repository, rest.strip("/"))
        siblings = [{"rfilename": file} for file in repository.files]
        return _json({"id": name, "sha": repository.commit, "siblings": siblings, "private": False, "tags": []})

    def _tree(self, repository: Repository, folder: str) -> _Answer:
        inside = f"{folder}/" if folder else ""
        below = [entry for entry in _entries(repository) if entry["path"].startswith(inside)]
        if folder and not below:
            return _error(404, "EntryNotFound", f"{folder} does not exist")
        if parse_qs(urlsplit(self.path).query).get("recursive", ["false"])[0].lower() != "true":
            below = [entry for entry in below if "/" not in entry["path"].removeprefix(inside)]
        return _json(below)

    def _file(self, repository: Repository, name: str) -> _Answer:
        headers = {"X-Repo-Commit": repository.commit}
        data = repository.files.get(name)
        if data is None:
            missing = _error(404, "EntryNotFound", "Entry not found")
            return _Answer(missing.status, missing.headers | headers, missing.body)
        if not repository.is_large(name):
            return self._part(data, headers | {"ETag": f'"{hashlib.sha1(data).hexdigest()}"'})
        linked = {"X-Linked-ETag": f'"{_sha256(data)}"', "X-Linked-Size": str(len(data))}
        return _Answer(302, headers | linked | {"Location": self.hub.store + _sha256(data)})

    def _part(self, data: bytes, headers: dict[str, str]) -> _Answer:
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        if wanted is None:
            return _Answer(200, headers | {"Accept-Ranges": "bytes"}, data)
        first, last = int(wanted[1]), int(wanted[2] or len(data) - 1)
        if first >= len(data):
            return _Answer(416, headers | {"Content-Range": f"bytes */{len(data)}"})
        part = data[first : last + 1]
        content_range = {"Content-Range": f"bytes {first}-{first + len(part) - 1}/{len(data)}"}
        return _Answer(206, headers | content_range, part)


def _entries(repository: Repository) -> list[dict[str, Any]]:
    """List files and folders as the hub's tree does."""
    folders = {name[:end] for name in repository.files for end in range(len(name)) if name[end] == "/"}
    found: list[dict[str, Any]] = [
        {"type": "directory", "oid": hashlib.sha1(folder.encode()).hexdigest(), "size": 0, "path": folder}
        for folder in sorted(folders)
    ]
    for name, data in repository.files.items():
        entry = {"type": "file", "oid": hashlib.sha1(data).hexdigest(), "size": len(data), "path": name}
        if repository.is_large(name):
            entry["lfs"] = {"oid": _sha256(data), "size": len(data), "pointerSize": 134}
        found.append(entry)
    return found
