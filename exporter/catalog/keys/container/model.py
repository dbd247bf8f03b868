"""Keys that services and stores share: one container, its limits and objectives, and its probes."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, PrivateAttr, model_validator

from exporter.catalog.base import Model, one_or_many
from exporter.catalog.keys.compose import ComposeKeys
from exporter.catalog.keys.container.alerts import Alerts
from exporter.catalog.keys.container.configs import ConfigFiles
from exporter.catalog.keys.container.containers import ContainersOrShort
from exporter.catalog.keys.container.depends_on import Dependencies
from exporter.catalog.keys.container.devices import Devices, GpuRequests
from exporter.catalog.keys.container.env_file import EnvFiles
from exporter.catalog.keys.container.environment import Variables
from exporter.catalog.keys.container.extra_hosts import ExtraHosts
from exporter.catalog.keys.container.hardening import Capability, Hardening
from exporter.catalog.keys.container.healthcheck import HealthCheck
from exporter.catalog.keys.container.limits import Sysctls, Ulimits
from exporter.catalog.keys.container.logging import LogDriver
from exporter.catalog.keys.container.logs import LogsOrShort
from exporter.catalog.keys.container.network_mode import CONTAINER, SERVICE, NetworkMode
from exporter.catalog.keys.container.networks import Attachments
from exporter.catalog.keys.container.ports import PublishedPorts
from exporter.catalog.keys.container.resources import Resources
from exporter.catalog.keys.container.restart import RestartPolicy
from exporter.catalog.keys.container.slo import Slo, SloOrShort
from exporter.catalog.keys.container.volumes import Mounts
from exporter.catalog.keys.probes.probe import Probe
from exporter.catalog.keys.probes.times import ProbeTimes
from exporter.catalog.values.commands import Command
from exporter.catalog.values.names import ContainerName, Label, SecretName
from exporter.catalog.values.network import AddressTemplate, Port
from exporter.catalog.values.pairs import pairs
from exporter.catalog.values.ports import PortText
from exporter.catalog.values.scalars import Duration, Words
from exporter.catalog.values.sizes import ByteSize
from exporter.catalog.values.switches import OnOff
from exporter.catalog.values.texts import Interpolated
from exporter.catalog.values.words import shown

PullPolicy = Literal["always", "never", "missing", "if_not_present", "build", "daily", "weekly"]


def _memory_folder(text: str) -> str:
    if not text.startswith("/"):
        raise ValueError(
            f"{shown(text)} is not a folder in memory; write a path such as /run or /run:size=64m"
        )
    return text


Tmpfs = Annotated[Interpolated, AfterValidator(_memory_folder)]


class Container(Model):
    """Keys that services and stores share: one container, and how it is watched."""

    description: Words = Field(default="", description="What it does, for people.")
    owner: Label | None = Field(default=None, description="Who receives its alerts: a name in owners.")
    managed: OnOff | None = Field(
        default=None,
        description="off: somebody else runs it, so it is watched, and never deployed or backed up; "
        "default: the catalog's.",
    )
    containers: ContainersOrShort | None = Field(
        default=None,
        description="Which containers are its own, if somebody else runs it; a plain name is that of its Compose "
        "service. It is then managed: off.",
    )
    image: Interpolated | None = Field(
        default=None, description="Image to run; with build, the name of the built image."
    )
    port: Port | None = Field(default=None, description="The port it listens on.")
    host_port: Port | None = Field(
        default=None, description="Port on the host, if ports are published; default: port."
    )
    address: AddressTemplate | None = Field(
        default=None, description="Address at which the daemon finds it; default: the environment's address."
    )
    probes: tuple[Probe, ...] = Field(
        default=(), description="Checks in addition to health, or in place of it."
    )
    probe: ProbeTimes = Field(
        default=ProbeTimes(), description="Interval and timeout of its probes; default: defaults.probe."
    )
    environment: Variables = Field(
        default={},
        description="Environment variables, as a mapping or a list of NAME=value; values may hold references. "
        "{secret: NAME} sets the path of its file as VARIABLE_FILE, {secret: NAME, as: variable} the value itself. "
        "A variable without a value gets it from the environment in which Compose runs.",
    )
    env_file: EnvFiles = Field(default=(), description="Files with further variables, which Compose reads.")
    secrets: Annotated[tuple[SecretName, ...], one_or_many(SecretName)] = Field(
        default=(), description="Names in secrets, mounted as files; NAME_FILE is set for each."
    )
    resources: Resources = Field(default=Resources(), description="Limits; default: defaults.resources.")
    restart: RestartPolicy | None = Field(
        default=None, description="When it is restarted; default: defaults.restart."
    )
    healthcheck: HealthCheck | None = Field(
        default=None, description="Health check of the container; default of its times: defaults.healthcheck."
    )
    slo: SloOrShort = Field(
        default=Slo(), description="Objectives; a plain percentage is short for availability."
    )
    alerts: Alerts = Field(default={}, description="Changes to alerts; off disables one.")
    runbook: Words | None = Field(default=None, description="URL of the runbook, for the person on call.")
    logs: LogsOrShort = Field(
        default=None, description="Patterns to count in its log; on counts the usual error levels."
    )
    labels: Annotated[dict[str, Interpolated], pairs(dict[str, Interpolated | bool | None], alone="")] = (
        Field(default={}, description="Labels of the container.")
    )
    command: Command = Field(
        default=(),
        description="Command in place of the image's: words, or text, which is split as by Compose.",
    )
    entrypoint: Command | None = Field(
        default=None, description="Entry point in place of the image's; empty: none."
    )
    hardening: Hardening | None = Field(
        default=None,
        description="strict: no root, no capability, a read-only root file system. image: the image's own user and "
        "file system, and the capabilities that entry points of public images need. off: the engine's defaults. "
        "Default: strict for stores and for images that build.runtime builds, otherwise image.",
    )
    capabilities: Annotated[tuple[Capability, ...], one_or_many(Capability)] = Field(
        default=(), description="Additional capabilities of Linux, such as NET_ADMIN."
    )
    stop_grace: Duration | None = Field(default=None, description="Time to stop before it is killed.")
    compose: ComposeKeys = Field(
        default={},
        description="Further keys of its service in the Compose file; null removes a generated one.",
    )
    depends_on: Dependencies = Field(
        default={}, description="Services and stores it needs: a name, a list, or a mapping with conditions."
    )
    volumes: Mounts = Field(
        default=(),
        description="Mounts, such as data:/app/data; of a store, in addition to its data: scripts, configuration.",
    )
    ports: PublishedPorts = Field(
        default=(),
        description="Ports of the host that lead to it in every environment, as in Compose: 127.0.0.1:8080:80, "
        "8080-8090:80-90, 53:53/udp. host_port only says which one port gets where ports are published.",
    )
    expose: Annotated[tuple[PortText, ...], one_or_many(PortText)] = Field(
        default=(), description="Ports to declare; containers of one network reach all ports anyway."
    )
    networks: Attachments = Field(
        default={},
        description="Networks that it is on, in place of the generated ones: a list, or a mapping with aliases and "
        "addresses.",
    )
    network_mode: NetworkMode | None = Field(
        default=None, description="host, none, service:NAME or container:NAME, in place of networks."
    )
    hostname: Interpolated | None = Field(default=None, description="Host name inside the container.")
    container_name: Interpolated | None = Field(
        default=None,
        description="Name of the container; default: Compose's. Environments on one host need different ones.",
    )
    extra_hosts: ExtraHosts = Field(default={}, description="Further hosts and their addresses.")
    profiles: Annotated[tuple[ContainerName, ...], one_or_many(ContainerName)] = Field(
        default=(),
        description="Compose profiles. It is started on demand with one of them, never by a deploy. While none of "
        "its containers runs, it is not probed and not missing.",
    )
    init: bool | None = Field(
        default=None, description="Run an init process; default: true for an image built by a recipe."
    )
    working_dir: Interpolated | None = Field(default=None, description="Working directory.")
    stop_signal: Interpolated | None = Field(default=None, description="Signal that stops it.")
    platform: Interpolated | None = Field(default=None, description="Platform, such as linux/arm64.")
    pull_policy: PullPolicy | None = Field(default=None, description="When its image is pulled.")
    tmpfs: Annotated[tuple[Tmpfs, ...], one_or_many(Tmpfs)] = Field(
        default=(), description="Folders in memory, with options: /run:size=64m,mode=1777."
    )
    shm_size: ByteSize | None = Field(default=None, description="Size of /dev/shm.")
    ulimits: Ulimits = Field(default={}, description="Limits of the kernel, such as nofile.")
    sysctls: Sysctls = Field(default={}, description="Parameters of the kernel.")
    devices: Devices = Field(
        default=(), description="Devices of the host, such as /dev/ttyUSB0:/dev/ttyUSB0."
    )
    gpus: GpuRequests = Field(default=(), description="GPUs: all, or a list of requests.")
    group_add: Annotated[tuple[Interpolated, ...], one_or_many(Interpolated)] = Field(
        default=(), description="Further groups of its user."
    )
    cap_drop: Annotated[tuple[Interpolated, ...], one_or_many(Interpolated)] = Field(
        default=(), description="Capabilities to drop in addition."
    )
    security_opt: Annotated[tuple[Interpolated, ...], one_or_many(Interpolated)] = Field(
        default=(), description="Further options of the engine's security."
    )
    privileged: bool = Field(default=False, description="Give it full access to the host.")
    logging: LogDriver | None = Field(
        default=None, description="Driver of its log; default: files with the rotation of defaults.logging."
    )
    configs: ConfigFiles = Field(default=(), description="Names in configs, and where each is a file.")

    @model_validator(mode="after")
    def _one_network(self) -> Self:
        if self.network_mode and self.networks:
            raise ValueError("networks and network_mode cannot be combined; remove one of them")
        shares = self.network_mode and self.network_mode.startswith((SERVICE, CONTAINER))
        if shares and self.ports:
            raise ValueError(
                f"ports cannot be published with network_mode {self.network_mode}; write them on the container whose "
                "network it is"
            )
        if self.logs and self.logging and self.logging.driver == "none":
            raise ValueError("logs cannot be read with the logging driver none; remove one of them")
        return self

    _deployed: bool = PrivateAttr(default=True)

    @model_validator(mode="after")
    def _one_owner(self) -> Self:
        if self.managed and self.containers:
            raise ValueError(
                "managed: on and containers cannot be combined; containers are those of somebody else"
            )
        return self

    @property
    def listen_port(self) -> int | None:
        """Return the port inside its container."""
        return self.port

    @property
    def network_of(self) -> str | None:
        """Return the service or store whose network it uses."""
        mode = self.network_mode or ""
        return mode.removeprefix(SERVICE) if mode.startswith(SERVICE) else None

    def starts_with(self, other: Container) -> bool:
        """True if Compose starts the other one whenever it starts this one: by the profiles of both."""
        return not other.profiles or (bool(self.profiles) and set(self.profiles) <= set(other.profiles))

    @property
    def deployed(self) -> bool:
        """True if the catalog deploys it; False if it is only watched, because somebody else runs it."""
        return self._deployed

    @property
    def deployable(self) -> bool:
        """True if there is something to deploy."""
        return True

    def decide(self, name: str, *, managed: bool) -> None:
        """Decide if the catalog deploys it. `managed`: the default of what does not say so itself."""
        wanted = self.managed
        if wanted is None:
            wanted = managed and not self.runs_elsewhere(name)
        self._deployed = wanted and self.deployable

    def runs_elsewhere(self, name: str) -> bool:  # noqa: ARG002 - a store compares its address with its name
        """True if its own keys say that somebody else runs it."""
        return self.containers is not None

    @property
    def hardened_as(self) -> Hardening:
        """Return its kind of hardening, the default included."""
        return self.hardening or "strict"

    @property
    def published_port(self) -> int | None:
        """Return its port on the host, if ports are published; None if it is not deployed."""
        return (self.host_port or self.opened_port or self.listen_port) if self.deployed else None

    @property
    def opened_port(self) -> int | None:
        """Return the port on the host that leads to its port by `ports`; None if none does, or it is not known."""
        listen = self.listen_port
        found = (written.host_port(listen) for written in self.ports) if listen else ()
        return next((port for port in found if port), None)
