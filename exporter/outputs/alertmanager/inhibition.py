"""Inhibition: one cause, one notification.

What is named here are alerts of `exporter.catalog.keys.container.alerts.ALERTS`. The watchdog is never a target.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.outputs.yaml_text import Note

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from exporter.catalog.catalog import Catalog

WATCHDOG = "Watchdog"
SCOPE = ("project", "environment")
"""Labels of everything that one Prometheus sends: several may share an Alertmanager."""

CAUSES = ("ServiceDown", "StoreDown", "ServiceNotRunning")
"""Of a service or store, these explain the symptoms of whatever depends on it."""

SYMPTOMS = (
    "ServiceDown",
    "ServiceNotRunning",
    "ReplicasMissing",
    "ServiceSlow",
    "ServiceFlapping",
    "ScrapeTargetDown",
    "HighErrorRate",
    "HighLatency",
    "SloBurnRateFast",
    "SloBurnRateSlow",
    "ContainerRestarting",
    "ContainerUnhealthy",
    "ContainerExited",
    "LogErrors",
)
"""What a broken dependency can cause. Certificates, backups, disks and memory break by themselves."""

UNWATCHED = ("ExporterDown", "ExporterNoTargets")
"""The exporter does not watch."""
ABSENCES = ("ServiceAbsent", "BackupMissing", "ExporterNoTargets")
"""What seems to be missing when nobody watches."""

BACKUPS = ("BackupMissing", "BackupFailed", "BackupDrillFailed")
CERTIFICATES = ("CertificateExpired", "CertificateExpiringSoon")
"""Critical alerts that last for days and say nothing of the rest of a service, so they mute only their own kind."""


def matcher(label: str, *values: str) -> str:
    """A matcher of one value, or of any of several; these hold only letters, digits and hyphens."""
    return f'{label}="{values[0]}"' if len(values) == 1 else f'{label}=~"{"|".join(values)}"'


def inhibit_rules(catalog: Catalog) -> list[Note]:
    """The rules, each with what it is for."""
    own_kind = "|".join((*BACKUPS, *CERTIFICATES))
    return [
        *_broken_dependencies(catalog),
        _rule(
            "A critical alert of a service mutes its warnings, unless it is about something else.",
            ['severity="critical"', 'service!=""', f'alertname!~"{own_kind}"'],
            ['severity="warning"', 'service!=""', f'alertname!="{WATCHDOG}"'],
            "service",
        ),
        _rule(
            "A backup that fails or is missing is stale, too.",
            [matcher("alertname", *BACKUPS)],
            [matcher("alertname", "BackupStale")],
            "service",
            "volume",
        ),
        _rule(
            "A certificate that has expired is also about to.",
            [matcher("alertname", "CertificateExpired")],
            [matcher("alertname", "CertificateExpiring", "CertificateExpiringSoon")],
            "service",
            "probe",
            "target",
        ),
        _rule(
            "The nearer end of a certificate mutes the farther one.",
            [matcher("alertname", "CertificateExpiringSoon")],
            [matcher("alertname", "CertificateExpiring")],
            "service",
            "probe",
            "target",
        ),
        _rule(
            "Where nobody watches, everything seems absent.",
            [matcher("alertname", *UNWATCHED)],
            [matcher("alertname", *ABSENCES)],
        ),
    ]


def _broken_dependencies(catalog: Catalog) -> Iterator[Note]:
    for name, dependents in dependents_of(needs(catalog)).items():
        yield _rule(
            f"{name} is down: what depends on it says nothing new.",
            [matcher("alertname", *CAUSES), matcher("service", name)],
            [matcher("alertname", *SYMPTOMS), matcher("service", *dependents)],
        )


def _rule(comment: str, source: list[str], target: list[str], *equal: str) -> Note:
    rule: dict[str, Any] = {
        "source_matchers": source,
        "target_matchers": target,
        "equal": [*SCOPE, *equal],
    }
    return Note(comment, rule)


def needs(catalog: Catalog) -> dict[str, list[str]]:
    """What each service cannot work without, in the catalog's order.

    Not what is optional, nor a job that has to be completed once. A SQLite store is a file inside its service.
    """
    needed = {
        name: [
            other
            for other, how in service.depends_on.items()
            if not how.optional and how.condition != "completed"
        ]
        for name, service in catalog.services.items()
    }
    for name, store in catalog.stores.items():
        if store.service:
            needed[store.service].append(name)
    return needed


def dependents_of(needed: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Of each name that others need, these others, directly or through more; never itself, even in a circle."""
    direct: dict[str, list[str]] = {}
    for name, others in needed.items():
        for other in others:
            direct.setdefault(other, []).append(name)
    found = {}
    for name in sorted(direct):
        reached: set[str] = set()
        waiting = list(direct[name])
        while waiting:
            dependent = waiting.pop()
            if dependent != name and dependent not in reached:
                reached.add(dependent)
                waiting += direct.get(dependent, [])
        if reached:
            found[name] = sorted(reached)
    return found
