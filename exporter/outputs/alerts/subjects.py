"""Subjects of the catalog's alerts, by kind."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

from exporter.catalog.keys.services import Service
from exporter.catalog.planning.jobs import jobs, wanted
from exporter.catalog.planning.planner import volume_names
from exporter.catalog.planning.watched import contained, on_demand, own_volumes
from exporter.outputs.alerts.backup_age import first_due, max_age
from exporter.outputs.alerts.model import Subject
from exporter.outputs.alerts.requests import probed_names
from exporter.outputs.base import Refusals

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from exporter.catalog.catalog import Catalog
    from exporter.catalog.keys.container.model import Container
    from exporter.catalog.keys.stores import Store
    from exporter.outputs.alerts.slo import Objective

HUNDRED = Decimal(100)
EXPORTER = "exporter"
"""The label `service` of alerts about the exporter."""


def subjects_of(catalog: Catalog, promises: Iterable[Objective]) -> dict[str, tuple[Subject, ...]]:
    """Return subjects by kind, each kind in the order of the catalog."""
    probed = set(probed_names(catalog))
    containers: dict[str, Service | Store] = {**catalog.services, **catalog.stores}
    all_ = {name: _subject(catalog, name, container) for name, container in containers.items()}
    servers = {name: store for name, store in catalog.stores.items() if store.engine != "sqlite"}
    sections = (catalog.services, catalog.stores)
    runs = [name for section in sections for name, c in section.items() if contained(catalog, name, c)]
    watched = catalog.exporter.containers.source != "off"
    numbers, ending = wanted(catalog), jobs(catalog)
    # The exporter knows how many containers somebody else's service has.
    rests = {name for name, container in containers.items() if on_demand(catalog, name, container)}
    own = {*numbers, *ending, *rests}
    theirs = [name for name in runs if name not in own]
    must_run = [name for name in runs if numbers.get(name) or name in theirs]
    owner = catalog.defaults.owner
    return {
        "probed": tuple(all_[name] for name in containers if name in probed),
        "probed services": tuple(all_[name] for name in catalog.services if name in probed),
        "probed stores": tuple(all_[name] for name in catalog.stores if name in probed),
        # The daemon probes what is started on demand only while it runs, so then it has no series of probes.
        "always probed": tuple(all_[name] for name in containers if name in probed and name not in rests),
        "measured": tuple(all_[name] for name, service in catalog.services.items() if service.metrics),
        "always measured": tuple(
            all_[name] for name, service in catalog.services.items() if service.metrics and name not in rests
        ),
        "containers": tuple(all_[name] for name in runs) if watched else (),
        "wanted": tuple(all_[name] for name in must_run) if watched else (),
        "replicas": tuple(all_[name] for name in must_run if name in theirs or numbers[name] > 1)
        if watched
        else (),
        "logged": tuple(all_[name] for name in runs if containers[name].logs) if watched else (),
        "docker": (Subject("", owner=owner, service=EXPORTER),) if watched else (),
        "stores": tuple(
            _subject(
                catalog,
                name,
                store,
                limit=None if store.max_connections is None else store.max_connections / HUNDRED,
            )
            for name, store in servers.items()
        ),
        "replicated": tuple(
            _subject(
                catalog,
                name,
                store,
                limit=min((Decimal(str(r.max_lag)) for r in store.replicas if r.max_lag), default=None),
            )
            for name, store in servers.items()
            if store.replicas
        ),
        "followed": tuple(
            _subject(catalog, name, store, limit=Decimal(len(store.replicas)) or None)
            for name, store in servers.items()
            if store.replicas or "StoreReplicasMissing" in store.alerts
        ),
        "memory stores": tuple(all_[name] for name, store in servers.items() if store.protocol == "redis"),
        "volumes": tuple(_volumes(catalog)),
        "backups": tuple(_backups(catalog)),
        "drills": tuple(_backups(catalog)) if catalog.backup.drill else (),
        "slos": _slos(promises, all_),
        "exporter": (Subject("", owner=owner, service=EXPORTER),),
        "prober": (Subject("", owner=owner, service=EXPORTER),) if probed else (),
        "watchdog": (Subject("", owner=catalog.alertmanager.watchdog, service="prometheus"),),
    }


def _subject(
    catalog: Catalog,
    name: str,
    container: Container,
    *,
    limit: Decimal | None = None,
    service: str | None = None,
) -> Subject:
    owner = container.owner or catalog.defaults.owner
    metrics = container.metrics if isinstance(container, Service) else None
    values = (
        {"requests": metrics.requests, "durations": metrics.durations, "status": metrics.status_label}
        if metrics
        else {}
    )
    return Subject(name, container.alerts, owner, container.runbook, limit, service=service, values=values)


def _users(catalog: Catalog) -> dict[str, tuple[str, Container]]:
    """Return for each volume the deployed store that has its data there, or else the first service that mounts it."""
    users: dict[str, tuple[str, Container]] = {}
    for name, store in catalog.stores.items():
        if store.data_volume:
            users.setdefault(store.data_volume, (name, store))
    for name, service in catalog.services.items():
        for mount in service.volumes if service.deployed else ():
            if mount.volume:
                users.setdefault(mount.volume, (name, service))
    return users


def _volumes(catalog: Catalog) -> Iterator[Subject]:
    users = _users(catalog)
    for volume in dict.fromkeys((*volume_names(catalog), *users)):
        if volume in users:
            name, container = users[volume]
            yield _subject(catalog, volume, container, service=name)
        else:
            yield Subject(volume, owner=catalog.defaults.owner, service=volume)


def _backups(catalog: Catalog) -> Iterator[Subject]:
    users = _users(catalog)
    refusals = Refusals()
    for name, store in catalog.stores.items():
        if store.backup and store.deployed:
            with refusals.gathered():
                path = ("stores", name)
                due = first_due(store.backup, path)
                yield replace(
                    _subject(catalog, name, store, limit=max_age(store.backup, path)), first_due=due
                )
    for name, volume in own_volumes(catalog).items():
        if not volume.backup:
            continue
        with refusals.gathered():
            age = max_age(volume.backup, ("volumes", name))
            due = first_due(volume.backup, ("volumes", name))
            if name in users:
                yield replace(_subject(catalog, name, users[name][1], limit=age), first_due=due)
            else:
                yield Subject(name, owner=catalog.defaults.owner, limit=age, first_due=due)
    refusals.end()


def _slos(promises: Iterable[Objective], all_: Mapping[str, Subject]) -> tuple[Subject, ...]:
    """Return each service with an objective once; `values` has the first one's period, on which the factors depend."""
    first: dict[str, Objective] = {}
    for objective in promises:
        first.setdefault(objective.service, objective)
    return tuple(
        replace(
            subject,
            values={
                **subject.values,
                "period": str(first[name].period),
                "slo": first[name].slo,
                "budget": str(1 - first[name].ratio),
            },
        )
        for name, subject in all_.items()
        if name in first
    )
