"""A reload applies a good catalog completely and ignores a bad one completely."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.daemon.running import RunningDaemon, running_daemon
from tests.daemon.services import Services, services
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def catalog(server: Services, *names: str, path: str = "/health", timeout: str = "900ms") -> str:
    lines = [
        f'  {name}: {{probes: [{{name: page, http: {{url: "http://127.0.0.1:{server.port}{path}"}}}}]}}'
        for name in names
    ]
    return "\n".join(
        [
            "project: test",
            f"defaults: {{probe: {{interval: 1s, timeout: {timeout}}}}}",
            "services:",
            *lines,
            "",
        ]
    )


@pytest.fixture
def server() -> Iterator[Services]:
    with services() as running:
        yield running


@pytest.fixture
def daemon(tmp_path: Path, server: Services) -> Iterator[RunningDaemon]:
    with running_daemon(tmp_path, catalog(server, "kept", "removed")) as running:
        running.wait_until_ready()
        yield running


def reload(daemon: RunningDaemon, text: str) -> tuple[int, str]:
    daemon.catalog.write_text(text)
    answer = daemon.http.post("/-/reload")
    return answer.status_code, answer.text


def test_a_good_catalog_replaces_the_old_one(daemon: RunningDaemon, server: Services) -> None:
    assert reload(daemon, catalog(server, "kept", "added")) == (200, "reloaded\n")
    assert daemon.lines('service="removed"') == []
    until(lambda: daemon.lines("probe_success", 'service="added"'), "the first result of the new service")
    assert daemon.value("exporter_targets") == 2
    assert daemon.value("exporter_config_last_reload_successful") == 1


def test_what_did_not_change_keeps_its_counts(daemon: RunningDaemon, server: Services) -> None:
    kept = ("probe_results_total", 'service="kept"', 'result="success"')
    before = until(lambda: daemon.value(*kept) >= 2 and daemon.value(*kept), "two results")
    assert reload(daemon, catalog(server, "kept", "added"))[0] == 200
    assert daemon.value(*kept) >= before
    assert daemon.service("kept")["since"] is not None


def test_a_changed_probe_of_the_same_target_keeps_its_counts(daemon: RunningDaemon, server: Services) -> None:
    kept = ("probe_results_total", 'service="kept"', 'result="success"')
    before = until(lambda: daemon.value(*kept) >= 2 and daemon.value(*kept), "two results")
    assert reload(daemon, catalog(server, "kept", timeout="800ms"))[0] == 200
    assert daemon.value(*kept) >= before


def test_another_target_of_the_same_name_begins_anew(daemon: RunningDaemon, server: Services) -> None:
    assert reload(daemon, catalog(server, "kept", path="/fail"))[0] == 200
    until(lambda: daemon.lines("probe_success", 'service="kept"', "/fail"), "its first result")
    assert daemon.lines("probe_results_total", 'service="kept"', 'result="success"', "/fail")[0].endswith(
        " 0"
    )
    assert daemon.lines('service="kept"', "/health") == []


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        ("services: [", "config.yaml:2:1"),
        ("", "is empty; a catalog names"),
        (
            "project: test\nservices:\n  kept: {image: x, prot: 80}\n",
            'config.yaml:3:20: services.kept.prot: unknown key; did you mean "port"?',
        ),
        (
            "project: test\nservices: {kept: {probes: [{name: p, http: {url: https://x, tls: {ca: none.pem}}}]}}",
            "none.pem",
        ),
    ],
    ids=["not YAML", "empty", "unknown key", "no such file"],
)
def test_a_bad_catalog_changes_nothing_and_says_why(daemon: RunningDaemon, broken: str, why: str) -> None:
    status, text = reload(daemon, broken)
    assert status == 400
    assert why in text
    assert why in daemon.log
    assert daemon.value("exporter_config_last_reload_successful") == 0
    before = daemon.value("probe_results_total", 'service="removed"', 'result="success"')
    until(
        lambda: daemon.value("probe_results_total", 'service="removed"', 'result="success"') > before,
        "the old catalog to run on",
    )


def test_sighup_reloads(daemon: RunningDaemon, server: Services) -> None:
    daemon.catalog.write_text("not: a catalog\n")
    daemon.process.send_signal(signal.SIGHUP)
    until(lambda: daemon.value("exporter_config_last_reload_successful") == 0, "the failed reload")
    daemon.catalog.write_text(catalog(server, "kept", "added"))
    daemon.process.send_signal(signal.SIGHUP)
    until(lambda: daemon.lines("probe_success", 'service="added"'), "the new service")
    assert daemon.value("exporter_config_last_reload_successful") == 1


def test_a_probe_under_way_of_a_removed_service_is_cancelled(daemon: RunningDaemon, server: Services) -> None:
    server.answering.clear()
    until(lambda: daemon.value("exporter_probes_running") == 2, "both probes to hang")
    assert reload(daemon, catalog(server, "kept"))[0] == 200
    assert daemon.value("exporter_probes_running") <= 1
    assert daemon.lines('service="removed"') == []
