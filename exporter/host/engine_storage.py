"""Calls for networks, volumes and Swarm secrets."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from exporter.host.engine_calls import Calls, as_json, as_text, filters
from exporter.host.failures import NotThere
from exporter.host.shown import shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from exporter.host.containers import Json


class StorageCalls(Calls):
    """Calls for resources that containers share."""

    # --- networks and volumes ---

    def connect(self, network: str, id_: str, aliases: Sequence[str] = ()) -> None:
        """Connect a container to a network, with additional names."""
        with self._call(f"the connection of {shown(id_[:12])} to {shown(network)}"):
            self._client.connect_container_to_network(id_, network, aliases=list(aliases))

    def disconnect(self, network: str, id_: str) -> None:
        """Disconnect a container from a network."""
        with self._call(f"the disconnection of {shown(id_[:12])} from {shown(network)}"):
            self._client.disconnect_container_from_network(id_, network)

    def networks(self, labels: Mapping[str, str]) -> list[str]:
        """Return the names of all networks with these labels."""
        with self._call("the list of networks"):
            listed = self._client.networks(filters={"label": filters(labels)})
        return sorted(as_text(as_json(row).get("Name")) for row in listed if isinstance(row, dict))

    def network(self, name: str) -> Json | None:
        """Return the description of a network; None if there is none."""
        try:
            with self._call(f"the network {shown(name)}"):
                return as_json(self._client.inspect_network(name))
        except NotThere:
            return None

    def remove_network(self, name: str) -> None:
        """Remove a network; a missing one is ignored."""
        with suppress(NotThere), self._call(f"the removal of the network {shown(name)}"):
            self._client.remove_network(name)

    def volumes(self, labels: Mapping[str, str]) -> list[str]:
        """Return the names of all volumes with these labels."""
        with self._call("the list of volumes"):
            listed = as_json(self._client.volumes(filters={"label": filters(labels)})).get("Volumes")
        rows = listed if isinstance(listed, list) else []
        return sorted(as_text(as_json(row).get("Name")) for row in rows)

    def volume(self, name: str) -> Json | None:
        """Return the description of a volume, or None if it does not exist."""
        try:
            with self._call(f"the volume {shown(name)}"):
                return as_json(self._client.inspect_volume(name))
        except NotThere:
            return None

    def create_volume(self, labels: Mapping[str, str], name: str | None = None) -> str:
        """Create a volume, and return its name."""
        with self._call("a new volume"):
            made = as_json(self._client.create_volume(name, labels=dict(labels)))
        return as_text(made.get("Name"))

    def remove_volume(self, name: str) -> None:
        """Remove a volume; a missing one is ignored."""
        with suppress(NotThere), self._call(f"the removal of the volume {shown(name)}"):
            self._client.remove_volume(name, force=True)

    # --- secrets of a Swarm ---

    def swarm_secrets(self) -> dict[str, str]:
        """Return the creation times of the Swarm's secrets, by name."""
        with self._call("the Swarm's secrets"):
            listed = self._client.secrets()
        rows = [as_json(row) for row in listed] if isinstance(listed, list) else []
        return {as_text(as_json(row.get("Spec")).get("Name")): as_text(row.get("CreatedAt")) for row in rows}

    def create_swarm_secret(self, name: str, value: bytes, labels: Mapping[str, str]) -> None:
        """Create a secret in the Swarm."""
        with self._call(f"the Swarm's secret {shown(name)}"):
            self._client.create_secret(name, value, labels=dict(labels))

    def remove_swarm_secret(self, name: str) -> None:
        """Remove a secret from the Swarm, which refuses it for one in use."""
        with self._call(f"the removal of the Swarm's secret {shown(name)}"):
            self._client.remove_secret(name)
