"""An environment for operators' commands: its names, folders, services and files.

Folders and the tag come from the command's variables, then from deploy/ENVIRONMENT/.env, then from the catalog.
"""

from __future__ import annotations

import math
import os
import shutil
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from exporter.catalog.loading import load_catalog
from exporter.catalog.planning.places import compose_project, secrets_folder, state_folder
from exporter.files import read_regular
from exporter.host.failures import WRONG_USAGE, OperationError
from exporter.host.levels import start_levels
from exporter.host.state import StateFolder
from exporter.host.tools import run
from exporter.outputs.compose.conditions import awaited, jobs
from exporter.outputs.compose.names import GATEWAY, deployed_stores
from exporter.outputs.gateway.http import LOOK_UP_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from exporter.catalog.catalog import Catalog

HANDED_OVER = ".handed-over"
"""A file next to config.yaml in files copied to an environment's host, where the engine is the local one."""
MONITORING_FILE = "compose.monitoring.yaml"
_FILE_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class ServiceFacts:
    """A deployed service. `level`: as `start_levels` has it.

    `job`: others wait until it has completed. `awaited`: it must be healthy or completed before another one starts.
    """

    name: str
    level: int
    replicas: int
    job: bool
    awaited: bool
    built: bool


@dataclass(frozen=True)
class Site:
    """One environment. `root` contains the generated `deploy/`; `folder`: deploy/ENVIRONMENT; `config`: the catalog.

    `stores` have their own container; `file_stores` are files in volumes of services.
    """

    catalog: Catalog
    config: Path
    root: Path
    state_folder: Path
    backup_folder: Path
    secrets_folder: Path
    requested_tag: str | None
    variables: Mapping[str, str] = field(repr=False)
    """Variables of .env and of this process; some are secrets."""
    own_variables: Mapping[str, str] = field(repr=False)
    """Variables of .env only."""

    @classmethod
    def of(
        cls, catalog: Catalog, config: Path, root: Path, variables: Mapping[str, str] | None = None
    ) -> Site:
        """Return the environment of `catalog`. `variables`: default: those of this process.

        Raises:
            OperationError: .env cannot be read, or a folder is not absolute.
        """
        environment = catalog.environment_name
        own = dict(os.environ if variables is None else variables)
        written = read_variables(root / "deploy" / environment / ".env")
        known = {**written, **{name: value for name, value in own.items() if value}}
        folders = {
            "STATE_FOLDER": known.get("STATE_FOLDER") or state_folder(catalog),
            "SECRETS_FOLDER": known.get("SECRETS_FOLDER") or secrets_folder(catalog),
        }
        for name, folder in folders.items():
            if not folder.startswith("/"):
                raise OperationError(f"{name} is {folder}; set it to an absolute path", WRONG_USAGE)
        return cls(
            catalog=catalog,
            config=config,
            root=root,
            state_folder=Path(folders["STATE_FOLDER"]),
            backup_folder=root / (known.get("BACKUP_FOLDER") or catalog.backup.directory),
            secrets_folder=Path(folders["SECRETS_FOLDER"]),
            requested_tag=known.get("TAG") or None,
            variables=known,
            own_variables=written,
        )

    # --- names ---

    @property
    def project(self) -> str:
        """Return the catalog's project."""
        return self.catalog.project

    @property
    def environment(self) -> str:
        """Return the environment's name."""
        return self.catalog.environment_name

    @property
    def title(self) -> str:
        """Return the environment's name for messages."""
        return f"{self.project} in {self.environment}"

    @property
    def compose_project(self) -> str:
        """Return the Compose project, a label of all containers, networks and volumes."""
        return compose_project(self.catalog)

    @property
    def protected(self) -> bool:
        """True if deploys ask for approval and back up first."""
        return self.catalog.environment.protected

    @property
    def docker_host(self) -> str | None:
        """Return the engine's address; None: this host's default, also for files that were copied here."""
        return None if self.handed_over else self.catalog.environment.docker_host

    @property
    def handed_over(self) -> bool:
        """True if these files were copied to this host, the environment's host, for this command."""
        return (self.root / HANDED_OVER).is_file()

    @property
    def verify_seconds(self) -> int:
        """Return the seconds within which everything must be healthy after a deploy."""
        return math.ceil(self.catalog.environment.verify.deadline)

    @property
    def tag_default(self) -> str | None:
        """Return the catalog's tag of images that are built here."""
        return self.catalog.environment.tag

    @property
    def tag(self) -> str | None:
        """Return the requested tag, else the catalog's; None: use the commit's."""
        return self.requested_tag or self.tag_default

    def commit(self) -> str | None:
        """Return the short commit of the catalog's checkout, or None without one."""
        if shutil.which("git") is None:
            return None
        done = run(("git", "-C", str(self.root), "rev-parse", "--short=12", "HEAD"))
        return done.output.decode("ascii", "replace").strip() if done.good else None

    # --- files ---

    @property
    def folder(self) -> Path:
        """Return the folder of the environment's generated files."""
        return self.root / "deploy" / self.environment

    @property
    def state(self) -> StateFolder:
        """Return the state folder."""
        return StateFolder(self.state_folder)

    @property
    def has_monitoring(self) -> bool:
        """True if the monitoring stack is deployed with the services."""
        return (self.folder / MONITORING_FILE).is_file()

    # --- services ---

    @cached_property
    def services(self) -> tuple[ServiceFacts, ...]:
        """Return the deployed services, lowest level first."""
        waited_for, ending = awaited(self.catalog), jobs(self.catalog)
        return tuple(
            ServiceFacts(
                name, level, service.replicas, name in ending, name in waited_for, bool(service.build)
            )
            for name, level in start_levels(self.catalog).items()
            if (service := self.catalog.services.get(name))
        )

    def service(self, name: str) -> ServiceFacts | None:
        """Return a deployed service by name."""
        return next((each for each in self.services if each.name == name), None)

    @cached_property
    def stores(self) -> tuple[str, ...]:
        """Return the stores that have their own container."""
        return tuple(deployed_stores(self.catalog))

    @cached_property
    def store_levels(self) -> dict[str, int]:
        """Return the level of each of these stores."""
        return {name: level for name, level in start_levels(self.catalog).items() if name in self.stores}

    @cached_property
    def on_demand(self) -> frozenset[str]:
        """Services and stores of a profile, which a deploy does not start."""
        containers = {**self.catalog.services, **self.catalog.stores}
        return frozenset(name for name, container in containers.items() if container.profiles)

    @cached_property
    def awaited_stores(self) -> tuple[str, ...]:
        """Return the stores that must be healthy before a service starts."""
        waited_for = awaited(self.catalog)
        return tuple(name for name in self.stores if name in waited_for)

    @cached_property
    def file_stores(self) -> tuple[str, ...]:
        """Return the stores that are files in volumes of deployed services."""
        return tuple(
            name for name, store in self.catalog.stores.items() if store.deployed and store.engine == "sqlite"
        )

    @cached_property
    def watched(self) -> tuple[str, ...]:
        """Return the services and stores that somebody else runs."""
        sections = (self.catalog.services, self.catalog.stores)
        return tuple(name for section in sections for name, each in section.items() if not each.deployed)

    @property
    def watched_note(self) -> str:
        """Return a sentence about what somebody else runs; empty without any."""
        names = ", ".join(self.watched)
        return f"only watched, never deployed or backed up from here: {names}" if names else ""

    @property
    def start_alone(self) -> str:
        """Return the command that starts the monitoring stack of a catalog that only watches."""
        return f"exporter compose -e {self.environment} -- up --detach"

    def require_deployed(self, service: str = "") -> None:
        """Check that the catalog deploys this service or store, or anything if it is empty.

        Raises:
            OperationError: It is only watched.
        """
        if service in self.watched:
            raise OperationError(
                f"{service} is only watched in {self.environment}: somebody else runs it, and nothing here changes it",
                WRONG_USAGE,
            )
        if not self.catalog.deploys:
            raise OperationError(
                f"{self.title} is only watched, so there is nothing to deploy; start the monitoring stack alone with: "
                f"{self.start_alone}",
                WRONG_USAGE,
            )

    @property
    def gateway(self) -> str | None:
        """Return the gateway's service, if there is one."""
        return GATEWAY if self.catalog.own_gateway else None

    @property
    def gateway_profile(self) -> str | None:
        """Return the gateway's Compose profile, if it starts only on request because all ports are published."""
        return GATEWAY if self.catalog.own_gateway and self.catalog.environment.publishes_all else None

    @property
    def gateway_resolve_seconds(self) -> int:
        """Return how long the gateway caches an answer of the engine's DNS."""
        return LOOK_UP_SECONDS

    @cached_property
    def monitoring(self) -> tuple[str, ...]:
        """Return the services of the monitoring stack, if it is deployed with the others."""
        try:
            found = yaml.safe_load(read_regular(self.folder / MONITORING_FILE, _FILE_BYTES))
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise OperationError(
                f"{self.folder / MONITORING_FILE} cannot be read: {error.strerror}"
            ) from None
        except yaml.YAMLError:
            raise OperationError(f"{self.folder / MONITORING_FILE} is not YAML; run: exporter gen") from None
        services = found.get("services") if isinstance(found, dict) else None
        return tuple(map(str, services)) if isinstance(services, dict) else ()

    @cached_property
    def all_services(self) -> tuple[str, ...]:
        """Return every Compose service in start order."""
        gateway = (self.gateway,) if self.gateway else ()
        return (*self.stores, *(each.name for each in self.services), *gateway, *self.monitoring)


