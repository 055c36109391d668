"""Serve as much of W&B as the SDK needs to upload a run: GraphQL, file streams and uploads, kept in memory.

Unknown operations are answered with no data, as a server of another version would.
"""

import json
import re
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

ENTITY = "somebody"


@dataclass
class UploadedRun:
    """What the server has of one run."""

    record: dict[str, Any] = field(default_factory=dict)  # project, groupName, jobType, tags, displayName
    config: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    lines: dict[int, str] = field(default_factory=dict)  # the history by its offset
    exit_code: int | None = None

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [json.loads(line) for _, line in sorted(self.lines.items())]


class WandbServer:
    """A server on a free port of this host for the length of a `with` block."""

    def __init__(self) -> None:
        self.runs: dict[str, UploadedRun] = {}
        self.files: dict[str, bytes] = {}  # by their path on the server
        self.artifacts: list[tuple[str, str]] = []  # name and type of each that was started
        self.status = 200  # what every request is answered with, or those that `refused` names
        self.refused = ""  # a pattern of operations and paths; empty means all
        self.delay_seconds = 0.0  # before every answer
        self.resets = False  # break the connection instead of answering
        self.requests: list[str] = []
        self.bodies: list[bytes] = []  # everything sent to the server except the headers, which contain the key
        self.dead = False
        self._awake = threading.Event()  # not set: a request waits without end
        self._awake.set()
        self._lock = threading.Lock()
        self._http = self._listening(0)
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"

    def _listening(self, port: int) -> ThreadingHTTPServer:
        http = ThreadingHTTPServer(("127.0.0.1", port), type("Handler", (_Handler,), {"server_state": self}))
        http.daemon_threads = True
        http.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients that leave are expected
        return http

    def _serve(self) -> None:
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def __enter__(self) -> "WandbServer":
        self._serve()
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self.die()

    def die(self) -> None:
        """Stop answering: open connections break, new ones are refused."""
        if not self.dead:
            self.dead = True
            self._awake.set()
            self._http.shutdown()
            self._http.server_close()

    def hang(self) -> None:
        """Accept every request and answer none."""
        self._awake.clear()

    def recover(self) -> None:
        """Work again, at the same address and with everything that had arrived."""
        self.status, self.refused, self.delay_seconds, self.resets = 200, "", 0.0, False
        self._awake.set()
        if self.dead:
            self.dead = False
            self._http = self._listening(int(self.url.rpartition(":")[2]))
            self._serve()

    def refuses(self, what: str) -> bool:
        return self.status != 200 and re.search(self.refused, what) is not None

    def will_answer(self) -> bool:
        """Wait as configured; a request that was left hanging is never answered, since its sender has gone."""
        time.sleep(self.delay_seconds)
        hanging = not self._awake.is_set()
        self._awake.wait()
        return not (hanging or self.dead or self.resets)

    def graphql(self, name: str, variables: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            answers: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
                "Viewer": self._viewer,
                "UpsertBucket": self._upsert,
                "RunResumeStatus": self._resume_status,
                "CreateRunFiles": self._run_files,
                "ServerFeaturesQuery": lambda _: {"serverInfo": {"features": []}},
                "ArtifactType": lambda _: {"project": None},
                "CreateArtifact": self._artifact,
                "CreateArtifactManifest": self._manifest,
                "UpdateArtifactManifest": self._manifest,
                "CreateArtifactFiles": self._artifact_files,
                "CommitArtifact": lambda _: {"commitArtifact": {"artifact": {"id": "artifact", "digest": "d"}}},
            }
            return answers[name](variables) if name in answers else {}

    def stream(self, run_id: str, body: dict[str, Any]) -> None:
        with self._lock:
            run = self.runs.setdefault(run_id, UploadedRun())
            for name, chunk in body.get("files", {}).items():
                if name == "wandb-history.jsonl":
                    run.lines.update(enumerate(chunk["content"], start=chunk["offset"]))
                elif name == "wandb-summary.json":
                    run.summary = json.loads(chunk["content"][-1])
            if body.get("complete"):
                run.exit_code = body["exitcode"]

    def _viewer(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"viewer": {"id": "u", "entity": ENTITY, "username": ENTITY, "flags": "{}", "teams": {"edges": []}}}

    def _upsert(self, variables: dict[str, Any]) -> dict[str, Any]:
        inserted = variables["name"] not in self.runs
        run = self.runs.setdefault(variables["name"], UploadedRun())
        run.record.update({key: value for key, value in variables.items() if value})
        if variables.get("config"):
            run.config.update({key: item["value"] for key, item in json.loads(variables["config"]).items()})
        project = {"name": run.record["project"], "entity": {"name": ENTITY}}
        shown = run.record.get("displayName", variables["name"])
        bucket = {"id": variables["name"], "name": variables["name"], "displayName": shown, "project": project}
        return {"upsertBucket": {"bucket": bucket | {"historyLineCount": len(run.lines)}, "inserted": inserted}}

    def _resume_status(self, variables: dict[str, Any]) -> dict[str, Any]:
        run = self.runs.get(variables["name"])
        if run is None:
            return {"model": None}
        lines = [line for _, line in sorted(run.lines.items())]
        config = {key: {"value": value} for key, value in run.config.items()}
        bucket = {
            "id": variables["name"],
            "name": variables["name"],
            "summaryMetrics": json.dumps(run.summary),
            "displayName": run.record.get("displayName"),
            "logLineCount": 0,
            "historyLineCount": len(lines),
            "eventsLineCount": 0,
            "historyTail": json.dumps(lines[-1:]),
            "eventsTail": "[]",
            "config": json.dumps(config),
            "tags": run.record.get("tags", []),
            "wandbConfig": json.dumps({"t": 1}),
        }
        return {
            "model": {"id": "p", "name": variables["project"], "entity": {"id": "e", "name": ENTITY}, "bucket": bucket}
        }

    def _upload(self, path: str) -> dict[str, Any]:
        return {"id": path, "name": path, "displayName": path, "uploadUrl": f"{self.url}/storage/{path}"}

    def _run_files(self, variables: dict[str, Any]) -> dict[str, Any]:
        files = [self._upload(f"{variables['run']}/{name}") | {"name": name} for name in variables["files"]]
        return {"createRunFiles": {"runID": variables["run"], "uploadHeaders": [], "files": files}}

    def _artifact(self, variables: dict[str, Any]) -> dict[str, Any]:
        asked = variables.get("input", variables)
        self.artifacts.append((str(asked.get("artifactCollectionName")), str(asked.get("artifactTypeName"))))
        artifact = {"id": "artifact", "state": "PENDING", "artifactSequence": {"id": "s", "latestArtifact": None}}
        return {"createArtifact": {"artifact": artifact}}

    def _manifest(self, _: dict[str, Any]) -> dict[str, Any]:
        manifest = {"id": "manifest", "file": self._upload("manifest.json") | {"uploadHeaders": []}}
        return {key: {"artifactManifest": manifest} for key in ("createArtifactManifest", "updateArtifactManifest")}

    def _artifact_files(self, variables: dict[str, Any]) -> dict[str, Any]:
        edges = [
            {
                "node": self._upload(f"artifact/{asked['name']}")
                | {
                    "name": asked["name"],
                    "uploadHeaders": [],
                    "storagePath": asked["name"],
                    "uploadMultipartUrls": None,
                    "artifact": {"id": "artifact"},
                }
            }
            for asked in variables["input"]["artifactFiles"]
        ]
        return {"createArtifactFiles": {"files": {"edges": edges}}}


class _Handler(BaseHTTPRequestHandler):
    server_state: WandbServer
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *_: object) -> None:
        pass

    def _answer(self) -> None:
        state = self.server_state
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        state.bodies.append(self.path.encode() + body)
        if not state.will_answer():
            if state.resets:  # an abrupt end, as when a proxy dies: RST, not FIN
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            return
        request = json.loads(body) if self.path == "/graphql" else {}
        operation = re.search(r"(?:query|mutation)\s+(\w+)", request.get("query", ""))
        name = operation.group(1) if operation else f"{self.command} {self.path}"
        state.requests.append(name)
        status = state.status if state.refuses(name) else 200
        data: dict[str, Any] = {} if status == 200 else {"errors": [{"message": "no"}]}
        if status == 200 and request:
            data = {"data": state.graphql(name, request.get("variables") or {})}
        elif status == 200 and self.path.endswith("/file_stream"):
            state.stream(self.path.split("/")[-2], json.loads(body))
        elif status == 200 and self.path.startswith("/storage/"):
            state.files[self.path.removeprefix("/storage/")] = body
        answer = json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST = do_PUT = _answer
