"""Keys of a service that say what runs in its container: only what differs from the image."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from exporter.imports.masking import masked_value, masked_words, secret_name
from exporter.imports.project import Note

if TYPE_CHECKING:
    from exporter.imports.engine.answers import Part
    from exporter.imports.engine.found import Found

HEALTH_TIMES = {
    "interval": "Interval",
    "timeout": "Timeout",
    "start_period": "StartPeriod",
    "start_interval": "StartInterval",
}
_OWN_LABELS = ("com.docker.compose.", "com.docker.stack.", "com.docker.swarm.", "desktop.docker.io/")
_ID = re.compile(r"(?:sha256:)?[0-9a-f]{12,64}")
_DEPENDENCY = re.compile(r"([^:,]+)(?::(service_\w+))?(?::(true|false))?")
_CONDITIONS = frozenset({"service_started", "service_healthy", "service_completed_successfully"})
_UNITS = (("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000), ("ns", 1))


def process_keys(found: Found, notes: list[Note]) -> dict[str, Any]:
    """Return image, command, environment and so on."""
    config, own = found.described.part("Config"), found.image.part("Config")
    shown = _Text(found, notes)
    keys: dict[str, Any] = {"image": shown.literal(image_name(found))}
    entrypoint, command = config.texts("Entrypoint"), config.texts("Cmd")
    if entrypoint != own.texts("Entrypoint"):
        # An own entry point also drops the image's command.
        keys["entrypoint"] = shown.words(entrypoint)
        keys["command"] = shown.words(command) or None
    elif command != own.texts("Cmd"):
        keys["command"] = shown.words(command)
    for key, field in (("user", "User"), ("working_dir", "WorkingDir"), ("stop_signal", "StopSignal")):
        if config.text(field) != own.text(field):
            keys[key] = shown.literal(config.text(field))
    keys["environment"] = dict.fromkeys(_variables(config, own))
    keys["labels"] = {
        name: shown.named(name, value)
        for name, value in config.texts_by_name("Labels").items()
        if not name.startswith(_OWN_LABELS) and own.texts_by_name("Labels").get(name) != value
    }
    keys["stop_grace_period"] = duration(config.number("StopTimeout") * 1_000_000_000)
    keys["tty"], keys["stdin_open"] = config.flag("Tty"), config.flag("OpenStdin")
    keys["domainname"] = config.text("Domainname")
    keys["depends_on"] = dependencies(found)
    keys["healthcheck"] = health_check(config.part("Healthcheck"), own.part("Healthcheck"), shown)
    return {key: value for key, value in keys.items() if value or key == "entrypoint"}


def image_health_check(found: Found, notes: list[Note]) -> dict[str, Any]:
    """Return the health check that the container takes from its image; empty if there is none."""
    config, own = (
        found.described.part("Config").part("Healthcheck"),
        found.image.part("Config").part("Healthcheck"),
    )
    theirs = own.texts("Test")
    if not theirs or theirs[0] == "NONE" or config.texts("Test") != theirs:
        return {}
    return _check(own, _Text(found, notes))


def health_check(config: Part, own: Part, shown: _Text) -> dict[str, Any]:
    """Return the container's health check, as far as it is not its image's."""
    if config.texts("Test")[:1] == ("NONE",):
        return {"disable": True}
    mine, theirs = _check(config, shown), _check(own, shown)
    return {key: value for key, value in mine.items() if theirs.get(key) != value}


def _check(part: Part, shown: _Text) -> dict[str, Any]:
    check: dict[str, Any] = {key: duration(part.number(field)) for key, field in HEALTH_TIMES.items()}
    check = {"test": shown.words(part.texts("Test")), "retries": part.number("Retries"), **check}
    return {key: value for key, value in check.items() if value}


def image_name(found: Found) -> str:
    """Return the name of the image, by id only if it has none."""
    name = found.described.part("Config").text("Image")
    if not _ID.fullmatch(name):
        return name
    return next(iter((*found.image.texts("RepoTags"), *found.image.texts("RepoDigests"))), name)


def dependencies(found: Found) -> dict[str, Any]:
    """Return `depends_on` from Compose's label: `db:service_healthy:false,cache:service_started:true`."""
    result: dict[str, Any] = {}
    for item in found.labels.get("com.docker.compose.depends_on", "").split(","):
        match = _DEPENDENCY.fullmatch(item)
        if match:
            condition = match[2] if match[2] in _CONDITIONS else "service_started"
            result[match[1]] = {"condition": condition} | ({"restart": True} if match[3] == "true" else {})
    return result


def duration(nanoseconds: int) -> str:
    """Return the engine's time as Compose writes it; empty for none."""
    if nanoseconds <= 0:
        return ""
    unit, size = next(each for each in _UNITS if nanoseconds % each[1] == 0)
    return f"{nanoseconds // size}{unit}"


def _variables(config: Part, own: Part) -> list[str]:
    """Return the names of variables that the image does not set like that. Values are secrets: none is kept."""
    inherited = {*own.texts("Env")}
    names = (item.partition("=")[0] for item in config.texts("Env") if item not in inherited)
    return [name for name in dict.fromkeys(names) if name]


class _Text:
    """Text of a container as Compose writes it: dollar signs doubled, secrets replaced by references."""

    def __init__(self, found: Found, notes: list[Note]) -> None:
        self._found = found
        self._notes = notes

    @staticmethod
    def literal(text: str) -> str:
        return text.replace("$", "$$")

    def named(self, name: str, value: str) -> str:
        return masked_value(name, value, self._reference, self.literal)

    def words(self, words: tuple[str, ...]) -> list[str]:
        return masked_words(words, self._reference, self.literal)

    def _reference(self, name: str) -> str:
        variable = secret_name(self._found.service, name)
        note = Note(f"a secret is written out there; ${{{variable}}} replaces it", place=self._found.place)
        if note not in self._notes:
            self._notes.append(note)
        return f"${{{variable}}}"
