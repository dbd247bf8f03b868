"""Names of Compose's keys in the catalog.

Only keys with another name, and keys that are not supported, are listed. A key that a model of the catalog has is the
same there. Every other one goes below `compose:`.
"""

from __future__ import annotations

from dataclasses import dataclass

from exporter.catalog.compose.specification import TOP


@dataclass(frozen=True, slots=True)
class Renamed:
    """A key with another name. `where`: the key of the catalog. `note`: what differs."""

    where: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Unsupported:
    """A key that the catalog does not take, not even below `compose:`. `why` ends the sentence that begins with it."""

    why: str


_SWARM = Unsupported("only a Swarm reads it, so remove it")
_WINDOWS = Unsupported("only containers of Windows have it, so remove it")
_SECRETS = Unsupported("secrets come from a file, a variable or exporter secrets, so remove it")

WORDS: dict[str, dict[str, Renamed | Unsupported]] = {
    TOP: {
        "version": Unsupported("Compose no longer needs it, so remove it"),
        "name": Renamed("project"),
        "include": Unsupported("a catalog is one file; write its services here"),
        "jobs": Unsupported("a job is a service that others wait for with the condition completed"),
    },
    "service": {
        "cap_add": Renamed("capabilities"),
        "cpus": Renamed("resources.cpu"),
        "mem_limit": Renamed("resources.memory"),
        "pids_limit": Renamed("resources.processes"),
        "stop_grace_period": Renamed("stop_grace"),
        "scale": Renamed("replicas", "scale sets limits of autoscaling"),
        "deploy": Renamed("replicas, resources and restart", "see the section deploy"),
        "links": Renamed("depends_on", "containers find each other by name without it"),
        "external_links": Unsupported("join the network of that container, by networks"),
        "extends": Unsupported("write an anchor (&name) below a key x-…, and merge it with <<: *name"),
        "volumes_from": Unsupported("mount the same volume in both, by volumes"),
        "provider": Unsupported("it runs a program on the developer's machine in place of a container"),
        "use_api_socket": Unsupported("it gives the container full power over the host, so remove it"),
        "attach": Unsupported("it only changes what docker compose up prints, so remove it"),
        "develop": Unsupported("only docker compose watch reads it; see mount_sources of environments"),
        "credential_spec": _WINDOWS,
        "isolation": _WINDOWS,
        "cpu_count": _WINDOWS,
        "cpu_percent": _WINDOWS,
    },
    "build": {
        "args": Renamed("arguments"),
        "isolation": _WINDOWS,
    },
    "deploy": {
        "mode": _SWARM,
        "endpoint_mode": _SWARM,
        "placement": _SWARM,
        "update_config": Unsupported("a deploy replaces one replica after the other, so remove it"),
        "rollback_config": Unsupported("a deploy that fails is rolled back, so remove it"),
        "replicas": Renamed("replicas"),
        "resources": Renamed("resources", "cpu, memory and processes"),
        "restart_policy": Renamed("restart"),
    },
    "healthcheck": {},
    "network": {},
    "volume": {},
    "secret": {
        "environment": Renamed("env"),
        "external": _SECRETS,
        "name": _SECRETS,
        "driver": _SWARM,
        "driver_opts": _SWARM,
        "template_driver": _SWARM,
        "labels": _SWARM,
    },
    "config": {
        "external": _SWARM,
        "name": _SWARM,
        "labels": _SWARM,
        "template_driver": _SWARM,
    },
}
"""By section of the specification, then by key."""

OWNED: dict[str, dict[str, str]] = {
    TOP: {"name": "project"},
    "service": {"image": "image", "scale": "replicas"},
    "deploy": {"replicas": "replicas"},
    "volume": {"name": "name", "external": "external"},
}
"""Keys that `compose:` cannot change: the daemon, deploys and backups rely on these keys of the catalog."""

MODELS: dict[str, str] = {
    "Catalog": TOP,
    "Service": "service",
    "Store": "service",
    "Build": "build",
    "HealthCheck": "healthcheck",
    "Network": "network",
    "Volume": "volume",
    "SecretSource": "secret",
    "Config": "config",
}
"""The section that each model of the catalog stands for, by the model's name."""

_BELOW = {
    TOP: "compose: {{{key}: …}}",
    "service": "compose: {{{key}: …}}",
    "network": "compose: {{{key}: …}}",
    "volume": "compose: {{{key}: …}}",
    "build": "compose: {{build: {{{key}: …}}}} of the service",
    "deploy": "compose: {{deploy: {{{key}: …}}}}",
    "healthcheck": "compose: {{healthcheck: {{{key}: …}}}} of the service",
    "secret": "compose: {{secrets: {{NAME: {{{key}: …}}}}}} of the catalog",
    "config": "compose: {{configs: {{NAME: {{{key}: …}}}}}} of the catalog",
}


def below(section: str, key: str) -> str:
    """Return how a key is passed through, in the words of the catalog."""
    return _BELOW[section].format(key=key)
