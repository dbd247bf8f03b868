"""A small application on a Docker engine of the tests, deployed by the generated scripts.

Its images are busybox's httpd with different pages: `v1` and `v2` pass their health checks, `broken` does not. A real
nginx, the host's own in an image, is in front of the two replicas of `api`. Its configuration is written by the
tests, because Debian's nginx does not support `resolve` in an upstream; it resolves names through a variable instead,
with the same five seconds.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exporter.catalog.loading import load_catalog
from exporter.outputs.scripts import render
from tests.components import require
from tests.docker_engine import IMAGE
from tests.waiting import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.docker_engine import DockerEngine

ENVIRONMENT = "staging"
PROJECT = f"shop-{ENVIRONMENT}"
NASTY = "a b'c\"d$HOME`id`\\e -f;g*"
"""One line with characters that are special in a shell. Compose reads $$ as a single $."""
DEADLINE = 60

_HEALTH = 'test: [CMD, wget, -q, -O, /dev/null, "http://127.0.0.1:8080/health"]'
_TIMES = "interval: 1s, timeout: 5s, retries: 4"
_COMPOSE = """
services:
  data:
    image: {image}
    command: [httpd, -f, -p, "8080", -h, /bin]
    stop_signal: KILL
    environment: {{NASTY: {nasty}}}
    labels: {{nasty: {nasty}}}
  api:
    image: shop/api:${{TAG:?}}
    deploy: {{replicas: 2}}
    stop_signal: KILL
    depends_on: {{data: {{condition: service_started}}}}
    healthcheck: {{{health}, {times}}}
  gateway:
    image: nginx:local
    command: [nginx, -c, /nginx.conf, -g, daemon off;]
    stop_signal: KILL
    volumes: [../../nginx.conf:/nginx.conf:ro]
    tmpfs: [/tmp, /var/log/nginx]
    ports: ["127.0.0.1:{edge}:8080"]
  web:
    secrets: [token]
    image: shop/web:${{TAG:?}}
    build: {{context: ../../web}}
    stop_signal: KILL
    depends_on: {{api: {{condition: service_healthy}}}}
    ports: ["127.0.0.1:{port}:8080"]
    healthcheck: {{{health}, {times}}}
secrets:
  token: {{file: "${{SECRETS_FOLDER:?}}/token"}}
networks:
  default: {{driver_opts: {{com.docker.network.bridge.name: {bridge}}}}}
