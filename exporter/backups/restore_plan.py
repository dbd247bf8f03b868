"""The plan of a restore: what is overwritten with what, and which services are stopped. Changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.backups.steps import amount
from exporter.backups.subjects import BackupsError
from exporter.catalog.reading.checks import CONFIGURATION

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from exporter.backups.manifest import Manifest, Saved
    from exporter.backups.subjects import Subject
    from exporter.host.state import HalfRestored


class WrongNameError(BackupsError):
    """A name that the backup or the catalog does not have: wrong usage, not a failure."""


@dataclass(frozen=True, slots=True)
class Item:
    """One subject to restore, as in the catalog and as in the backup."""

    subject: Subject
    saved: Saved

    @property
    def name(self) -> str:
        return self.subject.name

    @property
    def line(self) -> str:
        """Return the item for people: `db  postgresql 16.3  6 rows  1.2 MiB`."""
        kind = f"{self.saved.engine or self.saved.kind} {self.saved.facts.get('version', '')}".strip()
        rows = "" if self.saved.rows is None else f"{self.saved.rows} {ROWS.get(self.saved.engine, 'files')}"
        return "  ".join(part for part in (self.name, kind, rows, amount(self.saved.bytes)) if part)


ROWS = {"postgresql": "rows", "mongodb": "documents", "redis": "keys", "sqlite": "rows"}
"""The unit of each engine's counts."""


@dataclass(frozen=True, slots=True)
class RestorePlan:
    """A plan. `stopped`: services that write to the items. `completes`: True if it completes an interrupted restore."""

    manifest: Manifest
    items: tuple[Item, ...]
    stopped: tuple[str, ...]
    completes: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(item.name for item in self.items)

    @property
    def only_configuration(self) -> bool:
        """True if no container is touched."""
        return self.names == (CONFIGURATION,)


def plan_restore(
    manifest: Manifest,
    subjects: Mapping[str, Subject],
    names: Sequence[str],
    left: HalfRestored | None = None,
) -> RestorePlan:
    """Return the plan for `names`, or all but the configuration. Raises BackupsError; WrongNameError for a bad name."""
    items = choose(manifest, subjects, names, configuration=False)
    services = {service for item in items for service in item.subject.writers}
    if left:  # a store that is half restored may be running
        services |= {item.subject.service for item in items if item.subject.service}
    return RestorePlan(manifest, items, tuple(sorted(services)), bool(left))


def choose(
    manifest: Manifest, subjects: Mapping[str, Subject], names: Sequence[str], *, configuration: bool
) -> tuple[Item, ...]:
    """Return the items for `names`, or all of the backup; `configuration`: include it although it is not named."""
    wanted = tuple(dict.fromkeys(names)) or tuple(
        saved.name for saved in manifest.subjects if configuration or saved.kind != "configuration"
    )
    if not wanted:
        raise BackupsError("the backup holds only the configuration; name it to restore it")
    return tuple(_item(manifest, subjects, name) for name in wanted)


def uncovered(left: HalfRestored | None, names: Iterable[str]) -> tuple[str, ...]:
    """Return the names that an interrupted restore has left and that `names` does not include."""
    return tuple(name for name in left.names if name not in set(names)) if left else ()


def _item(manifest: Manifest, subjects: Mapping[str, Subject], name: str) -> Item:
    saved, subject = manifest.of(name), subjects.get(name)
    if saved is None:
        held = ", ".join(saved.name for saved in manifest.subjects)
        raise WrongNameError(f"the backup {manifest.id} does not contain {name}; it contains {held}")
    if subject is None or (subject.kind, subject.engine) != (saved.kind, saved.engine):
        there = (subject.engine or subject.kind) if subject else "nothing"
        raise WrongNameError(
            f"{name} is {saved.engine or saved.kind} in the backup and {there} in the catalog"
        )
    return Item(subject, saved)
