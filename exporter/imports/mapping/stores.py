"""One service of the source as a store of the catalog."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.catalog.keys.stores import ENGINES
from exporter.imports.compose.forms.pairs import Pair
from exporter.imports.mapping import ports
from exporter.imports.mapping.draft import Outcome
from exporter.imports.mapping.environment import reference
from exporter.imports.mapping.images import known, split_image, version
from exporter.imports.mapping.services import mounts, shared_keys
from exporter.imports.mapping.values import catalog_literal, literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.imports.compose.forms.service import Service
    from exporter.imports.mapping.draft import Draft
    from exporter.imports.project import ModelPath

_USERNAMES = [
    "POSTGRES_USER",
    "POSTGRESQL_USERNAME",
    "MONGO_INITDB_ROOT_USERNAME",
    "MONGODB_ROOT_USER",
    "MYSQL_USER",
    "MARIADB_USER",
]
_PASSWORDS = [
    "POSTGRES_PASSWORD",
    "POSTGRESQL_PASSWORD",
    "MONGO_INITDB_ROOT_PASSWORD",
    "MONGODB_ROOT_PASSWORD",
    "MYSQL_PASSWORD",
    "MARIADB_PASSWORD",
    "REDIS_PASSWORD",
    "VALKEY_PASSWORD",
]
_DATABASES = [
    "POSTGRES_DB",
    "POSTGRESQL_DATABASE",
    "MONGO_INITDB_DATABASE",
    "MONGODB_DATABASE",
    "MYSQL_DATABASE",
    "MARIADB_DATABASE",
]
_REQUIREPASS = "--requirepass"


def is_store(service: Service) -> bool:
    """True if its image is a known store that the catalog has; a built image needs more evidence."""
    image = known(service.image)
    return bool(
        image and image.engine in ENGINES and not service.build and "sentinel" not in service.name.lower()
    )


def store_keys(service: Service, names: Mapping[str, str], draft: Draft) -> dict[str, Any]:
    """Return the keys of a store in the catalog."""
    path: ModelPath = ("services", service.name)
    image = known(service.image)
    assert image is not None  # noqa: S101 - as `is_store` says
    keys: dict[str, Any] = {"engine": image.engine}
    name, _ = split_image(service.image or "")
    if (
        name == ENGINES[image.engine].image
        and version(service.image or "")
        and "$" not in (service.image or "")
    ):
        keys["version"] = version(service.image or "")
    else:
        keys["image"] = draft.text(service.image or "", (*path, "image"))
    draft.row(Outcome.CARRIED, (*path, "image"), f"a store, {image.engine}")
    port = ports.health_port(service)
    if port and port != image.port:
        keys["port"] = port
    keys |= _login(service, names[service.name], draft)
    shared = shared_keys(service, names, draft)
    if draft.own:
        _own_data(service, image.engine, keys, shared, draft)
    for entry in service.ports:
        if ports.is_everywhere(entry):
            draft.row(
                Outcome.CHANGED, (*path, "ports", *entry.path), "anybody on the network can reach this store"
            )
    return keys | shared


def _login(service: Service, name: str, draft: Draft) -> dict[str, Any]:
    here: ModelPath = ("services", service.name, "environment")
    given = {pair.name: pair for pair in service.environment}
    keys: dict[str, Any] = {}
    if (user := _first(given, _USERNAMES)) and user.value:
        keys["username"] = catalog_literal(user.value)
    if password := _first(given, _PASSWORDS):
        keys["password"] = {"secret": reference(password, (*here, *password.path), name, draft)}
    elif found := _first(given, [f"{each}_FILE" for each in _PASSWORDS]):
        secret = (found.value or "").rpartition("/")[2]
        if secret in (draft.project.model.get("secrets") or {}):
            keys["password"] = {"secret": secret}
    elif service.command and _REQUIREPASS in service.command.words:
        index = service.command.words.index(_REQUIREPASS) + 1
        word = service.command.words[index] if index < len(service.command.words) else ""
        pair = Pair("password", word, ())
        keys["password"] = {"secret": reference(pair, ("services", service.name, "command"), name, draft)}
    if "password" not in keys and draft.own and not service.env_file:
        keys["auth"] = False
        draft.row(Outcome.CHANGED, ("services", service.name), "no password was found; auth: off says so")
    elif "password" not in keys and draft.own:
        keys["password"] = {"secret": draft.secret((*here[:2], "env_file"), f"{name}_password")}
    if (database := _first(given, _DATABASES)) and literal(database.value or ""):
        keys["databases"] = [catalog_literal(database.value or "")]
    return keys


def _first(given: Mapping[str, Pair], names: list[str]) -> Pair | None:
    return next((given[name] for name in names if name in given), None)


def _own_data(
    service: Service, engine: str, keys: dict[str, Any], shared: dict[str, Any], draft: Draft
) -> None:
    """Move what the catalog writes about a store itself: its data, and the variables of its login."""
    data = ENGINES[engine].data
    for mount in service.volumes:
        if mount.target == data and mount.source:
            keys["volume"] = draft.file(mount.source, ("services", service.name, "volumes", *mount.path))
    rest = mounts(service, draft, without=data)
    shared.pop("volumes", None)
    if rest:
        shared["volumes"] = rest
    handled = {*_USERNAMES, *_PASSWORDS, *_DATABASES, *(f"{each}_FILE" for each in _PASSWORDS)}
    environment = {key: value for key, value in shared.pop("environment", {}).items() if key not in handled}
    if environment:
        shared["environment"] = environment
    if "password" in keys and _REQUIREPASS in str(shared.get("command", "")):
        del shared["command"]
        draft.row(
            Outcome.CHANGED,
            ("services", service.name, "command"),
            "the catalog starts the store with its password",
        )
    if secrets := [each for each in shared.pop("secrets", []) if {"secret": each} != keys.get("password")]:
        shared["secrets"] = secrets
