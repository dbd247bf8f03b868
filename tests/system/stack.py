"""The generated monitoring stack, running: the daemon, Prometheus and Alertmanager on generated files.

The files are as written by `exporter gen`, with one exception: the programs find one another by the names of their
containers, which do not exist here, so the daemon's name is replaced by its address on loopback.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.alertmanager_server import alertmanager
from tests.daemon.running import RunningDaemon, running_daemon
from tests.prometheus_server import Prometheus, prometheus
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

ENVIRONMENT = "test"
Fires = tuple[str, str]
"""An alert's name, and the service that it belongs to."""


class Stack:
    """The running programs."""

    def __init__(self, daemon: RunningDaemon, prometheus: Prometheus) -> None:
        self.daemon = daemon
        self.prometheus = prometheus

    def firing(self) -> set[Fires]:
        """Return names and services of the firing alerts in Prometheus, except the watchdog, which always fires."""
        rows = self.prometheus.vector('ALERTS{alertstate="firing",alertname!="Watchdog"}')
        return {(row["metric"]["alertname"], row["metric"].get("service", "")) for row in rows}

    def until_firing(self, *alerts: Fires, seconds: float = 60) -> None:
        """Wait until all of these fire; others may fire, too."""
        self._until(lambda firing: set(alerts) <= firing, f"{alerts} to fire", seconds)

    def until_only(self, *alerts: Fires, seconds: float = 60) -> None:
        """Wait until these fire, and nothing else."""
        self._until(lambda firing: set(alerts) == firing, f"{alerts} alone to fire", seconds)

    def until_resolved(self, alert: Fires, seconds: float = 60) -> None:
        """Wait until this one does not fire."""
        self._until(lambda firing: alert not in firing, f"{alert} to be resolved", seconds)

    def _until(self, reached: Callable[[set[Fires]], bool], what: str, seconds: float) -> None:
        last: set[Fires] = set()

        def ask() -> bool:
            nonlocal last
            last = self.firing()
            return reached(last)

        try:
            until(ask, what, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}; these fire: {sorted(last)}") from None


def generate(catalog: Path, out: Path) -> None:
    """Run `exporter gen` for the files that the servers read; these catalogs watch and deploy nothing."""
    options = ("--only", "alerts,prometheus,alertmanager", "--config", str(catalog), "--out", str(out))
    subprocess.run([sys.executable, "-m", "exporter", "gen", *options], check=True, capture_output=True)


@contextlib.contextmanager
def running_stack(folder: Path, rules_catalog: str, catalog: str, alertmanager_port: int) -> Iterator[Stack]:
    """Generate from `rules_catalog`, run the daemon on `catalog`, and both servers on the generated files."""
    file = folder / "rules-catalog.yaml"
    file.write_text(rules_catalog)
    generate(file, folder / "out")
    deploy = folder / "out" / "deploy" / ENVIRONMENT
    with contextlib.ExitStack() as stack:
        daemon = stack.enter_context(running_daemon(folder, catalog))
        config = deploy / "prometheus" / "prometheus.yml"
        config.write_text(config.read_text().replace("exporter:9877", daemon.url.removeprefix("http://")))
        stack.enter_context(
            alertmanager(folder, deploy / "alertmanager" / "alertmanager.yml", alertmanager_port)
        )
        yield Stack(daemon, stack.enter_context(prometheus(config, folder / "tsdb")))
