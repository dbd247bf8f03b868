"""Resources that the services of a project share: networks, volumes and secrets, under their names in Compose."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from exporter.catalog.reading.warnings import is_secret_name
from exporter.catalog.values.words import quoted
from exporter.host.containers import PROJECT_LABEL
from exporter.imports.engine.answers import Part
from exporter.imports.masking import masked
from exporter.imports.project import Note, Place, Source

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.host.engine import Engine
    from exporter.imports.engine.found import Found

NETWORK_LABEL = "com.docker.compose.network"
VOLUME_LABEL = "com.docker.compose.volume"


@dataclass(slots=True)
class Shared:
    """Top-level keys of one project, as its containers need them."""

    project: str
    engine: Engine
    names: Mapping[str, Found]
    """All containers of the engine, by id and by name."""
    notes: list[Note] = field(default_factory=list)
    networks: dict[str, Any] = field(default_factory=dict)
    volumes: dict[str, Any] = field(default_factory=dict)
    secrets: dict[str, Any] = field(default_factory=dict)
    _keys: dict[tuple[str, str], str] = field(default_factory=dict)
    """By kind and real name."""

    def network(self, name: str) -> str:
        """Return the key of a network by its real name."""
        if ("network", name) not in self._keys:
            described = self._part(f"network {name}", self.engine.network(name))
            definition = _without_empty(
                {
                    "driver": described.text("Driver").replace("bridge", ""),
                    "internal": described.flag("Internal"),
                    # Compose 1 sets it for every network; only an overlay has a use for it.
                    "attachable": described.text("Driver") == "overlay" and described.flag("Attachable"),
                    "enable_ipv6": described.flag("EnableIPv6"),
                    "driver_opts": self._options("network", name, described),
                }
            )
            self._enter("network", name, NETWORK_LABEL, described, self.networks, definition)
        return self._keys["network", name]

    def give_subnets(self, key: str) -> None:
        """Add the subnets of a network in which a container has a fixed address."""
        described = self._part(f"network {key}", self.engine.network(self.networks[key]["name"]))
        subnets = [{"subnet": each.text("Subnet")} for each in described.part("IPAM").parts("Config")]
        if not self.networks[key].get("external") and subnets:
            self.networks[key]["ipam"] = {"config": subnets}

    def volume(self, name: str) -> str:
        """Return the key of a volume by its real name."""
        if ("volume", name) not in self._keys:
            described = self._part(f"volume {name}", self.engine.volume(name))
            driver = described.text("Driver")
            definition = _without_empty(
                {
                    "driver": "" if driver == "local" else driver,
                    "driver_opts": self._options("volume", name, described),
                }
            )
            self._enter("volume", name, VOLUME_LABEL, described, self.volumes, definition)
        return self._keys["volume", name]

    def secret(self, name: str, file: str) -> str:
        """Return the key of the secret in a file of the host."""
        key, number = name, 1
        while self.secrets.setdefault(key, {"file": file})["file"] != file:
            number += 1
            key = f"{name}_{number}"
        return key

    def peer(self, mode: str) -> str:
        """Return a mode such as `container:ID` as Compose writes it: by service, or else by the container's name."""
        kind, _, name = mode.partition(":")
        if kind != "container":
            return mode
        other = self.names.get(name)
        if other is None:
            return mode
        return f"service:{other.service}" if other.project == self.project else f"container:{other.name}"

    def _enter(
        self,
        kind: str,
        name: str,
        label: str,
        described: Part,
        into: dict[str, Any],
        definition: dict[str, Any],
    ) -> None:
        labels = described.texts_by_name("Labels")
        key = labels.get(label, "") if labels.get(PROJECT_LABEL) == self.project else ""
        owned = bool(key and self.project)
        key = key if owned and key not in into else name
        into[key] = {"name": name, **definition} if owned else {"name": name, "external": True}
        self._keys[kind, name] = key

    def _options(self, kind: str, name: str, described: Part) -> dict[str, str]:
        """Return the driver's options without secrets, such as the password of a network share."""
        options = described.texts_by_name("Options")
        kept = {
            option: value.replace("$", "$$")
            for option, value in options.items()
            if not is_secret_name(option) and masked(value, lambda _: "") == value
        }
        for option in options.keys() - kept.keys():
            sentence = f"the option {quoted(option)} holds a secret; it is left out"
            self.notes.append(Note(sentence, place=Place(Source(f"{kind} {name}", role="engine"))))
        return kept

    def _part(self, what: str, described: Mapping[str, object] | None) -> Part:
        place = Place(Source(what, role="engine"))

        def left_out(key: str) -> None:
            sentence = f"the engine's answer has no usable value for {quoted(key)}; it is left out"
            self.notes.append(Note(sentence, place=place))

        return Part(described or {}, left_out)


def _without_empty(keys: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in keys.items() if value}
