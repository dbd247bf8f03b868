"""The generated monitoring stack: names, ports and paths by which its programs find one another.

Exporter, Prometheus, Alertmanager and Grafana share one Docker network, where a container's name is its address, so
these are the same in every environment. Prometheus learns from the exporter where the services are.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

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
DASHBOARDS_FOLDER = "/etc/grafana/dashboards"
"""Where Grafana's container finds the dashboards; its provisioning is at the usual /etc/grafana/provisioning."""

_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Alertmanager:
    """`address` is host:port. `prefix` is what stands before its own paths; it begins with / or is empty."""

    scheme: str
    address: str
    prefix: str

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.address}{self.prefix}"


def exporter_address(catalog: Catalog) -> str:
    """host:port of the daemon."""
    return f"{EXPORTER_HOST}:{catalog.exporter.listen[1]}"


def alertmanagers(catalog: Catalog) -> list[Alertmanager]:
    """Those that the catalog names, or else the stack's own."""
    return [_alertmanager(url) for url in catalog.exporter.alertmanagers or (ALERTMANAGER_URL,)]


def _alertmanager(url: str) -> Alertmanager:
    parts = urlsplit(url)
    host = parts.hostname or ""
    bracketed = f"[{host}]" if ":" in host else host
    port = parts.port or _DEFAULT_PORTS[parts.scheme]
    return Alertmanager(parts.scheme, f"{bracketed}:{port}", parts.path.rstrip("/"))


@dataclass(frozen=True, slots=True)
class MountedSecret:
    """A file in `SECRETS_FOLDER`, and what it holds."""

    name: str
    source: NamedSecret | FileReference | EnvironmentReference
    where: CatalogPath = field(compare=False)
    """The place in the catalog that refers to it."""

    @property
    def path(self) -> str:
        return f"{SECRETS_FOLDER}/{self.name}"


def mounted_secret(template: TextTemplate, where: CatalogPath) -> MountedSecret:
    """The file by which a program of the stack reads what `template` refers to.

    Its name is the secret's, the variable's, or the last part of the file's path.

    Raises:
        OutputError: the text is more than one reference, so no file holds it. `where` names its place.
    """
    if len(template.parts) != 1 or isinstance(template.parts[0], str):
        raise OutputError(
            "mixes text and references, and Alertmanager reads such a value whole from one file; "
            "put all of it in one secret and write {secret: NAME}",
            *where,
        )
    source = template.parts[0]
    name = source.path.rstrip("/").rpartition("/")[2] if isinstance(source, FileReference) else source.name
    return MountedSecret(name, source, where)
