"""A webhook receiver that keeps what Alertmanager delivers. Ours: what is on the other end is a team's own program."""

from __future__ import annotations

import contextlib
import json
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Delivered:
    """One alert of one notification."""

    status: str
    labels: dict[str, str]
    annotations: dict[str, str]

    @property
    def what(self) -> tuple[str, str]:
        return self.labels["alertname"], self.labels.get("service", "")


class Receiver(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.notifications: list[list[Delivered]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/"

    def alerts(self, status: str) -> list[Delivered]:
        """Every alert delivered as `firing` or `resolved`, but the watchdog."""
        found = (alert for notification in list(self.notifications) for alert in notification)
        return [alert for alert in found if alert.status == status and alert.what[0] != "Watchdog"]

    def has(self, status: str, name: str, service: str) -> Delivered | None:
        return next((alert for alert in self.alerts(status) if alert.what == (name, service)), None)


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        alerts = [Delivered(a["status"], a["labels"], a["annotations"]) for a in body["alerts"]]
        self.server.notifications.append(alerts)
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name it has in http.server
        pass


@contextlib.contextmanager
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