def load_site(config: Path, environment: str | None, root: Path | None = None) -> Site:
    """Load a catalog and find its generated files.

    Without `root`, they are next to the catalog or in the current folder.

    Raises:
        CatalogError: The catalog is invalid.
        OperationError: There are no generated files of the environment.
    """
    catalog = load_catalog(config, environment)
    name = catalog.environment_name
    generated = "compose.yaml" if catalog.deploys else MONITORING_FILE
    tried = [root.absolute()] if root else list(dict.fromkeys((config.absolute().parent, Path.cwd())))
    for folder in tried:
        if (folder / "deploy" / name / generated).is_file():
            return Site.of(catalog, config.absolute(), folder)
    places = " or ".join(str(folder / "deploy" / name) for folder in tried)
    raise OperationError(
        f"there are no generated files of {name} in {places}; generate them with: exporter gen -c {config}",
        WRONG_USAGE,
    )


def read_variables(file: Path) -> dict[str, str]:
    """Read NAME=VALUE lines without expanding anything; one pair of quotes around a value is removed.

    Raises:
        OperationError: The file exists but cannot be read.
    """
    try:
        raw = read_regular(file, _FILE_BYTES)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise OperationError(f"{file} cannot be read: {error.strerror}") from None
    return dict(_pairs(raw.decode("utf-8", "replace")))


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        name, found, value = line.partition("=")
        if found and not name.lstrip().startswith("#"):
            quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
            yield name.strip(), value[1:-1] if quoted else value
