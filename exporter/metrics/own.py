"""Metrics of the exporter itself, made with prometheus-client."""

from __future__ import annotations

import platform
from functools import partial
from typing import TYPE_CHECKING

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from exporter import __version__
from exporter.metrics.own_families import OWN_FAMILIES
from exporter.probes.base import Void
from exporter.probes.tls.handshake import tls_file_states
from exporter.probes.void import LOOP

if TYPE_CHECKING:
    from exporter.metrics.exposition import Format

END = b"# EOF\n"


WEB_REFUSALS = ("malformed", "too_large", "timeout", "evicted", "host", "origin", "login", "rate", "tls")

disable_created_metrics()


class OwnMetrics:
    """The families of `OWN_FAMILIES`, each an attribute named without `exporter_`, and those of the process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self.build_info = self._gauge("exporter_build_info")
        self.targets = self._gauge("exporter_targets")
        self.running = 0
        """Running probes: a plain number, read at each scrape, because it changes twice per probe."""
        self._gauge("exporter_probes_running").set_function(lambda: self.running)
        self.probes_missed = self._counter("exporter_probes_missed")
        self.probe_lateness_seconds = self._histogram("exporter_probe_lateness_seconds")
        self.internal_errors = self._counter("exporter_internal_errors")
        self._probes_void = self._counter("exporter_probes_void")
        resource_exhausted = self._gauge("exporter_resource_exhausted")
        for void in Void:
            self._probes_void.labels(reason=void)
            if void is not Void.STALL:
                resource_exhausted.labels(resource=void).set_function(partial(LOOP.recently_short, void))
        self.event_loop_stall_seconds = self._histogram("exporter_event_loop_stall_seconds")
        self.scrape_duration_seconds = self._histogram("exporter_scrape_duration_seconds")
        self._tls_file_current = self._gauge("exporter_tls_file_current")
        self.config_last_reload_successful = self._gauge("exporter_config_last_reload_successful")
        self.config_last_reload_success_timestamp_seconds = self._gauge(
            "exporter_config_last_reload_success_timestamp_seconds"
        )
        self.web_connections = self._gauge("exporter_web_connections")
        self._web_refused = self._counter("exporter_web_refused")
        for reason in WEB_REFUSALS:
            self._web_refused.labels(reason)
        self.build_info.labels(version=__version__, python_version=platform.python_version()).set(1)

    def count_void(self, void: Void) -> None:
        """Count a void run."""
        self._probes_void.labels(reason=void).inc()

    def web_refused_by(self, reason: str, count: int) -> None:
        """Count refusals of the web server for one reason of `WEB_REFUSALS`."""
        self._web_refused.labels(reason).inc(count)

    def web_config_last_reload_successful(self) -> Gauge:
        """Create and return the gauge. Without a web configuration it is never created."""
        return self._gauge("exporter_web_config_last_reload_successful")

    def render(self, form: Format) -> bytes:
        """Return the text of all families, without the end mark of OpenMetrics."""
        self._tls_file_current.clear()
        for file, current in tls_file_states().items():
            self._tls_file_current.labels(file).set(current)
        render = generate_openmetrics if form == "openmetrics" else generate_latest
        text: bytes = render(self._registry)
        return text.removesuffix(END)

    def _gauge(self, name: str) -> Gauge:
        family = _FAMILIES[name]
        return Gauge(name, family.help, family.labels, registry=self._registry)

    def _counter(self, name: str) -> Counter:
        family = _FAMILIES[name]
        return Counter(name, family.help, family.labels, registry=self._registry)

    def _histogram(self, name: str) -> Histogram:
        family = _FAMILIES[name]
        return Histogram(name, family.help, family.labels, buckets=family.buckets, registry=self._registry)


_FAMILIES = {family.name: family for family in OWN_FAMILIES}
