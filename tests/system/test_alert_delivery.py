"""From a broken service to a notification and back: daemon, Prometheus, generated rules, Alertmanager, webhook.

Every fault is real to the daemon: a server that answers 503, answers late, serves an old certificate or is gone, and
a Redis that is killed. The windows of the rules are as generated; only the waits before an alert fires are removed.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

from tests.alertmanager_server import Webhook, webhook
from tests.daemon.services import Services, services
from tests.probes.certificates import Authority, Certificate
from tests.probes.redis.server import RedisServer
from tests.system.stack import ENVIRONMENT, Stack, running_stack
from tests.waiting import free_port, until

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator
    from pathlib import Path

Alert = dict[str, Any]
"""The format in which Alertmanager posts it."""

DELIVERY_SECONDS = 60

CATALOG = """
project: shop
exporter: {{alertmanagers: "http://127.0.0.1:{alertmanager}"}}
prometheus: {{scrape_interval: 1s}}
defaults:
  owner: team
  probe: {{interval: 1s, timeout: 900ms}}
  metrics_interval: 1s
  runbooks: "https://runbooks.example.com/{{alert}}"
  alerts:
    ServiceDown: {{for: 0s}}
    ServiceSlow: {{for: 0s, threshold: 200ms}}
    ServiceAbsent: {{for: 0s}}
    StoreDown: {{for: 0s}}
    HighErrorRate: {{for: 0s, threshold: 5%}}
    HighLatency: off
    CertificateExpiringSoon: {{for: 0s}}
    ServiceFlapping: off
    SloBurnRateFast: off
    SloBurnRateSlow: off
    ScrapeTargetDown: off
owners:
  team: {{webhook: "{receiver}"}}
alertmanager: {{watchdog: team, group_wait: 5s, group_interval: 5s}}
services:
  web: {{probes: [{{name: page, http: "http://127.0.0.1:{web}/health"}}], depends_on: [api]}}
  api:
    address: "127.0.0.1:{api}"
    port: 1
    probes: [{{name: page, http: "http://127.0.0.1:{api}/health"}}]
    metrics: /metrics
    depends_on: [cache]
  slow: {{probes: [{{name: page, http: "http://127.0.0.1:{slow}/health"}}]}}
  secure: {{probes: [{{name: page, http: {{url: "https://localhost:{secure}/health", tls: {{ca: {ca}}}}}}}]}}
{ghost}
stores:
  cache: {{engine: redis, auth: off, version: "7.4", address: "127.0.0.1:{cache}"}}
environments: {{{environment}: {{}}}}
"""
GHOST = '  ghost: {{probes: [{{name: page, http: "http://127.0.0.1:{slow}/health"}}]}}'


class World:
    """Everything that runs, and the handles to break it."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        self.web = stack.enter_context(services())
        self.api = stack.enter_context(services())
        # A counter's first value is no increase: everything counted later must exist from the start.
        self.api.counted.update({"200": 1, "500": 0})
        self.slow = stack.enter_context(services())
        authority = Authority(folder)
        self.good: Certificate = authority.issue("localhost")
        self.old: Certificate = authority.issue(
            "localhost", not_after=dt.datetime.now(dt.UTC) + dt.timedelta(days=1)
        )
        self.tls: ssl.SSLContext = self.good.server_context()
        secure: Services = stack.enter_context(services(self.tls))
        self.cache = stack.enter_context(RedisServer(folder / "cache"))
        self.received: Webhook = stack.enter_context(webhook())
        self.ports = {
            "web": self.web.port,
            "api": self.api.port,
            "slow": self.slow.port,
            "secure": secure.port,
            "cache": self.cache.port,
            "alertmanager": free_port(),
        }
        self._values = {
            **self.ports,
            "receiver": self.received.url,
            "ca": authority.ca_file,
            "environment": ENVIRONMENT,
        }
        self.stack: Stack = stack.enter_context(
            running_stack(folder, self.catalog(), self.catalog(), self.ports["alertmanager"])
        )

    def catalog(self, *, ghost: bool = True) -> str:
        line = GHOST.format(**self._values) if ghost else ""
        return CATALOG.format(**self._values, ghost=line)

    def reload(self, *, ghost: bool) -> None:
        daemon = self.stack.daemon
        daemon.catalog.write_text(self.catalog(ghost=ghost))
        daemon.http.post("/-/reload").raise_for_status()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with contextlib.ExitStack() as stack:
        running = World(tmp_path_factory.mktemp("system"), stack)
        running.stack.daemon.wait_until_ready()
        until(
            lambda: len(running.stack.prometheus.vector("service:probe_success:min == 1")) == 6,
            "all to be up",
            60,
        )
        running.received.messages.clear()
        yield running


