"""The health checks that run inside containers, against real servers."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from exporter.outputs import health
from exporter.outputs.durations import engine_duration
from exporter.outputs.health import CHECK_FILE, python_check, python_port_check, service_check, wget_check
from tests.components import require
from tests.outputs.catalogs import catalog_of
from tests.waiting import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

OK = ((200, 299),)
PROGRAM = Path(health.__file__).parent / "images/healthcheck.py"


class Handler(BaseHTTPRequestHandler):
    """A server where /STATUS answers with that status; /moved redirects to /200."""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.send_response(302 if path == "/moved" else int(path[1:]))
        if path == "/moved":
            self.send_header("Location", "/200")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def run(command: list[str], program: str) -> subprocess.CompletedProcess[str]:
    """Run the check as the engine would, but with this machine's program and the file of the images; the proxy does
    not exist."""
    command = [str(PROGRAM) if part == CHECK_FILE else part for part in command]
    environment = {"http_proxy": f"http://127.0.0.1:{free_port()}", "PATH": "/usr/bin:/bin"}
    return subprocess.run(
        [program, *command[1:]], capture_output=True, text=True, env=environment, timeout=20
    )


@pytest.mark.parametrize(
    ("path", "statuses", "healthy"),
    [
        ("/200", OK, True),
        ("/204?a='b\"&c=$d", OK, True),
        ("/moved", OK, True),
        ("/404", OK, False),
        ("/503", OK, False),
        ("/404", ((200, 204), (404, 404)), True),
        ("/200", ((204, 204),), False),
    ],
)
def test_python_judges_the_status(
    server: str, path: str, statuses: tuple[tuple[int, int], ...], healthy: bool
) -> None:
    done = run(python_check(server + path, statuses, 5), sys.executable)
    assert (done.returncode == 0) is healthy, done.stderr
    if not healthy:
        assert done.stderr == f"{server}{path} answered {path[1:4]}\n"


def test_python_asks_with_the_method_and_gives_up(server: str) -> None:
    assert run(python_check(f"{server}/200", OK, 5, method="HEAD"), sys.executable).returncode == 0
    done = run(python_check(f"http://127.0.0.1:{free_port()}/", OK, 0.5), sys.executable)
    assert done.returncode == 1
    assert "Connection refused" in done.stderr


def test_a_port(server: str) -> None:
    assert run(python_port_check(int(server.rpartition(":")[2]), 5), sys.executable).returncode == 0
    assert run(python_port_check(free_port(), 5), sys.executable).returncode == 1


def test_wget(server: str, tmp_path: Path) -> None:
    wget = tmp_path / "wget"
    wget.symlink_to(require("busybox"))
    assert run(wget_check(f"{server}/moved"), str(wget)).returncode == 0
    assert run(wget_check(f"{server}/404"), str(wget)).returncode == 1


@pytest.mark.parametrize(
    ("service", "asked"),
    [
        (
            "{build: {runtime: python}, port: 8000, health: /h}",
            ["http://127.0.0.1:8000/h", "GET", "10", "200-299"],
        ),
        (
            "{build: {runtime: python}, port: 1, healthcheck: {timeout: 1500ms}, "
            "health: {path: /h?a, port: 2, scheme: https, method: head, status: [200, 3xx]}}".replace(
                "30x", "3xx"
            ),
            ["https://127.0.0.1:2/h?a", "HEAD", "1.5", "200-200", "300-399"],
        ),
        (
            "{build: {runtime: python}, port: 1, health: {path: /h, bearer_token: {env: TOKEN}}}",
            ["http://127.0.0.1:1/h", "GET", "10", "100-599"],
        ),
        ('{build: {runtime: python}, port: 1, health: "https://elsewhere.example/h"}', ["1", "10"]),
        ("{build: {runtime: python}, port: 1}", ["1", "10"]),
        ("{build: {runtime: node}, port: 80}", ["-O", "/dev/null", "http://127.0.0.1:80/"]),
        ("{build: {runtime: node}, port: 80, health: /h}", ["-O", "/dev/null", "http://127.0.0.1:80/h"]),
        ("{build: {runtime: python, entry: worker}}", None),
        ("{build: ., port: 1, health: /h}", None),
        ("{image: redis, port: 1, health: /h}", None),
    ],
)
def test_the_check_of_a_service(tmp_path: Path, service: str, asked: list[str] | None) -> None:
    catalog = catalog_of(tmp_path, f"project: shop\nservices: {{web: {service}}}\n")
    check = service_check(catalog, catalog.services["web"])
    assert (check[-len(asked) :] if check and asked else check) == asked
    assert "TOKEN" not in json.dumps(check)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.25, "250ms"), (90, "1m30s"), (86400, "24h"), (3600.5, "1h500ms")]
)
def test_durations_have_no_days(seconds: float, text: str) -> None:
    assert engine_duration(seconds) == text
