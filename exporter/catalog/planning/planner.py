"""Conversion of a catalog into a plan: the targets that the daemon probes in one environment."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from exporter.catalog.keys.services import Service
from exporter.catalog.planning.jobs import jobs, wanted
from exporter.catalog.planning.log_levels import DEFAULT_PATTERNS
from exporter.catalog.planning.machine import CGROUP, DOCKER, PROC, own_place
from exporter.catalog.planning.parts import Parts
from exporter.catalog.planning.places import DEPLOYS, MARKERS, state_folder
from exporter.catalog.planning.plan import (
    BackupsPlan,
    ContainersPlan,
    LogsPlan,
    Plan,
    ServicePlan,
    VolumePlan,
    WebPlan,
)
from exporter.catalog.planning.secret_paths import absolute
from exporter.catalog.planning.stores import volume_path
from exporter.catalog.planning.targets import targets
from exporter.catalog.planning.watched import claim, contained, least, on_demand, own_volumes, projects

if TYPE_CHECKING:
    from exporter.catalog.catalog import Catalog
    from exporter.catalog.keys.container.model import Container
    from exporter.catalog.keys.stores import Store
    from exporter.catalog.planning.parts import SecretUse
    from exporter.catalog.reading.problems import Finding


def build_plan(catalog: Catalog) -> tuple[Plan, list[SecretUse], list[Finding]]:
    """Return the plan of the catalog's environment, every secret that its probes read, and what is wrong."""
    parts = Parts(catalog)
    ending, numbers = jobs(catalog), wanted(catalog)
    services = (
        *(_service_plan(catalog, parts, name, service) for name, service in catalog.services.items()),
        *(_service_plan(catalog, parts, name, store) for name, store in catalog.stores.items()),
    )
    services = tuple(
        replace(
            each,
            wanted=numbers.get(each.name),
            ends=each.name in ending,
            least=0 if each.name in ending else each.least,
        )
        for each in services
    )
    host, port = catalog.exporter.listen
    plan = Plan(
        project=catalog.project,
        environment=catalog.environment_name,
        listen_host=host,
        listen_port=port,
        services=services,
        targets=tuple(targets(catalog, parts)),
        buckets=_buckets(catalog),
        containers=_containers(catalog),
        volumes=tuple(VolumePlan(name, volume_path(catalog, name)) for name in volume_names(catalog)),
        backups=_backups(catalog),
        web=_web(catalog),
        deploys=f"{state_folder(catalog)}/{DEPLOYS}",
    )
    return plan, parts.uses, parts.findings


def _service_plan(catalog: Catalog, parts: Parts, name: str, container: Service | Store) -> ServicePlan:
    service = container if isinstance(container, Service) else None
    metrics = service.metrics if service else None
    return ServicePlan(
        name=name,
        kind="service" if service else "store",
        description=container.description,
        owner=container.owner or catalog.defaults.owner,
        depends_on=tuple(container.depends_on),
        runbook=container.runbook or _runbook(catalog, name, "ServiceDown" if service else "StoreDown"),
        deployed=container.deployed,
        contained=contained(catalog, name, container),
        least=least(container),
        claim=None if container.deployed else claim(container),
        may_end=service is not None
        and not (service.deployed or service.probed or service.metrics or service.restart),
        port=container.listen_port,
        metrics_path=metrics.path if metrics else None,
        metrics_target=parts.metrics_target(name, service, metrics) if service and metrics else None,
        metrics_scheme=metrics.scheme if metrics else "http",
        metrics_interval=(metrics.interval or catalog.defaults.metrics_interval) if metrics else None,
        replicas=service.replicas if service else 1,
        on_demand=on_demand(catalog, name, container),
        logs=_logs(container),
    )


def _logs(container: Container) -> LogsPlan | None:
    logs = container.logs
    if logs is None:
        return None
    levels = DEFAULT_PATTERNS if logs.levels else ()
    patterns = dict((*levels, *logs.patterns.items()))
    return LogsPlan(tuple(patterns.items()), int(logs.max_line))


def _containers(catalog: Catalog) -> ContainersPlan:
    written = catalog.exporter.containers
    return ContainersPlan(
        source=written.source,
        interval=written.interval,
        strangers=written.strangers,
        docker=own_place(DOCKER, written.docker),
        cgroup=own_place(CGROUP, written.cgroup),
        proc=own_place(PROC, written.proc),
        projects=projects(catalog),
        labels=written.labels,
    )


def _web(catalog: Catalog) -> WebPlan:
    written = catalog.exporter
    return WebPlan(written.hosts, written.reload, configured=written.web is not None)


def volume_names(catalog: Catalog) -> list[str]:
    """Return every volume of what is deployed once: those in `volumes`, and those of stores."""
    stores = (store.data_volume for store in catalog.stores.values() if store.data_volume)
    return list(dict.fromkeys((*own_volumes(catalog), *stores)))


def _backups(catalog: Catalog) -> BackupsPlan:
    saved = (
        *(name for name, store in catalog.stores.items() if store.backup and store.deployed),
        *(name for name, volume in own_volumes(catalog).items() if volume.backup),
    )
    folder = f"{catalog.backup.directory}/{catalog.environment_name}/{MARKERS}"
    return BackupsPlan(absolute(catalog, folder), saved)


def _runbook(catalog: Catalog, service: str, alert: str) -> str | None:
    pattern = catalog.defaults.runbooks
    return pattern.replace("{alert}", alert).replace("{service}", service) if pattern else None


def _buckets(catalog: Catalog) -> tuple[float, ...]:
    objectives = [
        catalog.defaults.slo,
        *(c.slo for c in (*catalog.services.values(), *catalog.stores.values())),
    ]
    return tuple(sorted({objective.latency.under for objective in objectives if objective.latency}))