def told(world: World, status: str) -> dict[tuple[str, str], Alert]:
    """Return every alert that was delivered as `firing` or `resolved`, by name and service."""
    alerts = [alert for message in list(world.received.messages) for alert in message.body["alerts"]]
    return {
        (alert["labels"]["alertname"], alert["labels"].get("service", "")): alert
        for alert in alerts
        if alert["status"] == status
    }


def delivered(world: World, status: str, *expected: tuple[str, str]) -> None:
    """Wait until each of these alerts was delivered."""
    until(
        lambda: set(expected) <= set(told(world, status)),
        f"{expected} to be delivered as {status}; Prometheus fires {sorted(world.stack.firing())}",
        DELIVERY_SECONDS,
    )


def test_all_is_well_and_the_watchdog_says_so(world: World) -> None:
    def watchdog() -> bool:
        return any(name == "Watchdog" for name, _ in told(world, "firing"))

    world.received.messages.clear()
    world.stack.until_only()
    assert watchdog() or until(watchdog, "the watchdog to be delivered", 400)


def test_each_fault_is_delivered_once_it_is_there_and_once_it_is_over(world: World) -> None:
    world.received.messages.clear()
    faults = {
        ("ServiceDown", "web"): "critical",
        ("ServiceSlow", "slow"): "warning",
        ("HighErrorRate", "api"): "warning",
        ("CertificateExpiringSoon", "secure"): "critical",
        ("ServiceAbsent", "ghost"): "warning",
    }
    world.web.statuses["/health"] = 503
    world.slow.delays["/health"] = 0.4
    world.api.counted.update({"200": 1000, "500": 400})
    world.tls.load_cert_chain(world.old.cert, world.old.key)
    world.reload(ghost=False)
    delivered(world, "firing", *faults)
    for (name, service), severity in faults.items():
        alert = told(world, "firing")[name, service]
        assert alert["labels"]["owner"] == "team"
        assert alert["labels"]["severity"] == severity
        assert alert["annotations"]["runbook_url"] == f"https://runbooks.example.com/{name}"
        assert alert["annotations"]["summary"]
    world.web.statuses["/health"] = 200
    world.slow.delays.clear()
    world.api.counted["200"] += 1_000_000
    world.tls.load_cert_chain(world.good.cert, world.good.key)
    world.reload(ghost=True)
    delivered(world, "resolved", *faults)


def test_a_broken_store_is_told_once_and_not_for_each_service_on_it(world: World) -> None:
    world.stack.until_only()
    world.received.messages.clear()
    world.cache.stop()
    world.api.statuses["/health"] = 503
    world.web.statuses["/health"] = 503
    delivered(world, "firing", ("StoreDown", "cache"))
    broken = {("StoreDown", "cache"), ("ServiceDown", "api"), ("ServiceDown", "web")}
    world.stack.until_firing(*broken)
    world.cache.start()
    world.api.statuses["/health"] = 200
    world.web.statuses["/health"] = 200
    delivered(world, "resolved", ("StoreDown", "cache"))
    assert {what for what in told(world, "firing") if what[0] != "Watchdog"} == {("StoreDown", "cache")}
