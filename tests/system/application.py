"""A small application, generated, built and running on a Docker engine of the tests' own: what a first user gets.

Behind the gateway stands `web`, which asks `api`, which keeps something in each of its stores (application_sources.py).
The files are those of `exporter gen`, the secrets of `exporter secrets`, the images of `web` and `api` those of the
generated Dockerfiles; application_images.py says what stands in for the images of others. Without a current nginx, the
gateway's file goes without `resolve`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.components import require
from tests.system.application_images import modern_nginx
from tests.system.application_sources import CATALOG, HOST, TEST, api, web
from tests.system.building import build, own_environment
from tests.system.separate_engine import client_environment

if TYPE_CHECKING:
    from tests.system.separate_engine import SeparateEngine

SERVICES = ("web", "api", "gateway")
STORES = {"db": 5432, "cache": 6379}
OURS = (*SERVICES, *STORES, "exporter")
"""All but the filter, which is root without capabilities because the engine's socket is root's."""
RUNNING = (*OURS, "docker-proxy")
SECRETS = ("db_password", "cache_password")
TAG = "1a2b3c4"
_SERVICE_LABEL = "com.docker.compose.service"


class Application:
    """Generated into `folder`, on an engine with all images. `compose`: the version that runs it, 1 or 2."""

    def __init__(
        self, folder: Path, engine: SeparateEngine, environment: str = TEST, compose: int = 1
    ) -> None:
        self.folder = folder
        self.engine = engine
        self.environment = environment
        self.project = f"shop-{environment}"
        self.deploy = folder / "deploy" / environment
        self.state = folder / "state"
        self.backups = folder / "backups" / environment
        self._secrets = folder / "secrets"
        self._compose = compose
        self.variables = {
            **client_environment(engine, compose),
            "DOCKER_SOCKET": str(engine.socket),
            "STATE_FOLDER": str(self.state),
            "SECRETS_FOLDER": str(self._secrets),
            "EXPORTER": str(Path(sys.executable).with_name("exporter")),
            "TAG": TAG,
        }

    def generate(self) -> None:
        """`exporter gen`, and the sources that it does not make."""
        for name, text in (("web", web("v1")), ("api", api())):
            (self.folder / name).mkdir()
            (self.folder / name / "main.py").write_text(text)
            (self.folder / name / "requirements.txt").write_text("uvicorn\n")
        (self.folder / "config.yaml").write_text(CATALOG)
        generate(self.folder / "config.yaml", self.folder)
        if not modern_nginx():
            conf = self.deploy / "gateway/nginx.conf"
            conf.write_text(conf.read_text().replace(" resolve ", " "))

    def change_catalog(self, old: str, new: str) -> None:
        """Write something else into the catalog, and generate again."""
        catalog = self.folder / "config.yaml"
        text = catalog.read_text()
        assert old in text
        catalog.write_text(text.replace(old, new))
        generate(catalog, self.folder)

    def write(self, version: str) -> None:
        """Make the sources of `web` those of another version."""
        (self.folder / "web" / "main.py").write_text(web(version))

    def script(self, name: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """One of the scripts in this environment, from its beginning to its end."""
        return subprocess.run(
            self.command(name, *arguments),
            env=self.variables | variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
        )

    def command(self, name: str, *arguments: str) -> list[str]:
        return [str(self.folder / f"scripts/{name}.sh"), self.environment, *arguments]

    def make_secrets(self) -> str:
        """Make the secrets, and return what is said meanwhile."""
        done = self.script("secrets", "create")
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    def secret(self, name: str) -> str:
        return (self._secrets / name).read_text()

    def build(self) -> None:
        """The services' images, from the generated Dockerfiles."""
        for service in ("web", "api"):
            built = build(
                self.engine,
                self.folder,
                *("--network=none", f"--tag=shop/{service}:{TAG}"),
                *("--file", str(self.deploy / "images" / service / "Dockerfile")),
            )
            assert built.returncode == 0, built.stderr

    def up(self) -> None:
        try:
            self.compose("up", "--detach", "--no-build", *RUNNING)
        except AssertionError as error:
            states = {name: each["State"] for name, each in self.containers().items()}
            said = self.compose("logs", "--no-color")
            raise AssertionError(f"{error}\n{said}\n{json.dumps(states, indent=2)}") from None

    def down(self) -> None:
        self.compose("down", "--volumes", "--timeout", "2")

    def compose(self, *arguments: str) -> str:
        """Compose on both files."""
        files = (self.deploy / name for name in ("compose.yaml", "compose.monitoring.yaml"))
        options = [part for file in files for part in ("-f", str(file))]
        program = [require("docker-compose")] if self._compose == 1 else [require("docker"), "compose"]
        return _said([*program, "-p", self.project, *options, *arguments], self.variables)

    def container(self, service: str) -> str:
        """The id of the service's one container."""
        return self.compose("ps", "-q", service).strip()

    def containers(self) -> dict[str, dict[str, Any]]:
        """What the engine knows of each of them, by service."""
        ids = self.engine.docker("ps", "--all", "--quiet", "--filter", f"label={_SERVICE_LABEL}").split()
        found = json.loads(self.engine.docker("inspect", *ids))
        return {each["Config"]["Labels"][_SERVICE_LABEL]: each for each in found}

    def address(self, service: str, network: str) -> str:
        networks = self.containers()[service]["NetworkSettings"]["Networks"]
        return str(networks[f"{self.project}_{network}"]["IPAddress"])

    def inside(self, service: str, *command: str) -> subprocess.CompletedProcess[str]:
        """A command in the service's container, however it ends."""
        return self.execute(self.container(service), *command)

    def execute(self, container: str, *command: str) -> subprocess.CompletedProcess[str]:
        """A command in a container, without input, however it ends."""
        return subprocess.run(
            [require("docker"), "--host", self.engine.host, "exec", container, *command],
            env=own_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def exporter(self, path: str) -> str:
        """What the daemon answers inside its container."""
        done = self.inside("exporter", "wget", "-q", "-Y", "off", "-O", "-", f"http://127.0.0.1:9877{path}")
        assert done.returncode == 0, done.stderr
        return done.stdout

    def ask(self, path: str) -> str:
        """What the world gets from the port of the gateway that the host publishes."""
        url = f"http://127.0.0.1:80{path}"
        return self.engine.host_command("busybox", "wget", "-q", "-O", "-", "--header", f"Host: {HOST}", url)


def generate(catalog: Path, out: Path) -> None:
    """`exporter gen`, as a person runs it."""
    _said([sys.executable, "-m", "exporter", "gen", "--config", str(catalog), "--out", str(out)])


def _said(command: list[str], environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=150)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
