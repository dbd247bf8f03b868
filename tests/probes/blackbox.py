"""The result of blackbox_exporter, the program that users of this one often know."""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING, Self
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

from tests.components import require
from tests.probes.servers import Server, silence

if TYPE_CHECKING:
    from pathlib import Path

MODULES = """
modules:
  get: {prober: http, timeout: 1s, http: {preferred_ip_protocol: ip4, valid_status_codes: [200, 204, 304]}}
  head: {prober: http, timeout: 1s, http: {preferred_ip_protocol: ip4, method: HEAD}}
  cookie: {prober: http, timeout: 1s, http: {preferred_ip_protocol: ip4,
    fail_if_header_not_matches: [{header: Set-Cookie, regexp: "^second="}]}}
  body: {prober: http, timeout: 1s, http: {preferred_ip_protocol: ip4, valid_status_codes: [200, 204],
    fail_if_body_not_matches_regexp: ["^fine"]}}
  insecure: {prober: http, timeout: 1s, http: {preferred_ip_protocol: ip4, tls_config: {insecure_skip_verify: true}}}
"""


class Blackbox:
    """A blackbox_exporter that probes while its context lasts. If it is missing, the test is
    skipped, unless CI=true."""

    def __init__(self, folder: Path) -> None:
        self._program = require("prometheus-blackbox-exporter")
        self._folder = folder
        (folder / "blackbox.yml").write_text(MODULES)
        with Server(silence) as gone:
            self._port = gone.port

    def __enter__(self) -> Self:
        command = [
            self._program,
            f"--config.file={self._folder / 'blackbox.yml'}",
            f"--web.listen-address=127.0.0.1:{self._port}",
        ]
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        end = time.monotonic() + 10
        while True:
            try:
                urlopen(f"http://127.0.0.1:{self._port}/-/healthy", timeout=1).close()
            except URLError:
                assert self._process.poll() is None, (self._folder / "log").read_text()
                assert time.monotonic() < end, "blackbox_exporter does not listen"
                time.sleep(0.02)
            else:
                return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(10)

    def probe(self, target: str, module: str = "get") -> dict[str, float]:
        """Return its metrics without labels, by name."""
        query = urlencode({"target": target, "module": module})
        with urlopen(f"http://127.0.0.1:{self._port}/probe?{query}", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        pairs = (line.split(" ") for line in lines if line and line[0] != "#" and "{" not in line)
        return {name: float(value) for name, value in pairs}
