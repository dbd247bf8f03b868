"""A real web server, nginx, on loopback, for behaviour that a test server cannot prove."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from typing import TYPE_CHECKING, Self

from tests.components import require

if TYPE_CHECKING:
    from pathlib import Path

    from tests.probes.certificates import Certificate

CONFIGURATION = """
daemon off;
master_process off;
pid {folder}/pid;
error_log stderr;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    gzip on;
    gzip_min_length 1;
    gzip_types application/json;
    server {{
        listen 127.0.0.1:{http};
        listen [::1]:{http};
        listen 127.0.0.1:{https} ssl;
        listen 127.0.0.1:{h2} ssl http2;
        listen 127.0.0.1:{h2c} http2;
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_certificate {certificate.cert};
        ssl_certificate_key {certificate.key};
        location = /health {{ default_type application/json; return 200 '{{"status": "up"}}'; }}
        location = /old {{ return 301 /health; }}
        location = /secure {{ return 302 https://127.0.0.1:{https}/health; }}
        location = /locked {{ auth_basic realm; auth_basic_user_file {folder}/users; alias {folder}/file; }}
        location = /file {{ alias {folder}/file; }}
        location / {{ return 404; }}
    }}
}}
"""


class Nginx:
    """An nginx that serves while its context lasts."""

    def __init__(self, folder: Path, certificate: Certificate) -> None:
        self._program = require("nginx")
        self._folder = folder
        self.http, self.https, self.h2, self.h2c = _free_ports(4)
        (folder / "file").write_text("a file of text\n" * 1000)
        (folder / "users").write_text("user:{PLAIN}s3cret\n")
        (folder / "nginx.conf").write_text(
            CONFIGURATION.format(
                folder=folder,
                http=self.http,
                https=self.https,
                h2=self.h2,
                h2c=self.h2c,
                certificate=certificate,
            )
        )

    def __enter__(self) -> Self:
        command = [self._program, "-p", str(self._folder), "-c", "nginx.conf", "-e", "stderr"]
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        end = time.monotonic() + 10
        while not self._accepts():
            log_text = (self._folder / "log").read_text()
            assert self._process.poll() is None, f"nginx did not start: {log_text}"
            assert time.monotonic() < end, f"nginx does not listen: {log_text}"
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(10)

    def _accepts(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.https), 1).close()
        except OSError:
            return False
        return True


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as sockets:
        opened = [sockets.enter_context(socket.socket()) for _ in range(count)]
        for one in opened:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in opened]
