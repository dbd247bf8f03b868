"""Secrets of containers: files that Compose mounts, variables with their paths, and env files. Never a value.

An env file has the variables whose value is a secret's. `exporter secrets` writes it to the secrets folder, and Compose
reads it when it creates the container.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from exporter.catalog.planning.places import compose_project, secrets_folder
from exporter.catalog.planning.secret_paths import RUN_SECRETS, file_variable
from exporter.catalog.values.references import NamedSecret
from exporter.outputs.base import OutputError
from exporter.outputs.compose.names import NOBODY, deployed_services, deployed_stores
from exporter.outputs.compose.text import literal, optional, template_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.catalog.catalog import Catalog
    from exporter.catalog.keys.container.model import Container
    from exporter.catalog.reading.problems import CatalogPath
    from exporter.catalog.values.references import TextTemplate

_FILE = "_FILE"


@dataclass(frozen=True, slots=True)
class Granted:
    """The variables of a container in Compose's syntax, and the names of the secrets that it has as files.

    `variables`: those of its env file, and the secret in each.
    """

    environment: dict[str, str | None]
    secrets: tuple[str, ...]
    variables: dict[str, str] = field(default_factory=dict)


def granted(container: Container, where: CatalogPath) -> Granted:
    """Return the container's variables and secrets. `where` is its place in the catalog.

    A variable that refers to a secret is set by its file: `DB_PASSWORD: {secret: db}` becomes `DB_PASSWORD_FILE`,
    unless it says `as: variable`.

    Raises:
        OutputError: a variable mixes text and a secret, or refers to a file.
    """
    names = dict.fromkeys(container.secrets)
    written: dict[str, str | None] = {}
    variables: dict[str, str] = {}
    for variable, template in container.environment.items():
        if template is None:
            written[variable] = None
            continue
        text = template_text(template)
        if text is None:
            secret = _secret(template, (*where, "environment", variable))
            name = secret.name
            if secret.variable:
                variables[variable] = name
                continue
            names[name] = None
            written[variable if variable.endswith(_FILE) else variable + _FILE] = secret_path(name)
        else:
            written[variable] = text
    files: dict[str, str | None] = {file_variable(name): secret_path(name) for name in names}
    return Granted(files | written, tuple(names), variables)


def secret_name(template: TextTemplate, where: CatalogPath) -> str:
    """Return the name of the catalog's secret that the template refers to.

    Raises:
        OutputError: the template is not exactly one secret.
    """
    return _secret(template, where).name


def _secret(template: TextTemplate, where: CatalogPath) -> NamedSecret:
    if len(template.parts) == 1 and isinstance(template.parts[0], NamedSecret):
        return template.parts[0]
    raise OutputError(
        "reaches its container as a whole, so it must be exactly one of the catalog's "
        "secrets; put all of it under secrets (where it can come from a file or variable) and write {secret: NAME}",
        *where,
    )


def secret_path(name: str) -> str:
    """Return the path of the secret in a container."""
    return f"{RUN_SECRETS}/{name}"


def secret_keys(names: Iterable[str], gid: str | None) -> dict[str, Any]:
    """Return the keys that give a Compose service these secrets; `gid`: its group, if known."""
    listed = list(dict.fromkeys(names))
    if not listed:
        return {}
    return {"secrets": listed, **({} if gid == NOBODY else {"group_add": [NOBODY]})}


def env_file(container: str) -> str:
    """Return the name of a container's env file in the secrets folder. No secret's name begins with a dot."""
    return f".env.{container}"


def env_file_keys(catalog: Catalog, container: str, access: Granted) -> dict[str, Any]:
    """Return a Compose service's `env_file`, if it has variables that hold secrets."""
    if not access.variables:
        return {}
    folder = optional("SECRETS_FOLDER", secrets_folder(catalog))
    return {"env_file": [f"{folder}/{literal(env_file(container))}"]}


def env_files(catalog: Catalog) -> dict[str, dict[str, str]]:
    """Return each container that has an env file: its variables, and the secret that each one holds.

    Raises:
        OutputError: a variable cannot reach its container.
    """
    found = {}
    for section, containers in (
        ("services", deployed_services(catalog)),
        ("stores", deployed_stores(catalog)),
    ):
        for name, container in containers.items():
            if variables := granted(container, (section, name)).variables:
                found[name] = variables
    return found


def secret_files(catalog: Catalog, names: Iterable[str]) -> dict[str, Any]:
    """Return the top-level `secrets` of compose.yaml: files outside the repository."""
    folder = optional("SECRETS_FOLDER", secrets_folder(catalog))
    return {name: {"file": f"{folder}/{literal(name)}"} for name in names}


def swarm_secrets(catalog: Catalog, names: Iterable[str]) -> dict[str, Any]:
    """Return the top-level `secrets` of the overlay.

    A Swarm's secrets never change, so `exporter secrets --swarm` creates a new one for each value, and a variable
    selects the version.
    """
    return {
        name: {
            "external": True,
            "name": f"{compose_project(catalog)}-{literal(name)}-{optional(version_variable(name), '1')}",
        }
        for name in names
    }


def version_variable(name: str) -> str:
    """Return the variable that selects the version of a Swarm's secret: `DB_PASSWORD_VERSION` for `db_password`."""
    return file_variable(name).removesuffix(_FILE) + "_VERSION"
