"""One service of the source as a store of the catalog."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.catalog.keys.stores import ENGINES
from exporter.imports.compose.expressions import by_default, has_variable
from exporter.imports.compose.forms.mounts import UNKNOWN
from exporter.imports.compose.forms.pairs import Pair
from exporter.imports.mapping import ports
from exporter.imports.mapping.draft import Outcome
from exporter.imports.mapping.environment import reference
from exporter.imports.mapping.images import known, split_image, tagged, version
from exporter.imports.mapping.mounts import mounts
from exporter.imports.mapping.services import shared_keys

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
_ROOTS = ["MARIADB_ROOT_PASSWORD", "MYSQL_ROOT_PASSWORD"]
_REQUIREPASS = "--requirepass"
_OTHER_VARIABLES = ("bitnami/", "bitnamilegacy/", "linuxserver/")
"""Publishers whose images read other variables than the official ones."""
_POSTGRES_PARENT, _NEW_LAYOUT = "/var/lib/postgresql", 18
"""From this version on, PostgreSQL's image keeps its data in a folder per version below the parent."""


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
    text = service.image or ""
    official = split_image(text)[0] == ENGINES[image.engine].image
    if version(text) and text == f"{ENGINES[image.engine].image}:{version(text)}":
        keys["version"] = version(text)
    else:
        keys["image"] = draft.text(tagged(text) if draft.own else text, (*path, "image"))
    draft.row(Outcome.CARRIED, (*path, "image"), f"a store, {image.engine}")
    if draft.own and not official:
        # The strict hardening of stores is known to suit the official images only.
        keys["hardening"] = "image"
    port = ports.health_port(service)
    if port and port != image.port:
        keys["port"] = port
    keys |= _login(service, image.engine, names[service.name], draft)
    shared = shared_keys(service, names, draft)
    if draft.own:
        _own_data(service, keys, shared, draft)
        _own_variables(service, keys, shared, draft)
        if not shared.keys() & {"networks", "network_mode"}:
            # In Compose, all services without networks reach each other.
            shared["networks"] = ["default"]
    for entry in service.ports:
        if ports.is_everywhere(entry):
            draft.row(
                Outcome.CHANGED, (*path, "ports", *entry.path), "anybody on the network can reach this store"
            )
    return keys | shared


def _login(service: Service, engine: str, name: str, draft: Draft) -> dict[str, Any]:
    here: ModelPath = ("services", service.name, "environment")
    given = {pair.name: pair for pair in service.environment}
    keys: dict[str, Any] = {}
    for key, variables in (("username", _USERNAMES), ("databases", _DATABASES)):
        pair = _first(given, variables)
        if pair is None or pair.value == "":
            continue
        if pair.value and (text := by_default(pair.value)):
            written = text.replace("${", "$${")
            keys[key] = [written] if key == "databases" else written
        else:
            sentence = f"is left to the variable; write {key} as well, for probes and backups"
            draft.row(Outcome.CHANGED, (*here, *pair.path), sentence)
    password = _password(given, service, has_user="username" in keys)
    if isinstance(password, Pair):
        place = (*here, *password.path) if password.path else ("services", service.name, "command")
        keys["password"] = {"secret": reference(password, place, name, draft)}
    elif found := _first(given, [f"{each}_FILE" for each in (*_PASSWORDS, *_ROOTS)]):
        secret = (found.value or "").rpartition("/")[2]
        if secret in (draft.project.model.get("secrets") or {}):
            keys["password"] = {"secret": secret}
    if "password" not in keys:
        # A user without a password is refused.
        if ENGINES[engine].protocol != "postgresql":
            keys.pop("username", None)
        if draft.own and not service.env_file:
            keys["auth"] = False
            draft.row(
                Outcome.CHANGED, ("services", service.name), "no password was found, so it has auth: off"
            )
        elif draft.own:
            path = ("services", service.name, "env_file")
            keys["password"] = {"secret": draft.secret(path, f"{name}_password")}
            draft.row(
                Outcome.SECRET,
                path,
                "if its password is in this file, move it from there: the image refuses two",
            )
    return keys


