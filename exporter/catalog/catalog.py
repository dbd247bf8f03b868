"""Root of the catalog."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, PrivateAttr, model_validator

from exporter.catalog.base import Model, one_or_many
from exporter.catalog.keys.alertmanager import Alertmanager
from exporter.catalog.keys.backup import Backup
from exporter.catalog.keys.compose import ComposeKeys
from exporter.catalog.keys.configs import Config
from exporter.catalog.keys.costs import Costs
from exporter.catalog.keys.defaults import Defaults
from exporter.catalog.keys.environments import Environment, EnvironmentOrEmpty
from exporter.catalog.keys.exporter import Exporter
from exporter.catalog.keys.gateway import Gateway
from exporter.catalog.keys.grafana import Grafana
from exporter.catalog.keys.infrastructure import Infrastructure
from exporter.catalog.keys.kubernetes import Kubernetes
from exporter.catalog.keys.maintenance import Maintenance
from exporter.catalog.keys.networks import NetworkOrEmpty
from exporter.catalog.keys.observe import Observe
from exporter.catalog.keys.owners import Owner
from exporter.catalog.keys.pipeline import Pipeline
from exporter.catalog.keys.prometheus import Prometheus
from exporter.catalog.keys.secrets import SecretSourceOrEmpty
from exporter.catalog.keys.services import Service
from exporter.catalog.keys.stores import Store
from exporter.catalog.keys.volumes import VolumeOrEmpty
from exporter.catalog.values.constants import DEFAULT_ENVIRONMENT
from exporter.catalog.values.names import ContainerName, Label, SecretName
from exporter.catalog.values.scalars import Text, Words
from exporter.catalog.values.switches import OnOff
from exporter.catalog.values.texts import Interpolated


class Catalog(Model):
    """A team's services in one environment."""

    project: Label = Field(
        description="Name of the project; it begins the names of networks, volumes and images."
    )
    title: Words = Field(
        default="",
        description="Display name; default: the project's name, its words capitalised.",
    )
    description: Words = Field(default="", description="Description, for people.")
    registry: Interpolated | None = Field(
        default=None, description="Registry that built images are pushed to, such as ghcr.io/team."
    )
    network: Label | None = Field(
        default=None,
        description="Name of the services' network; default: the project's name followed by -network.",
    )
    managed: OnOff = Field(
        default=True,
        description="off: everything runs already and is only watched; a service or store with managed: on is "
        "still deployed.",
    )
    observe: Observe = Field(
        default=Observe(),
        description="Existing Compose projects and networks that are watched, never changed.",
    )
    exporter: Exporter = Field(default=Exporter(), description="Settings of the daemon.")
    defaults: Defaults = Field(default=Defaults(), description="Defaults for all services.")
    owners: dict[Label, Owner] = Field(default={}, description="Who is notified, and how.")
    services: dict[ContainerName, Service] = Field(default={}, description="The services, by name.")
    stores: dict[ContainerName, Store] = Field(default={}, description="Databases and caches, by name.")
    volumes: dict[ContainerName, VolumeOrEmpty] = Field(default={}, description="Named volumes of services.")
    networks: dict[ContainerName, NetworkOrEmpty] = Field(
        default={},
        description="Networks in addition to the generated ones, and default: the network of all services.",
    )
    configs: dict[ContainerName, Config] = Field(
        default={}, description="Files of configuration that containers get, by name."
    )
    secrets: dict[SecretName, SecretSourceOrEmpty] = Field(
        default={}, description="Names of secrets and where they come from, never their values."
    )
    not_secret: Annotated[tuple[Text, ...], one_or_many(Text)] = Field(
        default=(),
        description="Names of variables, headers and parameters whose values look like secrets but are not.",
    )
    gateway: Gateway | None = Field(default=None, description="The load balancer at the edge.")
    backup: Backup = Field(default=Backup(), description="Where backups are stored.")
    pipeline: Pipeline | None = Field(default=None, description="Continuous integration and delivery.")
    maintenance: tuple[Maintenance, ...] = Field(default=(), description="Maintenance windows.")
    prometheus: Prometheus = Field(default=Prometheus(), description="Settings of Prometheus.")
    alertmanager: Alertmanager = Field(default=Alertmanager(), description="How alerts are grouped and sent.")
    grafana: Grafana = Field(default=Grafana(), description="Settings of Grafana.")
    kubernetes: Kubernetes = Field(
        default=Kubernetes(), description="Settings of generated Kubernetes files."
    )
    infrastructure: Infrastructure | None = Field(
        default=None, description="The machine that generated infrastructure code creates."
    )
    costs: Costs | None = Field(default=None, description="Prices, for the cost report.")
    compose: ComposeKeys = Field(
        default={},
        description="Further keys of the application's Compose file; null removes a generated one.",
    )
    environments: dict[Label, EnvironmentOrEmpty] = Field(
        default={}, description="Environments, by name; the first is the default."
    )

    _environment_name: str = PrivateAttr(DEFAULT_ENVIRONMENT)
    _folder: Path = PrivateAttr(Path())

    @model_validator(mode="after")
    def _decided(self) -> Self:
        """Decide what is deployed. A file of SQLite is deployed if its service is."""
        for name, service in self.services.items():
            service.decide(name, managed=self.managed)
        for name, store in self.stores.items():
            owner = self.services.get(store.service or "")
            store.decide(name, managed=owner.deployed if owner else self.managed)
        return self

    @property
    def own_gateway(self) -> Gateway | None:
        """Return the gateway, if the catalog deploys it."""
        return self.gateway if self.managed else None

    @property
    def deploys(self) -> bool:
        """True if the catalog deploys anything; False if it only watches."""
        containers = (*self.services.values(), *(s for s in self.stores.values() if s.engine != "sqlite"))
        return self.own_gateway is not None or any(container.deployed for container in containers)

    @property
    def environment_name(self) -> str:
        """Return the name of the environment that this catalog describes."""
        return self._environment_name

    @property
    def environment(self) -> Environment:
        """Return the settings of that environment."""
        return self.environments.get(self._environment_name) or Environment()

    @property
    def network_name(self) -> str:
        """Return the name of the services' network."""
        return self.network or f"{self.project}-network"

    @property
    def folder(self) -> Path:
        """Return the absolute folder of the catalog's file, which relative paths start from."""
        return self._folder

    def in_place(self, environment_name: str, folder: Path) -> Catalog:
        """Set the environment and folder of this catalog, and return it."""
        self._environment_name = environment_name
        self._folder = folder
        return self
