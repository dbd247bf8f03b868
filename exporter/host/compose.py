"""Compose on an environment: version 2 (the plug-in `docker compose`) if it is installed, else docker-compose 1.29.

The output of Compose and the builder goes to the log of the run, never to the terminal.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import yaml

from exporter.host.failures import OperationError
from exporter.host.shown import shown
from exporter.host.tools import Done, run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from exporter.host.containers import Json
    from exporter.host.site import Site

FILES = ("compose.yaml", "compose.monitoring.yaml", "images.yaml")
UP_SECONDS = 3600.0
"""Compose has no deadline of its own; a build or a pull on a slow connection takes long."""


def find_compose() -> tuple[str, ...]:
    """Return the command of Compose.

    Raises:
        OperationError: Neither version is installed.
    """
    if shutil.which("docker") and run(("docker", "compose", "version")).good:
        return ("docker", "compose")
    if shutil.which("docker-compose"):
        return ("docker-compose",)
    raise OperationError(
        "neither the plug-in docker compose nor docker-compose is installed; install one of them"
    )


@dataclass(frozen=True)
class Compose:
    """Compose with the files of one folder: of an environment, a release or a rollback.

    `command`: result of find_compose(). `engine`: address of the engine. `log`: file for the output.
    """

    site: Site
    folder: Path
    command: tuple[str, ...]
    engine: str | None = None
    log: Path | None = None
    more_files: tuple[Path, ...] = ()
    watch: Callable[[], None] | None = field(default=None, compare=False)

    @classmethod
    def running(cls, site: Site, **options: Any) -> Compose:
        """Return Compose on the deployed files; if nothing was ever deployed, on the environment's files."""
        return cls(site, site.state.running or site.folder, find_compose(), **options)

    # --- questions ---

    def config(self) -> Json:
        """Return the resolved files.

        Raises:
            OperationError: The files are not valid.
        """
        done = self._ask("config")
        try:
            found = yaml.safe_load(done.output)
        except yaml.YAMLError:
            found = None
        if not isinstance(found, dict):
            raise OperationError(f"the output of {' '.join(self.command)} config is not a YAML mapping")
        return cast("Json", _plain(found))

    def services(self) -> list[str]:
        """Return the names of the services, without those of inactive profiles."""
        return self._ask("config", "--services").output.decode("utf-8", "replace").split()

    def images(self) -> dict[str, str]:
        """Return the image of each service, except those that are only built."""
        found = _mapping(self.config().get("services"))
        return {
            str(name): service["image"]
            for name, service in found.items()
            if isinstance(service, dict) and isinstance(service.get("image"), str)
        }

    def secrets(self) -> list[str]:
        """Return the names of the secrets that containers mount from files."""
        found = _mapping(self.config().get("secrets"))
        return [str(name) for name, secret in found.items() if isinstance(secret, dict) and "file" in secret]

    def networks(self, service: str) -> list[str]:
        """Return Docker's names of a service's networks."""
        config = self.config()
        networks = _mapping(config.get("networks"))
        used = _mapping(_mapping(config.get("services")).get(service)).get("networks") or ["default"]
        named = {str(key): _mapping(value).get("name") for key, value in networks.items()}
        return [str(named.get(str(key)) or f"{self.site.compose_project}_{key}") for key in used]

    def hash(self, service: str) -> str:
        """Return the hash of a service's configuration, as in the label of its containers."""
        words = self._ask("config", "--hash", service).output.decode("utf-8", "replace").split()
        if not words:
            raise OperationError(f"{' '.join(self.command)} config --hash {service} printed nothing")
        return words[-1]

    # --- actions; each returns the tool's result ---

    def up(self, *arguments: str) -> Done:
        """Start services in the background."""
        return self.do("up", "-d", *arguments)

    def do(self, *arguments: str, seconds: float = UP_SECONDS) -> Done:
        """Run any command of Compose, with its output to the log."""
        return run(self.argv(*arguments), env=self.env(), log=self.log, seconds=seconds, watch=self.watch)

    def answer(self, *arguments: str, seconds: float = UP_SECONDS) -> Done:
        """Run a command of Compose (`run`, `config`) and return its standard output."""
        return run(self.argv(*arguments), env=self.env(), seconds=seconds, watch=self.watch)

    # --- how ---

    def argv(self, *arguments: str) -> list[str]:
        """Return the whole command line."""
        folder = self.site.folder
        options = ["-p", self.site.compose_project, "--project-directory", str(folder)]
        if (folder / ".env").is_file():
            options += ["--env-file", str(folder / ".env")]
        files = [self.folder / name for name in FILES if (self.folder / name).is_file()]
        for file in (*files, *self.more_files):
            options += ["-f", str(file)]
        return [*self.command, *options, *arguments]

    def env(self) -> dict[str, str]:
        """Return the variables that the generated files refer to, and the engine's address."""
        state = self.site.state_folder
        installed = (state / "files").is_dir()
        variables = {
            "TAG": self.tag(),
            "FILES_FOLDER": str(state / "files") if installed else "",
            "EXPORTER_CONFIG_FILE": str(state / "files/config.yaml") if installed else str(self.site.config),
            "STATE_FOLDER": str(state),
            "BACKUP_FOLDER": str(self.site.backup_folder),
            "SECRETS_FOLDER": str(self.site.secrets_folder),
            "DOCKER_BUILDKIT": "1",
            "COMPOSE_DOCKER_CLI_BUILD": "1",
        }
        if self.engine:
            variables["DOCKER_HOST"] = self.engine
        return variables

    def tag(self) -> str:
        """Return the tag for the files: the folder's own, else the requested one."""
        try:
            own = (self.folder / "tag").read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            own = ""
        except OSError as error:
            raise OperationError(f"{self.folder / 'tag'} cannot be read: {error.strerror}") from None
        return own or self.site.tag or "unknown"

    def _ask(self, *arguments: str) -> Done:
        done = run(self.argv(*arguments), env=self.env())
        if not done.good:
            reason = shown(done.reason, 500)
            raise OperationError(f"the Compose files in {self.folder} are not valid: {reason}")
        return done


def replace_process(compose: Compose, arguments: Sequence[str]) -> None:
    """Replace this process with Compose, which takes over input, output, signals and exit status."""
    argv = compose.argv(*arguments)
    try:
        os.execvpe(argv[0], argv, {**os.environ, **compose.env()})  # noqa: S606 - argv, no shell
    except OSError as error:
        raise OperationError(f"{argv[0]} cannot be started: {error.strerror}") from None


def _plain(value: object) -> object:
    """Return a value of `config` with its dollars unescaped: Compose prints each dollar twice."""
    if isinstance(value, str):
        return value.replace("$$", "$")
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list) else value


def _mapping(value: object) -> dict[Any, Any]:
    return value if isinstance(value, dict) else {}
