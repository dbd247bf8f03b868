"""An environment of a catalog as a place to act on: its names, folders, services and files, worked out once.

Folders and the tag come from the variables of the command, then from deploy/ENVIRONMENT/.env, then from the catalog.
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
from exporter.host.state import StateFolder
from exporter.host.tools import run
from exporter.outputs.compose.conditions import awaited, jobs
from exporter.outputs.compose.names import GATEWAY, deployed_services, deployed_stores
from exporter.outputs.gateway.http import LOOK_UP_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from exporter.catalog.catalog import Catalog

HANDED_OVER = ".handed-over"
"""A file beside config.yaml in what was copied to an environment's host: the engine is the local one there."""
MONITORING_FILE = "compose.monitoring.yaml"
_FILE_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class ServiceFacts:
    """A service that is deployed. `level`: 1 above the highest that it depends on; stores are at 0.

    `job`: others wait for its end. `awaited`: it must be healthy, or have completed, before another one starts.
    """

    name: str
    level: int
    replicas: int
    job: bool
    awaited: bool
    built: bool


@dataclass(frozen=True)
class Site:
    """One environment. `root` holds the generated `deploy/`; `folder` is deploy/ENVIRONMENT; `config` the catalog.

    `stores` have a container of their own; `file_stores` are files in volumes of services.
    """

    catalog: Catalog
    config: Path
    root: Path
    state_folder: Path
    backup_folder: Path
    secrets_folder: Path
    requested_tag: str | None
    variables: Mapping[str, str] = field(repr=False)
    """Those of .env and of this process; some are secrets."""
    own_variables: Mapping[str, str] = field(repr=False)
    """Those of .env alone."""

    @classmethod
    def of(
        cls, catalog: Catalog, config: Path, root: Path, variables: Mapping[str, str] | None = None
    ) -> Site:
        """Work out the environment of `catalog`; `variables` are this process' own if not given.

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
                raise OperationError(f"{name} is {folder}; write an absolute path", WRONG_USAGE)
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
        """The catalog's project."""
        return self.catalog.project

    @property
    def environment(self) -> str:
        """The environment's name."""
        return self.catalog.environment_name

    @property
    def title(self) -> str:
        """The environment in a sentence."""
        return f"{self.project} in {self.environment}"

    @property
    def compose_project(self) -> str:
        """Compose's project, which all containers, networks and volumes are labelled with."""
        return compose_project(self.catalog)

    @property
    def protected(self) -> bool:
        """True if deploys ask for approval and back up first."""
        return self.catalog.environment.protected

    @property
    def docker_host(self) -> str | None:
        """The engine; None: the usual one of this host, which it always is in what was copied there."""
        return None if self.handed_over else self.catalog.environment.docker_host

    @property
    def handed_over(self) -> bool:
        """True if these files were copied here, to the environment's host, for this command."""
        return (self.root / HANDED_OVER).is_file()

    @property
    def verify_seconds(self) -> int:
        """Seconds until everything must be healthy after a deploy."""
        return math.ceil(self.catalog.environment.verify.deadline)

    @property
    def tag_default(self) -> str | None:
        """The catalog's tag of images that are built here."""
        return self.catalog.environment.tag

    @property
    def tag(self) -> str | None:
        """The tag that was asked for, else the catalog's; None: the commit's."""
        return self.requested_tag or self.tag_default

    def commit(self) -> str | None:
        """Return the commit of the catalog's checkout in short; None where there is none."""
        if shutil.which("git") is None:
            return None
        done = run(("git", "-C", str(self.root), "rev-parse", "--short=12", "HEAD"))
        return done.output.decode("ascii", "replace").strip() if done.good else None

    # --- files ---

    @property
    def folder(self) -> Path:
        """The environment's generated files."""
        return self.root / "deploy" / self.environment

    @property
    def state(self) -> StateFolder:
        """The state folder."""
        return StateFolder(self.state_folder)

    @property
    def has_monitoring(self) -> bool:
        """True if the monitoring stack is deployed with the services."""
        return (self.folder / MONITORING_FILE).is_file()

    # --- services ---

    @cached_property
    def services(self) -> tuple[ServiceFacts, ...]:
        """The services that are deployed, lowest first."""
        levels = levels_of(self.catalog)
        waited_for, ending = awaited(self.catalog), jobs(self.catalog)
        return tuple(
            ServiceFacts(
                name, level, service.replicas, name in ending, name in waited_for, bool(service.build)
            )
            for name, level in levels.items()
            if (service := self.catalog.services[name]).deployed
        )

    def service(self, name: str) -> ServiceFacts | None:
        """Return a deployed service by name."""
        return next((each for each in self.services if each.name == name), None)

    @cached_property
    def stores(self) -> tuple[str, ...]:
        """Stores with a container of their own."""
        return tuple(deployed_stores(self.catalog))

    @cached_property
    def awaited_stores(self) -> tuple[str, ...]:
        """Stores that must be healthy before a service starts."""
        waited_for = awaited(self.catalog)
        return tuple(name for name in self.stores if name in waited_for)

    @cached_property
    def file_stores(self) -> tuple[str, ...]:
        """Stores that are files in volumes of what is deployed."""
        return tuple(
            name for name, store in self.catalog.stores.items() if store.deployed and store.engine == "sqlite"
        )

    @cached_property
    def watched(self) -> tuple[str, ...]:
        """Services and stores that somebody else runs."""
        sections = (self.catalog.services, self.catalog.stores)
        return tuple(name for section in sections for name, each in section.items() if not each.deployed)

    @property
    def start_alone(self) -> str:
        """The command that starts the monitoring stack of what is only watched."""
        return f"exporter compose -e {self.environment} -- up --detach"

    def require_deployed(self, service: str = "") -> None:
        """See that the catalog deploys this service or store, or anything if it is empty.

        Raises:
            OperationError: it is only watched.
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
        """The gateway's service, if there is one."""
        return GATEWAY if self.catalog.own_gateway else None

    @property
    def gateway_profile(self) -> str | None:
        """The Compose profile that the gateway is in where all ports are open anyway: it starts when asked for."""
        return GATEWAY if self.catalog.own_gateway and self.catalog.environment.publishes_all else None

    @property
    def gateway_resolve_seconds(self) -> int:
        """How long the gateway keeps an answer of the engine's DNS."""
        return LOOK_UP_SECONDS

    @cached_property
    def monitoring(self) -> tuple[str, ...]:
        """The services of the monitoring stack, where it is deployed with the others."""
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
        """Every Compose service in the order in which they start."""
        gateway = (self.gateway,) if self.gateway else ()
        return (*self.stores, *(each.name for each in self.services), *gateway, *self.monitoring)