"""
_NGINX = """
worker_processes 1;
pid /tmp/pid;
error_log stderr;
events {}
http {
  access_log off;
  client_body_temp_path /tmp/a; proxy_temp_path /tmp/b; fastcgi_temp_path /tmp/c; uwsgi_temp_path /tmp/d;
  scgi_temp_path /tmp/e;
  resolver 127.0.0.11 valid=5s ipv6=off;
  server {
    listen 8080;
    location / { set $api api; proxy_connect_timeout 2s; proxy_pass http://$api:8080; }
  }
}
"""
_CATALOG = """
project: shop
description: {nasty}
services:
  web:
    build: ./web
    depends_on: api
    probes: [{{name: page, http: {{url: "http://127.0.0.1:{port}/health"}}, timeout: 2s}}]
  api: {{image: shop/api, replicas: 2, depends_on: data}}
  data: {{image: data}}
  others: {{probes: [{{name: page, http: {{url: "http://127.0.0.1:1/"}}}}]}}
secrets: {{token: {{generate: 32}}}}
gateway: {{host: shop.example.com, routes: {{/: api}}}}
backup: {{directory: {backups}}}
environments:
  development: {{}}
  staging: {{address: "127.0.0.1:{{port}}", publish: edge, verify: {{deadline: 20s}}}}
  production: {{protected: true, verify: {{deadline: 20s}}}}
"""


class Application:
    """The application in `folder`: a catalog, its scripts, and a Compose file like the generated one."""

    def __init__(self, folder: Path, engine: DockerEngine) -> None:
        self.folder = folder
        self.engine = engine
        self.port = free_port()
        self.edge = free_port()
        self.bridge = f"shop{self.port}"
        self.state = folder / f"state {NASTY.replace('/', '')}"
        self._write()

    def _write(self) -> None:
        for name in ("web", "backups", "secrets"):
            (self.folder / name).mkdir(parents=True)
        nasty = json.dumps(NASTY)
        catalog = _CATALOG.format(
            port=self.port, nasty=nasty, backups=json.dumps(str(self.folder / "backups"))
        )
        config = self.folder / "config.yaml"
        config.write_text(catalog)
        token = self.folder / "secrets" / "token"
        token.write_text("s3cr3t")
        token.chmod(0o400)
        (self.folder / "nginx.conf").write_text(_NGINX)
        (self.folder / "scripts").mkdir()
        for environment in ("development", ENVIRONMENT, "production"):
            place = self.folder / "deploy" / environment
            place.mkdir(parents=True)
            found = load_catalog(config, environment)
            for file in render(found):
                script = self.folder / "scripts" / file.path
                script.write_text(file.text)
                script.chmod(0o755 if file.executable else 0o644)
            quoted = nasty.replace("$", "$$")
            (place / "compose.yaml").write_text(
                _COMPOSE.format(
                    image=IMAGE,
                    nasty=quoted,
                    health=_HEALTH,
                    times=_TIMES,
                    port=self.port,
                    edge=self.edge,
                    bridge=self.bridge,
                )
            )
        self.write_page("v1")
        (self.folder / "web" / "Dockerfile").write_text(_DOCKERFILE)

    def write_page(self, version: str) -> None:
        """Write the page that `--build` puts into web's image."""
        page = self.folder / "web" / "www"
        page.mkdir(exist_ok=True)
        (page / "index.html").write_text(version)
        (page / "health").write_text("ok") if version != "broken" else (page / "health").unlink(
            missing_ok=True
        )

    def build_images(self) -> None:
        """Build shop/web and shop/api as v1, v2 and broken, and nginx:local."""
        self.engine.docker("import", str(_root_of_nginx(self.folder / "nginx.tar")), "nginx:local")
        for version in ("v1", "v2", "broken"):
            self.write_page(version)
            tags = [word for name in ("web", "api") for word in ("--tag", f"shop/{name}:{version}")]
            self.engine.docker("build", *tags, str(self.folder / "web"))
        self.write_page("v1")

    @contextlib.contextmanager
    def connected(self) -> Iterator[None]:
        """Let its containers reach one another, even if the host's firewall forwards nothing, for example because
        another engine ran there. The engine of the tests does not change the firewall."""
        rule = ["FORWARD", "-i", self.bridge, "-o", self.bridge, "-j", "ACCEPT"]
        subprocess.run([require("iptables"), "-w", "-I", *rule], check=True)
        try:
            yield
        finally:
            subprocess.run([require("iptables"), "-w", "-D", *rule], check=True)

    @property
    def environment(self) -> dict[str, str]:
        exporter = os.environ.get("EXPORTER") or str(Path(sys.executable).with_name("exporter"))
        paths = (
            "/usr/bin",
            os.environ["PATH"],
        )  # the engine's own client first, which can build without plug-ins
        clean = {name: value for name, value in os.environ.items() if not name.startswith("DOCKER_")}
        return clean | {
            "PATH": ":".join(paths),
            "DOCKER_HOST": self.engine.host,
            "STATE_FOLDER": str(self.state),
            "SECRETS_FOLDER": str(self.folder / "secrets"),
            "EXPORTER": exporter,
            "MIN_FREE_MIB": "10",
        }

    def run(self, script: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run one of the scripts to its end."""
        return subprocess.run(
            [self.folder / "scripts" / f"{script}.sh", *arguments],
            env=self.environment | variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=150,
        )

    def deploy(self, tag: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.run("deploy", ENVIRONMENT, "--tag", tag, *arguments)

    def good(self, tag: str, *arguments: str) -> str:
        """Deploy, which must succeed, and return the output."""
        done = self.deploy(tag, *arguments)
        assert done.returncode == 0, done.stderr
        return done.stderr

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start deploy.sh in the background."""
        return subprocess.Popen(
            [self.folder / "scripts" / "deploy.sh", *arguments],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def kill_at(self, step: str, *arguments: str) -> None:
        """Start a deploy, and SIGKILL the script (not its child processes) as soon as it has entered `step`."""
        script = self.start(*arguments)
        deadline = time.monotonic() + DEADLINE
        try:
            while self.step() != step:
                assert time.monotonic() < deadline, f"{step} was not reached"
                assert script.poll() is None, f"it ended before {step}: {script.communicate()[1]}"
                time.sleep(0.001)
        finally:
            script.kill()
            script.wait()
            assert script.stderr is not None
            script.stderr.close()
        assert self.step() == step

    def step(self) -> str:
        """Return the current step of the deploy; empty if there is none."""
        try:
            lines = (self.state / "current").read_text().splitlines()
        except FileNotFoundError:
            return ""
        return next(line.partition("=")[2] for line in lines if line.startswith("step="))

    def records(self) -> list[dict[str, Any]]:
        file = self.state / "deploys.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def running(self) -> dict[str, list[str]]:
        """Return the images of each service's running containers, as the version in their page."""
        rows = self.engine.docker(
            "ps", "--no-trunc", "--filter", f"label=com.docker.compose.project={PROJECT}", "--format",
            '{{.Label "com.docker.compose.service"}} {{.ID}}',
        )  # fmt: skip
        found: dict[str, list[str]] = {}
        for service, container in (row.split() for row in rows.splitlines()):
            image = self.engine.docker("inspect", "--format", "{{.Image}}", container)
            found.setdefault(service, []).append(self.version_of(image))
        return {name: sorted(versions) for name, versions in found.items()}

    def version_of(self, image: str) -> str:
        for version in ("v1", "v2", "broken"):
            for name in ("web", "api"):
                known = self.engine.docker(
                    "image", "inspect", "--format", "{{.Id}}", f"shop/{name}:{version}"
                )
                if known == image:
                    return version
        return "other"

    def rollback_tags(self) -> set[str]:
        tags = self.engine.docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}").split()
        return {tag for tag in tags if ":rollback-" in tag}

    def snapshot(self) -> tuple[object, ...]:
        """Return everything that a dry run must leave unchanged."""
        containers = self.engine.docker("ps", "--all", "--no-trunc", "--format", "{{.ID}}")
        images = self.engine.docker(
            "image", "ls", "--all", "--no-trunc", "--format", "{{.ID}} {{.Repository}}:{{.Tag}}"
        )
        networks = self.engine.docker("network", "ls", "--quiet")
        files = sorted(str(path) for path in self.folder.rglob("*"))
        return containers, sorted(images.splitlines()), networks, files

    def clear(self) -> None:
        """Reset to the state before the first deploy."""
        self.engine.remove_all()
        self.engine.docker("network", "prune", "--force")
        subprocess.run([require("rm"), "-rf", "--", self.state], check=True)


_DOCKERFILE = f"""FROM {IMAGE}
COPY www /www
CMD ["httpd", "-f", "-v", "-p", "8080", "-h", "/www"]
"""


def _root_of_nginx(place: Path) -> Path:
    """Return a tar file of a root file system with the host's nginx and its libraries."""
    nginx = require("nginx")
    said = subprocess.run(["ldd", nginx], capture_output=True, text=True, check=True).stdout
    files = [nginx, *(word for word in said.split() if word.startswith("/"))]
    with tarfile.open(place, "w") as archive:
        for file in files:
            archive.add(Path(file).resolve(), file)
        for name in ("etc/passwd", "etc/group"):
            text = (
                b"root:x:0:0::/:\nnobody:x:65534:65534::/:\n"
                if "passwd" in name
                else b"root:x:0:\nnogroup:x:65534:\n"
            )
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text))
    return place
