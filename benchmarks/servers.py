"""The targets: one nginx on several ports, plain and with TLS, that always answers 200."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from benchmarks.programs import BenchmarkError, Programs, find, free_ports

if TYPE_CHECKING:
    from pathlib import Path

PORTS = 8
"""A closed connection holds its pair of ports for a minute, so one server port is too few for 667 probes a second."""

NGINX = """
daemon off;
worker_processes 2;
error_log stderr crit;
pid {folder}/nginx.pid;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    {listen}
    ssl_certificate {folder}/server.pem;
    ssl_certificate_key {folder}/server.key;
    default_type text/plain;
    location / {{ return 200 "ok\\n"; }}
  }}
}}
"""


class Nginx:
    """The server, and the URLs of its targets."""

    def __init__(self, programs: Programs) -> None:
        folder = programs.folder
        self.ca_file = make_certificates(folder)
        ports = free_ports(2 * PORTS)
        self._ports = {"http": ports[:PORTS], "https": ports[PORTS:]}
        listen = "\n    ".join(
            f"listen 127.0.0.1:{port} backlog=4096{' ssl' if scheme == 'https' else ''};"
            for scheme, of_scheme in self._ports.items()
            for port in of_scheme
        )
        config = programs.write("nginx.conf", NGINX.format(folder=folder, listen=listen))
        program = programs.start(
            "nginx", find("nginx", "nginx-light"), "-p", folder, "-e", "stderr", "-c", config
        )
        program.wait_for(f"http://127.0.0.1:{self._ports['http'][0]}/")

    def urls(self, scheme: str, count: int) -> list[str]:
        ports = self._ports[scheme]
        return [f"{scheme}://127.0.0.1:{ports[index % PORTS]}/{index}" for index in range(count)]


def make_certificates(folder: Path) -> Path:
    """Make an authority and a certificate for 127.0.0.1 signed by it (ECDSA P-256), as server.pem and server.key.

    Return the file of the authority.
    """
    openssl = find("openssl", "openssl")
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30"]
    ca = ["-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Benchmark CA"]
    _run([openssl, "req", "-x509", *key, *ca], folder)
    signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-keyout", "server.key", "-out", "server.pem"]
    name = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    leaf = ["-addext", "basicConstraints=critical,CA:FALSE"]
    _run([openssl, "req", "-x509", *key, *signed, *name, *leaf], folder)
    return folder / "ca.pem"


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BenchmarkError(f"{' '.join(command)}:\n{done.stderr}")
