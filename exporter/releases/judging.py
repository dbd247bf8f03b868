"""Judgement of containers after their start: healthy, not yet, or failed for good."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from exporter.host.containers import Container


class Verdict(StrEnum):
    WELL = "well"
    WAITING = "waiting"
    FAILED = "failed"


def verdict(container: Container, jobs: Collection[str]) -> Verdict:
    """Judge one container. A service in `jobs` is awaited until it has completed; others only have to run."""
    if container.state == "running":
        if container.service in jobs:
            return Verdict.WAITING
        if container.health == "unhealthy":
            return Verdict.FAILED
        return Verdict.WELL if container.healthy else Verdict.WAITING
    if container.completed:
        return Verdict.WELL
    gone = container.state == "exited" and container.restart_policy == "no"
    return Verdict.FAILED if gone or container.state == "dead" else Verdict.WAITING


@dataclass(frozen=True, slots=True)
class Judgement:
    """The containers at one moment. `missing`: the number of missing containers of each service."""

    well: tuple[Container, ...]
    waiting: tuple[Container, ...]
    failed: tuple[Container, ...]
    missing: Mapping[str, int] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        """True if everything that should run is running and healthy."""
        return not (self.waiting or self.failed or self.missing)

    @property
    def decided(self) -> bool:
        """True if waiting will not help: everything is healthy, or something has failed for good or is missing."""
        return self.good or bool(self.failed) or bool(self.missing)

    @property
    def bad(self) -> tuple[Container, ...]:
        """Return the containers at fault: those that failed, or at the deadline those that are not healthy yet."""
        return self.failed or self.waiting

    def rows(self) -> list[str]:
        """Return `web 1/3 healthy` for each service that is not healthy yet."""
        well = Counter(container.service for container in self.well)
        rest = Counter(container.service for container in (*self.waiting, *self.failed))
        rest.update(self.missing)
        return [f"{name} {well[name]}/{well[name] + rest[name]} healthy" for name in sorted(rest)]

    def reason(self) -> str:
        """Return what is not healthy, as a clause; only valid if something is not."""
        absent = ", ".join(f"{name} ({count} missing)" for name, count in sorted(self.missing.items()))
        names = " ".join(container.name for container in self.bad)
        clauses = [f"not healthy: {names}"] if names else []
        return "; ".join([*clauses, *([f"not running: {absent}"] if absent else [])])


def judge(
    containers: Iterable[Container], jobs: Collection[str], wanted: Mapping[str, int] | None = None
) -> Judgement:
    """Judge all containers. `wanted`: the number of containers that each service must have."""
    there = list(containers)
    by_verdict: dict[Verdict, list[Container]] = {each: [] for each in Verdict}
    for container in there:
        by_verdict[verdict(container, jobs)].append(container)
    count = Counter(container.service for container in there)
    missing = {name: number - count[name] for name, number in (wanted or {}).items() if number > count[name]}
    well, waiting, failed = (tuple(by_verdict[each]) for each in Verdict)
    return Judgement(well, waiting, failed, missing)
