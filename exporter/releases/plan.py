"""The plan of a deploy or rollback: the services of the Compose files compared with the running containers."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from exporter.host.containers import Container


class Kind(StrEnum):
    """The kind of a service's change."""

    NEW = "new"
    RELEASED = "released"
    """Another image."""
    REDEFINED = "redefined"
    """The same image, run in another way: a variable, a limit, a mount."""
    STARTED = "started"
    """Nothing changed, but it is not running."""
    SCALED = "scaled"
    REMOVED = "removed"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Wanted:
    """One service as it should be. `image`: its id, None if the image is still to be built or pulled. `fetched`: it is
    always built or pulled, so the same tag can mean another image. `rolling`: its new replicas start before the old
    ones stop, without downtime."""

    service: str
    tag: str
    image: str | None
    config_hash: str
    replicas: int = 1
    rolling: bool = False
    fetched: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """The change of one service. A tag is empty if it did not run before or will not run after."""

    service: str
    kind: Kind
    before: str = ""
    after: str = ""
    replicas: int = 1
    had: int = 1
    rolling: bool = False

    def __str__(self) -> str:
        if self.kind is Kind.REMOVED:
            return f"{self.service} removed"
        if self.kind is Kind.UNCHANGED:
            return f"{self.service} unchanged"
        words = [f"{self.service} {self._change()}"]
        if self.had not in (self.replicas, 0) and self.kind is not Kind.NEW:
            words.append(f"{self.had}→{self.replicas} replicas")
        elif self.replicas > 1:
            words.append(f"{self.replicas} replicas")
        words += [text for kind, text in _WORDS if self.kind is kind]
        if self.rolling and self.kind in (Kind.RELEASED, Kind.REDEFINED):
            words.append("rolling")
        return ", ".join(words)

    def _change(self) -> str:
        if self.kind is Kind.RELEASED:
            return (
                f"{self.before}→{self.after}"
                if self.before != self.after
                else f"{self.after} (another image)"
            )
        return self.after


_WORDS = (
    (Kind.NEW, "new"),
    (Kind.REDEFINED, "definition changed"),
    (Kind.STARTED, "not running: to be started"),
)


@dataclass(frozen=True, slots=True)
class Plan:
    """A row for each service, in start order; removed ones come last."""

    rows: tuple[Row, ...]

    @property
    def changed(self) -> tuple[Row, ...]:
        """Return the rows of services that change."""
        return tuple(row for row in self.rows if row.kind is not Kind.UNCHANGED)

    def lines(self) -> list[str]:
        """Return the plan for people: a line for each change, and one for all unchanged services."""
        same = [row.service for row in self.rows if row.kind is Kind.UNCHANGED]
        lines = [str(row) for row in self.changed]
        return [*lines, f"unchanged: {' '.join(same)}"] if same else lines

    def as_json(self) -> list[dict[str, Any]]:
        """Return the rows for programs."""
        return [asdict(row) for row in self.rows]


def plan(
    wanted: Iterable[Wanted], containers: Sequence[Container], tags: dict[str, str], removed: Collection[str]
) -> Plan:
    """Compare wanted and existing containers. `tags`: current tag of each service. `removed`: services to remove."""
    of: dict[str, list[Container]] = {}
    for container in containers:
        of.setdefault(container.service, []).append(container)
    rows = [_row(each, of.get(each.service, ()), tags.get(each.service, "")) for each in wanted]
    gone = [Row(name, Kind.REMOVED, before=tags.get(name, "")) for name in sorted(removed) if name in of]
    return Plan((*rows, *gone))


def _row(wanted: Wanted, there: Sequence[Container], tag: str) -> Row:
    kind = _kind(wanted, there, tag)
    return Row(wanted.service, kind, tag, wanted.tag, wanted.replicas, len(there), wanted.rolling)


def _kind(wanted: Wanted, there: Sequence[Container], tag: str) -> Kind:
    if not there:
        return Kind.NEW if wanted.replicas else Kind.UNCHANGED
    if wanted.image is None or any(each.image_id != wanted.image for each in there):
        return Kind.RELEASED
    if wanted.fetched and tag != wanted.tag:
        return Kind.RELEASED
    if any(each.config_hash != wanted.config_hash for each in there):
        return Kind.REDEFINED
    if len(there) != wanted.replicas:
        return Kind.SCALED
    if any(not (each.running or each.completed) for each in there):
        return Kind.STARTED
    return Kind.UNCHANGED
