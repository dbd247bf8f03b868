"""An engine that answers as the test says: JSON by path, on a Unix socket."""

from __future__ import annotations

import contextlib
import json
import socketserver
import tempfile
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

Answer = tuple[int, Any] | Callable[[], tuple[int, Any]]
VERSION = {"Version": "20.10.24", "ApiVersion": "1.41", "MinAPIVersion": "1.12"}


class FakeEngine:
    """A server. `answers`: by method and path without version and query. `asked`: the requests that came."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.answers: dict[str, Answer] = {"GET /version": (200, VERSION), "GET /info": (200, {})}
        self.asked: list[str] = []

    def holds(self, *containers: dict[str, Any]) -> None:
        """Answer with these containers, as `inspect` describes them."""
        self.answers["GET /containers/json"] = 200, [{"Id": each["Id"]} for each in containers]
        for each in containers:
            self.answers[f"GET /containers/{each['Id']}/json"] = 200, each


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def do(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        self.rfile.read(size)
        path = self.path.partition("?")[0]
        if path.startswith("/v1."):
            path = "/" + path.split("/", 2)[2]
        key = f"{self.command} {path}"
        engine = self.server.engine
        engine.asked.append(key)
        answer = engine.answers.get(key, (404, {"message": f"no such thing: {path}"}))
        status, body = answer() if callable(answer) else answer
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_DELETE = do_PUT = do  # noqa: N815 - names defined by http.server

    def address_string(self) -> str:
        return "client"

    def log_message(self, *_: object) -> None:
        """Log nothing."""


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    engine: FakeEngine


@contextlib.contextmanager
def fake_engine() -> Iterator[FakeEngine]:
    """Serve until the end of the block."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "docker.sock")
        with _Server(path, _Handler) as server:
            server.engine = FakeEngine(f"unix://{path}")
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
            try:
                yield server.engine
            finally:
                server.shutdown()


def described(name: str, service: str, **state: Any) -> dict[str, Any]:
    """Return a container as `inspect` describes it: running, of shop in staging."""
    labels = {
        "com.docker.compose.project": "shop-staging",
        "com.docker.compose.service": service,
        "com.docker.compose.container-number": "1",
    }
    image = state.pop("image", f"shop/{service}:v1")
    policy = state.pop("policy", "unless-stopped")
    started = "2026-11-30T16:00:00.5Z"
    return {
        "Id": name.ljust(64, "0"),
        "Name": f"/{name}",
        "Image": "sha256:" + "b" * 64,
        "State": {"Status": "running", "ExitCode": 0, "StartedAt": started, **state},
        "Config": {"Image": image, "Labels": labels},
        "HostConfig": {"RestartPolicy": {"Name": policy}},
    }
