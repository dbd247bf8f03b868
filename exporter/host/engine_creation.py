"""Calls that create containers without Compose: of helpers, and of stores for a drill."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from exporter.host.engine_calls import Calls, as_json, as_text
from exporter.host.shown import shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from exporter.host.engine_values import Helper


class CreationCalls(Calls):
    """Calls that create containers."""

    def create(self, helper: Helper, *, open_stdin: bool = False) -> str:
        """Create a helper's container without starting it, and return its id. The caller removes it."""
        mounts = [
            {
                "Type": "bind" if source.startswith("/") else "volume",
                "Source": source,
                "Target": target,
                "ReadOnly": not writable,
            }
            for target, (source, writable) in helper.volumes.items()
        ]
        with self._call(f"a container of {shown(helper.image)}"):
            drop = (
                {}
                if helper.capabilities is None
                else {"cap_drop": ["ALL"], "cap_add": [*helper.capabilities]}
            )
            config = self._client.create_host_config(
                network_mode=helper.network,
                read_only=helper.read_only,
                security_opt=["no-new-privileges"],
                mounts=cast("Any", mounts),
                log_config=cast("Any", {"Type": "none"}),
                tmpfs=cast("Any", dict.fromkeys(helper.tmpfs, "")),
                **cast("Any", drop),
            )
            made = self._client.create_container(
                helper.image,
                list(helper.argv[1:]),
                entrypoint=[helper.argv[0]],
                host_config=cast("Any", config),
                stdin_open=open_stdin,
                user=helper.user,
                environment=dict(helper.environment or {}),
                labels=dict(helper.labels),
                **cast("Any", {"use_config_proxy": False}),
            )
        return as_text(as_json(made).get("Id"))

    def create_store(
        self,
        image: str,
        labels: Mapping[str, str],
        environment: Mapping[str, str],
        volumes: Sequence[str] = (),
    ) -> str:
        """Create, but do not start, a container with its image's program and no network; return its id.

        `volumes`: folders that get an anonymous volume. The caller removes both.
        """
        with self._call(f"a container of {shown(image)}"):
            config = self._client.create_host_config(network_mode="none", security_opt=["no-new-privileges"])
            made = self._client.create_container(
                image,
                host_config=cast("Any", config),
                environment=dict(environment),
                labels=dict(labels),
                volumes=list(volumes),
                **cast("Any", {"use_config_proxy": False}),
            )
        return as_text(as_json(made).get("Id"))
