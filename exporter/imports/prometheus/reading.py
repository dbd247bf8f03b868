"""Entry point: files of blackbox_exporter and Prometheus in, services of the catalog out.

    found = read_prometheus([Path("blackbox.yml"), Path("prometheus.yml")])
    found.catalog    # services, secrets and defaults, as a catalog is written

Nothing is fetched or probed. Files of targets are read; no value of a secret is kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from exporter.catalog.values.addresses import DEFAULT_PORTS, split_address
from exporter.catalog.values.words import quoted
from exporter.imports.project import Place, Source, mistake
from exporter.imports.prometheus.config import catalog_text, duration, members, read_config
from exporter.imports.prometheus.jobs import Jobs, Times
from exporter.imports.prometheus.making import Making
from exporter.imports.prometheus.modules import read_modules
from exporter.imports.prometheus.probes import probe_of
from exporter.imports.prometheus.services import ImportedService, Services

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from exporter.imports.project import Note, Value
    from exporter.imports.prometheus.jobs import Asked
    from exporter.imports.prometheus.modules import Module

_PROMETHEUS = frozenset({"scrape_configs", "scrape_config_files", "global"})
_BLACKBOX = "modules"
_PLAIN_ONLY = frozenset(
    {"basic_auth", "authorization", "bearer_token", "bearer_token_file", "oauth2", "tls_config", "proxy_url"}
    | {"metric_relabel_configs", "params"}
)
"""Keys of a scrape of metrics that the catalog's `metrics` does not have."""


@dataclass(frozen=True, slots=True)
class Imported:
    """Services that are watched and not deployed, the secrets that they refer to, and what a person should know."""

    services: tuple[ImportedService, ...]
    secrets: dict[str, Any] = field(default_factory=dict)
    defaults: dict[str, Any] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()
    sources: tuple[Source, ...] = ()

    @property
    def catalog(self) -> dict[str, Any]:
        """Return the keys of the catalog, all but the project."""
        keys = {
            "defaults": self.defaults,
            "services": {service.name: service.keys for service in self.services},
            "secrets": self.secrets,
        }
        return {key: value for key, value in keys.items() if value}


def read_prometheus(files: Sequence[Path]) -> Imported:
    """Read a prometheus.yml, and a blackbox.yml if it names modules, in any order.

    Raises:
        SourceError: one of them cannot be used, or there is no prometheus.yml.
    """
    making = Making()
    modules: dict[str, Module] = {}
    configs: list[Value] = []
    sources: list[Source] = []
    for file in files:
        config = read_config(file)
        keys = members(config).keys()
        if _BLACKBOX in keys:
            modules |= read_modules(config, making)
            sources.append(config.place.source)
        elif keys & _PROMETHEUS:
            configs.append(config)
        else:
            sentence = "is neither a prometheus.yml (scrape_configs) nor a blackbox.yml (modules)"
            raise mistake(sentence, Place(config.place.source))
    if not configs:
        place = Place(sources[0] if sources else Source("--from"))
        raise mistake("has modules and no targets; give prometheus.yml too", place)
    all_jobs = [Jobs(config) for config in configs]
    services = Services(all_jobs[0].times)
    for jobs in all_jobs:
        sources += jobs.sources
        making.notes |= dict.fromkeys(jobs.notes)
        for asked in jobs.asked:
            _add(asked, services, modules, making)
    return Imported(
        services.made(), making.secrets, _defaults(all_jobs[0].times), tuple(making.notes), tuple(sources)
    )


def _add(asked: Asked, services: Services, modules: dict[str, Module], making: Making) -> None:
    if "__param_target" not in asked.labels:
        _add_scrape(asked, services, making)
        return
    name = asked.labels.get("__param_module", "http_2xx")
    module = modules.get(name)
    if module is None:
        known = f"the module {quoted(name)} is in no blackbox.yml that was given"
        making.note(f"{known}; the targets of {quoted(asked.name)} are left out", asked.job.place)
        return
    probed = probe_of(module, asked, making) if module.protocol else None
    if probed is not None:
        services.add_probe(probed, module, asked)


def _add_scrape(asked: Asked, services: Services, making: Making) -> None:
    scheme = asked.labels.get("__scheme__", "http")
    path = asked.labels.get("__metrics_path__", "/metrics")
    try:
        host, port = split_address(asked.labels["__address__"])
    except ValueError:
        making.note(f"{quoted(asked.labels['__address__'])} is not an address; it is left out", asked.place)
        return
    if scheme not in DEFAULT_PORTS or not path.startswith("/"):
        making.note("its scheme or path is not known; it is left out", asked.place)
        return
    for key in sorted(members(asked.job).keys() & _PLAIN_ONLY):
        making.note(
            "a scrape in the catalog has no such key; it is left out", members(asked.job)[key].place, key
        )
    metrics: dict[str, Any] = {}
    if path != "/metrics":
        metrics["path"] = catalog_text(path)
    if scheme != "http":
        metrics["scheme"] = scheme
    services.add_scrape(host, port or DEFAULT_PORTS[scheme], asked, metrics)


def _defaults(times: Times) -> dict[str, Any]:
    return {
        "probe": {"interval": duration(times.interval), "timeout": duration(times.timeout)},
        "metrics_interval": duration(times.interval),
    }
