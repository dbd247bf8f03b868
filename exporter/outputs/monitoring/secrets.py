"""Secrets that the monitoring stack needs and that are not under `secrets` in the catalog."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from exporter.catalog.values.references import NamedSecret
from exporter.catalog.values.secret_text import EnvironmentReference
from exporter.outputs.alertmanager.secrets import mounted_secrets
from exporter.outputs.base import OutputError, Refusals

if TYPE_CHECKING:
    from exporter.catalog.catalog import Catalog

GRAFANA_PASSWORD = "grafana_admin_password"  # noqa: S105 - its name
_LENGTH = "32"


@dataclass(frozen=True, slots=True)
class StackSecret:
    """A file in the folder of secrets. `value`: the path, the variable's name, or the number of random characters."""

    name: str
    source: Literal["file", "env", "generate"]
    value: str


def stack_secrets(catalog: Catalog) -> list[StackSecret]:
    """Return the secrets that are not under `secrets` in the catalog, sorted by name.

    Raises:
        OutputError: one would be the same file as a different secret of the catalog.
    """
    found = (
        [] if GRAFANA_PASSWORD in catalog.secrets else [StackSecret(GRAFANA_PASSWORD, "generate", _LENGTH)]
    )
    refusals = Refusals()
    for secret in mounted_secrets(catalog):
        if isinstance(secret.source, NamedSecret):
            continue
        if secret.name in catalog.secrets or secret.name == GRAFANA_PASSWORD:
            with refusals.gathered():
                raise OutputError(
                    f"becomes the secret {secret.name} of Alertmanager, but there is another secret of that name; "
                    "write {secret: NAME} if you mean that one, or rename one of them",
                    *secret.where,
                )
        if isinstance(secret.source, EnvironmentReference):
            found.append(StackSecret(secret.name, "env", secret.source.name))
        else:
            found.append(StackSecret(secret.name, "file", secret.source.path))
    refusals.end()
    return sorted(found, key=lambda secret: secret.name)
