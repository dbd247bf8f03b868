"""The routing tree: by owner, then by severity, then by maintenance window.

No alert is dropped silently. If an owner has no receiver for a severity, its alerts go to `defaults.owner`; if that one
has none either, to all owners who have one; and only if nobody has one, to the receiver Nobody, which a comment at the
top of the file reports. The same applies to alerts without an owner.

Receivers that belong to no owner have a capital letter in their names, which owners' names cannot have.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from exporter.outputs.alertmanager.inhibition import SCOPE, WATCHDOG, matcher
from exporter.outputs.alertmanager.receivers import SEVERITIES, integrations, told
from exporter.outputs.alertmanager.windows import mute_times
from exporter.outputs.base import Refusals
from exporter.outputs.durations import duration_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.catalog.catalog import Catalog
    from exporter.catalog.keys.container.alerts import Severity

EVERYONE = "Everyone"
NOBODY = "Nobody"
OTHER_SEVERITY: Severity = "warning"
"""The severity as which alerts with another severity, from custom rules, are routed."""
WATCHDOG_REPEAT = 0.9
"""The factor of repeat_interval. A message is repeated at the first flush of its group after repeat_interval; if both
were equally long, every second flush would come slightly too early."""

Route = dict[str, Any]
Audience = dict["Severity", str]
"""The receiver for each severity."""


class Router:
    """A builder of routes, which collects their receivers."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._mute_times = mute_times(catalog)
        self._always = [time.name for time in self._mute_times if not time.services]
        self._integrations: dict[tuple[str, Severity], dict[str, Any]] = {}
        refusals = Refusals()
        for owner in catalog.owners:
            for severity in SEVERITIES:
                with refusals.gathered():
                    ways = integrations(catalog, owner, partial(told, severity))
                    self._integrations[owner, severity] = ways
        refusals.end()
        self.receivers: dict[str, dict[str, Any]] = {}

    def tree(self) -> Route:
        """Return the whole tree. A root route cannot be muted, so a last branch takes the remaining alerts."""
        settings = self._catalog.alertmanager
        rest = self._audience(None)
        branches = [
            self._branch([matcher("owner", owner)], self._audience(owner), self._services_of(owner))
            for owner in self._catalog.owners
        ]
        everything = [*self._catalog.services, *self._catalog.stores]
        return {
            "receiver": rest[OTHER_SEVERITY],
            "group_by": [*SCOPE, "service"],
            "group_wait": duration_text(settings.group_wait),
            "group_interval": duration_text(settings.group_interval),
            "repeat_interval": duration_text(settings.repeat_interval),
            "routes": [self._watchdog(), *branches, self._branch([], rest, everything)],
        }

    def unheard(self) -> list[str]:
        """Return the severities of which nobody is notified."""
        return [severity for severity, receiver in self._audience(None).items() if receiver == NOBODY]

    def time_intervals(self) -> list[dict[str, Any]]:
        return [time.interval for time in self._mute_times]

    def _audience(self, owner: str | None) -> Audience:
        return {severity: self._receiver(owner, severity) for severity in SEVERITIES}

    def _receiver(self, owner: str | None, severity: Severity) -> str:
        for candidate in (owner, self._catalog.defaults.owner):
            if candidate is not None and self._integrations[candidate, severity]:
                return self._receiver_of(candidate, severity)
        everyone: dict[str, Any] = {}
        for other in self._catalog.owners:
            for key, configs in self._integrations[other, severity].items():
                everyone.setdefault(key, []).extend(configs)
        return self._added(f"{EVERYONE}/{severity}" if everyone else NOBODY, everyone)

    def _receiver_of(self, owner: str, severity: Severity) -> str:
        """Return the receiver's name. Severities with the same receivers share one, so they also share messages."""
        config = self._integrations[owner, severity]
        alike = [other for other in SEVERITIES if self._integrations[owner, other] == config]
        return self._added(owner if len(alike) == len(SEVERITIES) else f"{owner}/{'-'.join(alike)}", config)

    def _added(self, name: str, config: dict[str, Any]) -> str:
        self.receivers[name] = config
        return name

    def _services_of(self, owner: str) -> list[str]:
        default = self._catalog.defaults.owner
        both = (*self._catalog.services.items(), *self._catalog.stores.items())
        return [name for name, container in both if (container.owner or default) == owner]

    def _branch(self, matchers: list[str], audience: Audience, services: list[str]) -> Route:
        severities: dict[str, list[str]] = {}
        for severity, receiver in audience.items():
            severities.setdefault(receiver, []).append(severity)
        if len(severities) == 1:
            return self._leaf(audience[OTHER_SEVERITY], matchers, services)
        return {
            **self._leaf(audience[OTHER_SEVERITY], matchers, []),
            "routes": [
                self._leaf(receiver, [matcher("severity", *names)], services)
                for receiver, names in severities.items()
            ],
        }

    def _leaf(self, receiver: str, matchers: list[str], services: Iterable[str]) -> Route:
        """Return a route whose only branches are those of services with their own maintenance windows."""
        windows: dict[tuple[str, ...], list[str]] = {}
        for service in services:
            names = tuple(time.name for time in self._mute_times if service in time.services)
            if names:
                windows.setdefault(names, []).append(service)
        route: Route = {"receiver": receiver}
        if matchers:
            route["matchers"] = matchers
        if self._always:
            route["mute_time_intervals"] = self._always
        if windows:
            route["routes"] = [
                {
                    "receiver": receiver,
                    "matchers": [matcher("service", *members)],
                    "mute_time_intervals": [*self._always, *names],
                }
                for names, members in windows.items()
            ]
        return route

    def _watchdog(self) -> Route:
        """Return the watchdog's route. Its messages prove that alerts arrive: regular, never muted, never resolved."""
        settings = self._catalog.alertmanager
        ways = integrations(self._catalog, settings.watchdog, lambda _: True) if settings.watchdog else {}
        silent = {
            key: [{**config, "send_resolved": False} for config in configs] for key, configs in ways.items()
        }
        return {
            "receiver": self._added(WATCHDOG if silent else NOBODY, silent),
            "matchers": [matcher("alertname", WATCHDOG)],
            "group_by": [*SCOPE, "alertname"],
            "group_wait": "0s",
            "group_interval": duration_text(settings.watchdog_interval),
            "repeat_interval": duration_text(settings.watchdog_interval * WATCHDOG_REPEAT),
        }