def load_site(config: Path, environment: str | None, root: Path | None = None) -> Site:
    """Load a catalog and find the files that were generated from it.

    Without `root`, they are next to the catalog, else in the folder that the command runs in.

    Raises:
        CatalogError: the catalog is wrong.
        OperationError: nothing was generated for the environment.
    """
    catalog = load_catalog(config, environment)
    name = catalog.environment_name
    generated = "compose.yaml" if catalog.deploys else MONITORING_FILE
    tried = [root.absolute()] if root else list(dict.fromkeys((config.absolute().parent, Path.cwd())))
    for folder in tried:
        if (folder / "deploy" / name / generated).is_file():
            return Site.of(catalog, config.absolute(), folder)
    places = " nor ".join(str(folder / "deploy" / name) for folder in tried)
    raise OperationError(
        f"there are no generated files of {name} in {places}; write them with: exporter gen -c {config}",
        WRONG_USAGE,
    )


def levels_of(catalog: Catalog) -> dict[str, int]:
    """Return the level of each deployed service, lowest first; a service is above all that it depends on."""
    levels: dict[str, int] = {}

    def level(name: str) -> int:
        if name not in catalog.services:
            return 0
        if name not in levels:
            levels[name] = 1 + max((level(other) for other in catalog.services[name].depends_on), default=0)
        return levels[name]

    for name in catalog.services:
        level(name)
    there = deployed_services(catalog)
    return {
        name: levels[name]
        for name in sorted(catalog.services, key=lambda each: levels[each])
        if name in there
    }


def read_variables(file: Path) -> dict[str, str]:
    """Read NAME=VALUE lines as data, without expanding anything; one pair of quotes around a value is removed.

    Raises:
        OperationError: it is there and cannot be read.
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
