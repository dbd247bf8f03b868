"""The generated monitoring stack: names, ports and paths that its programs use to find each other.

Exporter, Prometheus, Alertmanager and Grafana share one Docker network, where a container's name is its address, so
these are the same in every environment. Prometheus asks the exporter where the services are.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from exporter.catalog.values.addresses import DEFAULT_PORTS
from exporter.catalog.values.secret_text import EnvironmentReference, FileReference
from exporter.outputs.base import OutputError

if TYPE_CHECKING:
    from exporter.catalog.catalog import Catalog
    from exporter.catalog.reading.problems import CatalogPath
    from exporter.catalog.values.references import NamedSecret, TextTemplate

EXPORTER_HOST = "exporter"
PROMETHEUS_URL = "http://prometheus:9090"
ALERTMANAGER_URL = "http://alertmanager:9093"
SECRETS_FOLDER = "/run/secrets"
DASHBOARDS, RULES = "dashboards", "alert_rules"
"""Folders next to the catalog that all environments share and their containers mount."""
DASHBOARDS_FOLDER = "/etc/grafana/dashboards"
"""The path of the shared dashboards in Grafana's container."""
PROVISIONING_FOLDER = "/etc/grafana/provisioning"
RULES_FOLDER = f"/{RULES}"
"""The path of the shared rules in Prometheus's container: three folders above prometheus.yml, as on the host."""


@dataclass(frozen=True, slots=True)
class Alertmanager:
    """An Alertmanager: `address` is host:port; `prefix` comes before its paths, and begins with / or is empty."""

    scheme: str
    address: str
    prefix: str

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.address}{self.prefix}"


def exporter_address(catalog: Catalog) -> str:
    """Return the daemon's host:port."""
    return f"{EXPORTER_HOST}:{catalog.exporter.listen[1]}"


def alertmanagers(catalog: Catalog) -> list[Alertmanager]:
    """Return the Alertmanagers in the catalog, or else the one of the stack."""
    return [_alertmanager(url) for url in catalog.exporter.alertmanagers or (ALERTMANAGER_URL,)]


def _alertmanager(url: str) -> Alertmanager:
    parts = urlsplit(url)
    host = parts.hostname or ""
    bracketed = f"[{host}]" if ":" in host else host
    port = parts.port or DEFAULT_PORTS[parts.scheme]
    return Alertmanager(parts.scheme, f"{bracketed}:{port}", parts.path.rstrip("/"))


@dataclass(frozen=True, slots=True)
class MountedSecret:
    """A file in `SECRETS_FOLDER`, and the source of its content."""

    name: str
    source: NamedSecret | FileReference | EnvironmentReference
    where: CatalogPath = field(compare=False)
    """The place in the catalog that refers to it."""

    @property
    def path(self) -> str:
        return f"{SECRETS_FOLDER}/{self.name}"


def mounted_secret(template: TextTemplate, where: CatalogPath) -> MountedSecret:
    """Return the file from which a program of the stack reads the secret that `template` refers to.

    The file is named like the secret or variable, or like the last part of the file's path.

    Raises:
        OutputError: the text is more than one reference, so no file holds it. `where` names its place.
    """
    if len(template.parts) != 1 or isinstance(template.parts[0], str):
        raise OutputError(
            "mixes text and references, but Alertmanager reads the whole value from one file; "
            "put all of it in one secret and write {secret: NAME}",
            *where,
        )
    source = template.parts[0]
    name = source.path.rstrip("/").rpartition("/")[2] if isinstance(source, FileReference) else source.name
    return MountedSecret(name, source, where)
