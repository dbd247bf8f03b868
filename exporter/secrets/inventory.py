"""The secrets of an environment: the source of each, its readers, and the stores that use it as their password."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from exporter.catalog.keys.stores import ENGINES
from exporter.catalog.planning.secret_paths import DEFAULT_FOLDER
from exporter.catalog.values.references import NamedSecret
from exporter.outputs.alertmanager.secrets import mounted_secrets
from exporter.outputs.compose.secrets import granted
from exporter.outputs.monitoring.secrets import GRAFANA_PASSWORD, stack_secrets
from exporter.outputs.web import daemon_needs, prometheus_needs

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.catalog.catalog import Catalog
    from exporter.catalog.keys.secrets import SecretSource

Kind = Literal["file", "env", "generate"]
PREVIOUS = ".previous"
"""Suffix of the file with the previous value."""


@dataclass(frozen=True, slots=True)
class Login:
    """A store that has the secret as its password, and the user."""

    store: str
    engine: str
    user: str
    port: int
    tls: bool = False

    def __str__(self) -> str:
        return self.store


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret. `value`: a path (relative to the catalog), a variable's name, or the number of random characters."""

    name: str
    kind: Kind
    value: str
    rotate_seconds: float | None = None
    users: tuple[str, ...] = ()
    stores: tuple[Login, ...] = ()


class InventoryError(Exception):
    """A secret's name cannot be used for a file. One sentence."""


def inventory(catalog: Catalog) -> dict[str, Secret]:
    """Return the secrets of the catalog's environment by name.

    Raises:
        InventoryError: A name cannot be used for a file, or two secrets would use the same file.
        OutputError: The catalog cannot be deployed.
    """
    users, stores = _users(catalog), _stores(catalog)
    rows = [(name, *_source(name, source), source.rotate) for name, source in catalog.secrets.items()]
    rows += [(secret.name, secret.source, secret.value, None) for secret in stack_secrets(catalog)]
    return checked(
        Secret(name, kind, value, rotate, tuple(users.get(name, ())), tuple(stores.get(name, ())))
        for name, kind, value, rotate in rows
    )


def checked(secrets: Iterable[Secret]) -> dict[str, Secret]:
    """Return the secrets by name. Raises InventoryError if a name cannot be used for a file."""
    found = {secret.name: secret for secret in secrets}
    for name in found:
        if not name or name.startswith(".") or re.search(r"[/\x00-\x1f\x7f]", name):
            raise InventoryError(f"the name of the secret {name!r} cannot be used for a file; rename it")
        if name + PREVIOUS in found:
            raise InventoryError(
                f"the secret {name + PREVIOUS} has the same file name as the previous value of {name}; rename it"
            )
    return found


def _source(name: str, source: SecretSource) -> tuple[Kind, str]:
    if source.env:
        return "env", source.env
    if source.generate:
        return "generate", str(source.generate)
    return "file", source.file or f"{DEFAULT_FOLDER}/{name}"


def _users(catalog: Catalog) -> dict[str, list[str]]:
    """Return the containers that read each secret, and must be restarted to read a new value."""
    users: dict[str, list[str]] = {GRAFANA_PASSWORD: ["grafana"]}
    for section, containers in (("services", catalog.services), ("stores", catalog.stores)):
        for name, container in containers.items():
            for secret in granted(container, (section, name)).secrets:
                users.setdefault(secret, []).append(name)
    for mounted in mounted_secrets(catalog):
        users.setdefault(mounted.name, []).append("alertmanager")
    for program, needed in (("exporter", daemon_needs(catalog)), ("prometheus", prometheus_needs(catalog))):
        for secret in needed.secrets:
            users.setdefault(secret, []).append(program)
    return users


def _stores(catalog: Catalog) -> dict[str, list[Login]]:
    found: dict[str, list[Login]] = {}
    for name, store in catalog.stores.items():
        user = store.username or (ENGINES[store.engine].user if store.engine in ENGINES else None)
        for part in store.password.parts if store.password else ():
            if isinstance(part, NamedSecret) and store.listen_port:
                login = Login(name, store.engine, user or "default", store.listen_port, store.tls is not None)
                found.setdefault(part.name, []).append(login)
    return found
