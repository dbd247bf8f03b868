"""A real Alertmanager, and a webhook that receives its notifications."""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import httpx

from tests.components import require
from tests.waiting import free_port, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Message:
    """A notification: the path it was posted to, and Alertmanager's text."""

    path: str
    body: dict[str, Any]
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def status(self) -> str:
        return str(self.body["status"])

    @property
    def service(self) -> str:
        return str(self.body["groupLabels"].get("service", ""))

    @property
    def alerts(self) -> set[tuple[str, str]]:
        """Return the name and status of each alert."""
        return {(alert["labels"]["alertname"], alert["status"]) for alert in self.body["alerts"]}


class Webhook(ThreadingHTTPServer):
    """A server that keeps every message posted to it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.messages: list[Message] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def of(self, service: str) -> list[Message]:
        return [message for message in self.messages if message.service == service]


class _Handler(BaseHTTPRequestHandler):
    server: Webhook

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.messages.append(Message(self.path, body, dict(self.headers)))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name it has in http.server
        pass


@contextlib.contextmanager
def webhook() -> Iterator[Webhook]:
    """Receive messages until the end of the block."""
    server = Webhook()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


class RunningAlertmanager:
    """A running Alertmanager, used over its API."""

    def __init__(self, url: str) -> None:
        self.url = url

    def post(self, *alerts: dict[str, str], resolved: bool = False) -> None:
        """Fire these alerts, each given by its labels, or resolve them."""
        ends = {"endsAt": datetime.now(UTC).isoformat()} if resolved else {}
        body = [{"labels": labels, "annotations": {"summary": "a summary"}, **ends} for labels in alerts]
        httpx.post(f"{self.url}/api/v2/alerts", json=body).raise_for_status()

    def inhibited(self) -> set[tuple[str, str]]:
        """Return the service and name of each inhibited alert."""
        alerts = httpx.get(f"{self.url}/api/v2/alerts").raise_for_status().json()
        return {
            (alert["labels"].get("service", ""), alert["labels"]["alertname"])
            for alert in alerts
            if alert["status"]["inhibitedBy"]
        }

    def ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/-/ready").status_code == 200
        except httpx.TransportError:
            return False


@contextlib.contextmanager
def alertmanager(folder: Path, config: Path, port: int | None = None) -> Iterator[RunningAlertmanager]:
    """Run Alertmanager with this configuration on the given or any free port, until the end of the block."""
    port = port or free_port()
    process = subprocess.Popen(
        [
            require("prometheus-alertmanager"),
            f"--config.file={config}",
            f"--storage.path={folder / 'alertmanager'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
            "--log.level=error",
        ]
    )
    running = RunningAlertmanager(f"http://127.0.0.1:{port}")
    try:
        until(running.ready, "Alertmanager", 30)
        yield running
    finally:
        process.terminate()
        process.wait(20)
