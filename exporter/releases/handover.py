"""Handover from old replicas to new ones: the gateway sends requests only to the new ones while the old ones stop."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from exporter.host.failures import Refused
from exporter.releases.failing import UnhealthyError
from exporter.releases.upstream import with_addresses, workers

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from exporter.host.containers import Container
    from exporter.releases.context import Context

DRAIN_SECONDS = 30
"""Time limit for the gateway's workers to finish requests to old replicas."""
STARTING_SECONDS = 3
CONFIGURATION = "files/gateway/nginx.conf"
WHOLE = "gateway.whole"
"""The gateway's normal configuration, in the state folder during a handover. After an interruption, the next run
restores it."""
_TEST = ("nginx", "-t", "-q", "-e", "stderr", "-c", "/etc/nginx/nginx.conf")


class Gateway:
    """The gateway's containers, and their configuration while the replicas of a service are replaced."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def containers(self) -> list[Container]:
        """Return the running containers of the gateway."""
        site, engine = self._context.site, self._context.engine
        there = engine.containers(site.compose_project, site.gateway) if site.gateway else []
        return [each for each in there if each.running]

    def start(self) -> None:
        """Start stopped containers of the gateway, since they must run to be reconfigured.

        One that does not start is ignored here: no request reaches it, so none can be lost, and it is started and
        verified later anyway.
        """
        site, engine = self._context.site, self._context.engine
        there = engine.containers(site.compose_project, site.gateway) if site.gateway else []
        stopped = [each for each in there if each.state == "exited"]
        if not stopped:
            return
        self._context.screen.say("the gateway is stopped; starting it")
        for each in stopped:
            with suppress(Refused):
                engine.start(each.id)
        self._context.pause(STARTING_SECONDS, "waiting for the gateway to start")

    def networks(self) -> set[str]:
        """Return the gateway's networks."""
        return {name for each in self.containers() for name in each.networks}

    def ask_alone(self, service: str, replicas: Sequence[Container]) -> None:
        """Make the gateway use only these replicas, and wait until requests to others have finished.

        Raises:
            UnhealthyError: The gateway rejects the configuration.
        """
        gateway = self.containers()
        shared = {name for each in gateway for name in each.networks}
        addresses = [ip for each in replicas for name, ip in each.networks.items() if name in shared and ip]
        if not gateway or not addresses:
            return
        state, screen = self._context.state, self._context.screen
        text = state.read(CONFIGURATION)
        changed = with_addresses(text, service, addresses) if text else None
        if text is None or changed is None:
            # Its file is not the generated one: give it time to find the new ones in the engine's DNS.
            seconds = self._context.site.gateway_resolve_seconds + 1
            self._context.pause(seconds, f"waiting for the gateway to find the new replicas of {service}")
            return
        screen.say(
            f"{service}: {len(replicas)} new replicas are healthy; the gateway now sends requests only to them"
        )
        state.write(WHOLE, text)
        self._write(changed)
        before = self._workers(gateway)
        self.reload(gateway)
        self._context.pause(
            DRAIN_SECONDS,
            f"waiting for requests to old replicas of {service} to finish",
            over=lambda: not before & self._workers(gateway),
        )

    def ask_all(self) -> None:
        """Make the gateway use all replicas again, once it has dropped the stopped ones."""
        if self._context.state.read(WHOLE) is None:
            return
        # It queries the engine's DNS at this interval; twice that leaves a margin on a busy host.
        seconds = 2 * self._context.site.gateway_resolve_seconds
        self._context.pause(seconds, "waiting for the gateway to drop the old replicas")
        self.restore()
        self.reload(self.containers())

    def restore(self) -> bool:
        """Restore the gateway's normal configuration; return False if it was in place already."""
        whole = self._context.state.read(WHOLE)
        if whole is None:
            return False
        self._write(whole)
        self._context.state.remove(WHOLE)
        return True

    def reload(self, containers: Iterable[Container]) -> None:
        """Make these containers reload their configuration.

        Raises:
            UnhealthyError: One rejects it. A reload would keep the old configuration and report that only in the log.
        """
        for each in containers:
            tested = self._context.engine.execute(each.id, _TEST)
            if not tested.good:
                raise UnhealthyError(f"{each.name} rejects its configuration: {tested.reason}", (each,))
            self._context.engine.kill(each.id, "HUP")

    def _write(self, text: str) -> None:
        # In place: the container mounts this file.
        (self._context.state.path / CONFIGURATION).write_text(text, encoding="utf-8")

    def _workers(self, containers: Iterable[Container]) -> set[str]:
        return {pid for each in containers for pid in workers(self._context.engine.processes(each.id))}