def _password(given: Mapping[str, Pair], service: Service, *, has_user: bool) -> Pair | None:
    """Return where the password is written: that of the user, or the superuser's."""
    root, password = _first(given, _ROOTS), _first(given, _PASSWORDS)
    if root and not (has_user and password):
        return root
    if password is None and service.command and _REQUIREPASS in service.command.words:
        index = service.command.words.index(_REQUIREPASS) + 1
        word = service.command.words[index] if index < len(service.command.words) else ""
        return Pair("password", word, ())
    return password


def _first(given: Mapping[str, Pair], names: list[str]) -> Pair | None:
    return next((given[name] for name in names if name in given), None)


def _own_data(service: Service, keys: dict[str, Any], shared: dict[str, Any], draft: Draft) -> None:
    """Move the data of a store to its key `volume`."""
    engine = ENGINES[keys["engine"]]
    data = engine.data
    major = version(service.image or "").lstrip("v").partition(".")[0].partition("-")[0]
    if keys["engine"] == "postgresql" and major.isdigit() and int(major) >= _NEW_LAYOUT:
        data = _POSTGRES_PARENT
    for mount in service.volumes:
        here: ModelPath = ("services", service.name, "volumes", *mount.path)
        if mount.target != data or not mount.source:
            continue
        if mount.kind == UNKNOWN:
            shared["compose"] = {"volumes": [mount.raw], **shared.get("compose", {})}
            draft.row(Outcome.PASSED, here, "only a variable knows if it is a volume or a folder")
            continue
        keys["volume"] = draft.file(mount.source, here)
        if mount.options or mount.rest:
            draft.row(Outcome.CHANGED, here, "the options of the mount are left out")
    if not any(mount.target == data and mount.source for mount in service.volumes):
        sentence = "has no volume for its data; the catalog gives it one, called like it with -data"
        draft.row(Outcome.CHANGED, ("services", service.name), sentence)
    rest = mounts(service, draft, without=data)
    shared.pop("volumes", None)
    if rest:
        shared["volumes"] = rest


def _own_variables(service: Service, keys: dict[str, Any], shared: dict[str, Any], draft: Draft) -> None:
    """Leave out the variables and the command that the catalog writes for a store with a login."""
    path: ModelPath = ("services", service.name)
    if not split_image(service.image or "")[0].startswith(_OTHER_VARIABLES):
        environment = dict(shared.pop("environment", {}))
        maria = keys["engine"] == "mariadb"
        for pair in service.environment:
            name = pair.name.removesuffix("_FILE")
            if name in (*_USERNAMES, *_DATABASES):
                if pair.value and not has_variable(pair.value):
                    environment.pop(pair.name, None)
            elif name in (*_PASSWORDS, *_ROOTS):
                value = environment.pop(pair.name, None)
                if name == pair.name:
                    secret = reference(pair, (*path, "environment", *pair.path), service.name, draft)
                    value = {"secret": secret}
                used = value == keys.get("password") or (
                    isinstance(value, str) and value.rpartition("/")[2] == _name(keys)
                )
                if not used:
                    # The image reads both, and the catalog writes MARIADB_ROOT_PASSWORD_FILE.
                    renamed = pair.name.replace("MYSQL_ROOT", "MARIADB_ROOT") if maria else pair.name
                    environment[renamed] = value
        if any(name.partition("_FILE")[0] in _ROOTS for name in environment):
            environment.setdefault("MARIADB_ROOT_HOST" if maria else "MYSQL_ROOT_HOST", "%")
        if environment:
            shared["environment"] = environment
    words = service.command.words if service.command else ()
    if "password" in keys and _REQUIREPASS in words and len(words) <= _ONLY_A_PASSWORD:
        del shared["command"]
        sentence = "the catalog starts the store with its password"
        draft.row(Outcome.CHANGED, (*path, "command"), sentence)
    if secrets := [each for each in shared.pop("secrets", []) if {"secret": each} != keys.get("password")]:
        shared["secrets"] = secrets


_ONLY_A_PASSWORD = 3
"""The words of `redis-server --requirepass PASSWORD`."""


def _name(keys: Mapping[str, Any]) -> str:
    return str((keys.get("password") or {}).get("secret", ""))
