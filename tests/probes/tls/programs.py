"""Programs that use TLS: OpenSSL's server, and blackbox_exporter, whose results are compared with ours."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from tests.components import require
from tests.waiting import free_port, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.probes.certificates import Authority, Certificate


@contextlib.contextmanager
def s_server(certificate: Certificate, *options: str) -> Iterator[int]:
    """Run `openssl s_server`, which answers each HTTP request with status 200, and return its port."""
    port = free_port()
    command = [require("openssl"), "s_server", "-accept", f"127.0.0.1:{port}", "-www", "-quiet", *options]
    chain = [
        "-cert",
        str(certificate.cert),
        "-key",
        str(certificate.key),
        "-cert_chain",
        str(certificate.cert),
    ]
    with _running([*command, *chain]):
        until(lambda: listens(port), "OpenSSL's server")
        yield port


@dataclass(frozen=True)
class Blackbox:
    port: int

    def ask(self, target: str) -> dict[str, str]:
        """Return the samples of one probe, by name and labels."""
        url = f"http://127.0.0.1:{self.port}/probe?module=it&target={quote(target, safe='')}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        return dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))


@contextlib.contextmanager
def blackbox(folder: Path, authority: Authority) -> Iterator[Blackbox]:
    """Run blackbox_exporter for web pages with `authority` as trusted."""
    program = require("prometheus-blackbox-exporter")
    port = free_port()
    tls = {"ca_file": str(authority.ca_file)}
    module = {"prober": "http", "timeout": "5s", "http": {"tls_config": tls, "preferred_ip_protocol": "ip4"}}
    config = folder / "blackbox.yml"
    config.write_text(json.dumps({"modules": {"it": module}}))
    with _running([program, f"--config.file={config}", f"--web.listen-address=127.0.0.1:{port}"]):
        until(lambda: listens(port), "blackbox_exporter")
        yield Blackbox(port)


@contextlib.contextmanager
def _running(command: list[str]) -> Iterator[None]:
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            yield
        finally:
            process.terminate()


def listens(port: int) -> bool:
    """True if a program listens on a loopback port."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
