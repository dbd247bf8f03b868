"""Services to watch: one HTTP server with paths that are healthy, slow, failing or redirecting.

Real services cannot be used, because they do not fail on demand.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

SLOW_SECONDS = 0.3
STATUSES = {"/health": 200, "/slow": 200, "/fail": 503, "/redirect": 302, "/metrics": 200}


class Services(ThreadingHTTPServer):
    """A server whose `statuses` and `delays` (seconds) can be changed while it runs. Requests wait while `answering`
    is clear.

    `/metrics` exports `counted` requests by status, like the service's own metrics.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.statuses = dict(STATUSES)
        self.delays = {"/slow": SLOW_SECONDS}
        self.counted: Counter[str] = Counter()
        self.answering = threading.Event()
        self.answering.set()
        self.requests: list[tuple[float, str]] = []

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class Handler(BaseHTTPRequestHandler):
    server: Services

    def do_GET(self) -> None:
        self.server.requests.append((time.monotonic(), self.path))
        self.server.answering.wait(30)
        time.sleep(self.server.delays.get(self.path, 0))
        body = self._metrics() if self.path == "/metrics" else b"fine\n"
        with contextlib.suppress(ConnectionError):
            self.send_response(self.server.statuses.get(self.path, 404))
            if self.path == "/redirect":
                self.send_header("Location", "/health")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def _metrics(self) -> bytes:
        counted = self.server.counted.items()
        return "".join(f'http_requests_total{{status="{status}"}} {n}\n' for status, n in counted).encode()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name it has in http.server
        pass


@contextlib.contextmanager
def services(context: ssl.SSLContext | None = None) -> Iterator[Services]:
    """Serve until the end of the block, over TLS if a context is given."""
    server = Services()
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.answering.set()
        server.shutdown()
        server.server_close()
        thread.join(10)
