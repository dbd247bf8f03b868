"""Hand requests over from old replicas to new ones: the gateway asks the new ones alone while the old ones stop."""

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
"""The longest that workers may take to end the requests that they sent to old replicas."""
STARTING_SECONDS = 3
CONFIGURATION = "files/gateway/nginx.conf"
WHOLE = "gateway.whole"
"""The gateway's configuration as it is otherwise, in the state folder while it asks some replicas alone: the next run
puts it back where this one is interrupted."""
_TEST = ("nginx", "-t", "-q", "-e", "stderr", "-c", "/etc/nginx/nginx.conf")


class Gateway:
    """The gateway's containers, and what they are told while the replicas of a service are replaced."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def containers(self) -> list[Container]:
        """Return those that run."""
        site, engine = self._context.site, self._context.engine
        there = engine.containers(site.compose_project, site.gateway) if site.gateway else []
        return [each for each in there if each.running]

    def start(self) -> None:
        """Start those that were stopped: what does not run cannot be told anything.

        One that does not start is no reason to stop here: no request reaches it, so none can be lost, and it is started
        and verified in its turn.
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
        self._context.pause(STARTING_SECONDS, "the gateway starts")

    def networks(self) -> set[str]:
        """Return the networks that it is on."""
        return {name for each in self.containers() for name in each.networks}

    def ask_alone(self, service: str, replicas: Sequence[Container]) -> None:
        """Have it ask these replicas alone, and return when requests to others have ended.

        Raises:
            UnhealthyError: it does not accept the configuration.
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
            # Its file is not the generated one: give it time to learn of the new ones from the engine's DNS.
            seconds = self._context.site.gateway_resolve_seconds + 1
            self._context.pause(seconds, f"the gateway learns the new replicas of {service}")
            return
        screen.say(
            f"{service}: {len(replicas)} new replicas are healthy; the gateway asks only them from now on"
        )
        state.write(WHOLE, text)
        self._write(changed)
        before = self._workers(gateway)
        self.reload(gateway)
        self._context.pause(
            DRAIN_SECONDS,
            f"the gateway ends its requests to old replicas of {service}",
            over=lambda: not before & self._workers(gateway),
        )

    def ask_all(self) -> None:
        """Have it ask whoever has the services' names again, once it no longer knows those that were stopped."""
        if self._context.state.read(WHOLE) is None:
            return
        # It asks the engine's DNS again so long after the last answer; twice that leaves room on a busy host.
        seconds = 2 * self._context.site.gateway_resolve_seconds
        self._context.pause(seconds, "the gateway forgets the old replicas")
        self.restore()
        self.reload(self.containers())

    def restore(self) -> bool:
        """Put its configuration back, and return whether it was another one."""
        whole = self._context.state.read(WHOLE)
        if whole is None:
            return False
        self._write(whole)
        self._context.state.remove(WHOLE)
        return True

    def reload(self, containers: Iterable[Container]) -> None:
        """Have these read their configuration again.

        Raises:
            UnhealthyError: one does not accept it. Told to reload, it would go on with the old one and say so only in
                its log.
        """
        for each in containers:
            tested = self._context.engine.execute(each.id, _TEST)
            if not tested.good:
                raise UnhealthyError(
                    f"{each.name} does not accept its configuration: {tested.reason}", (each,)
                )
            self._context.engine.kill(each.id, "HUP")

    def _write(self, text: str) -> None:
        # In place: the container mounts this file.
        (self._context.state.path / CONFIGURATION).write_text(text, encoding="utf-8")

    def _workers(self, containers: Iterable[Container]) -> set[str]:
        return {pid for each in containers for pid in workers(self._context.engine.processes(each.id))}
