"""A real Alertmanager with the generated configuration: which notifications are sent, and which are not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exporter.outputs.alertmanager import render
from tests.alertmanager_server import RunningAlertmanager, Webhook, alertmanager, webhook
from tests.outputs.catalogs import catalog_of, rendered
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

CATALOG = """
project: shop
defaults: {{owner: team}}
owners:
  team: {{webhook: "{url}/team"}}
  pager: {{webhook: [{{url: "{url}/pager", severities: critical, bearer_token: {{secret: token}}}}]}}
  deadman: {{webhook: "{url}/deadman"}}
services:
  orders: {{image: x, port: 80, depends_on: db}}
  carts: {{image: x, port: 80, depends_on: db}}
  web: {{image: x, port: 80, depends_on: [orders, carts]}}
  lone: {{image: x, port: 80}}
  paged: {{image: x, port: 80, owner: pager}}
  asleep: {{image: x, port: 80}}
  mail: {{image: x, port: 80, depends_on: queue}}
stores: {{db: {{engine: redis}}, queue: {{engine: redis}}}}
secrets: {{token: }}
alertmanager:
  {{group_wait: 1s, group_interval: 1s, repeat_interval: 1h, watchdog: deadman, watchdog_interval: 2s}}
maintenance: [{{name: always, when: "0:00-24:00", services: asleep}}]
"""

Running = tuple[RunningAlertmanager, Webhook]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("alertmanager")
    (folder / "token").write_text("t0ken")
    with webhook() as receiver:
        config = (
            rendered(render, catalog_of(folder, CATALOG.format(url=receiver.url)), folder)
            / "alertmanager.yml"
        )
        config.write_text(config.read_text().replace("/run/secrets", str(folder)))
        with alertmanager(folder, config) as manager:
            yield manager, receiver


def alert(name: str, service: str, severity: str = "critical", owner: str = "team") -> dict[str, str]:
    scope = {"project": "shop", "environment": "default"}
    return {"alertname": name, "service": service, "severity": severity, "owner": owner, **scope}


def passed(running: Running, marker: str) -> None:
    """Wait for the notification of a later alert, so that those of earlier alerts have been sent."""
    manager, receiver = running
    manager.post(alert("Marker", marker, "info"))
    until(lambda: receiver.of(marker), "the marker")


def test_a_broken_store_is_one_message(running: Running) -> None:
    manager, receiver = running
    down = [alert("ServiceDown", name) for name in ("orders", "carts", "web")]
    symptoms = [
        alert("HighErrorRate", "web", "warning"),
        alert("SloBurnRateFast", "web"),
        alert("ServiceSlow", "orders", "warning"),
    ]
    manager.post(*down, *symptoms, alert("StoreDown", "db"), alert("ContainerExited", "db"))
    until(lambda: receiver.of("db"), "the message")
    passed(running, "after-the-store")
    [message] = receiver.of("db")
    assert (message.path, message.status) == ("/team", "firing")
    assert message.alerts == {("StoreDown", "firing"), ("ContainerExited", "firing")}
    assert [one for name in ("orders", "carts", "web") for one in receiver.of(name)] == []
    assert {(one["service"], one["alertname"]) for one in (*down, *symptoms)} <= manager.inhibited()

    # Alerts with another cause are still notified.
    manager.post(alert("CertificateExpired", "carts"))
    told = until(lambda: receiver.of("carts"), "the certificate")
    assert told[0].alerts == {("CertificateExpired", "firing")}

    # The store is back. One service is still down, which explains the services that depend on it.
    manager.post(
        alert("StoreDown", "db"),
        alert("ContainerExited", "db"),
        alert("ServiceDown", "orders"),
        resolved=True,
    )
    until(lambda: [one for one in receiver.of("db") if one.status == "resolved"], "the resolution")
    still_down = ("ServiceDown", "firing")
    until(lambda: still_down in receiver.of("carts")[-1].alerts, "what the store no longer explains")
    assert receiver.of("web") == []


def test_a_critical_alert_mutes_the_warnings_of_its_service_alone(running: Running) -> None:
    manager, receiver = running
    manager.post(
        alert("ServiceDown", "lone"),
        alert("HighErrorRate", "lone", "warning"),
        alert("HighErrorRate", "other", "warning"),
    )
    until(lambda: receiver.of("other"), "the warning of the other service")
    passed(running, "after-lone")
    [message] = receiver.of("lone")
    assert message.alerts == {("ServiceDown", "firing")}
    assert ("lone", "HighErrorRate") in manager.inhibited()
    manager.post(alert("ServiceDown", "lone"), resolved=True)
    until(lambda: ("HighErrorRate", "firing") in receiver.of("lone")[-1].alerts, "the warning, afterwards")


def test_a_failed_backup_hides_nothing_but_that_it_is_stale(running: Running) -> None:
    manager, receiver = running
    manager.post(
        alert("BackupFailed", "files"),
        alert("BackupStale", "files", "warning"),
        alert("DiskFilling", "files", "warning"),
    )
    told = until(lambda: receiver.of("files"), "the message")
    assert told[0].alerts == {("BackupFailed", "firing"), ("DiskFilling", "firing")}
    assert ("files", "BackupStale") in manager.inhibited()


def test_an_exporter_that_is_down_is_one_message(running: Running) -> None:
    manager, receiver = running
    down = {"alertname": "ExporterDown", "severity": "critical", "project": "shop", "environment": "default"}
    manager.post(down, alert("ServiceAbsent", "absent", "warning"), alert("BackupMissing", "absent"))
    until(lambda: receiver.of(""), "the message")
    passed(running, "after-the-exporter")
    assert receiver.of("absent") == []


def test_another_environment_is_not_explained(running: Running) -> None:
    """Check that environments do not inhibit each other: several Prometheus servers may share an Alertmanager."""
    manager, receiver = running
    elsewhere = {"environment": "elsewhere"}
    manager.post(alert("StoreDown", "queue") | elsewhere, alert("ServiceDown", "mail"))
    assert until(lambda: receiver.of("mail"), "the message")[0].alerts == {("ServiceDown", "firing")}


def test_severity_and_owner_choose_who_is_told_with_the_secret_of_a_file(running: Running) -> None:
    manager, receiver = running
    manager.post(alert("ServiceDown", "paged", owner="pager"))
    [message] = until(lambda: receiver.of("paged"), "the page")
    assert message.path == "/pager"
    assert message.headers["Authorization"] == "Bearer t0ken"
    manager.post(alert("ServiceSlow", "slow", "warning", owner="pager"))
    [message] = until(lambda: receiver.of("slow"), "the warning, which the pager does not take")
    assert message.path == "/team"


def test_nobody_is_told_during_maintenance(running: Running) -> None:
    manager, receiver = running
    manager.post(alert("ServiceDown", "asleep"))
    passed(running, "after-asleep")
    assert receiver.of("asleep") == []


def test_the_watchdog_arrives_again_and_again_whatever_else_fires(running: Running) -> None:
    manager, receiver = running
    manager.post(alert("ExporterDown", "exporter"), alert("Watchdog", "exporter", "warning"))

    def signs() -> list[str]:
        return [one.status for one in receiver.messages if one.path == "/deadman"]

    until(lambda: len(signs()) >= 3, "three signs of life")
    assert set(signs()) == {"firing"}
    assert all(one.path == "/deadman" for one in receiver.messages if ("Watchdog", "firing") in one.alerts)
