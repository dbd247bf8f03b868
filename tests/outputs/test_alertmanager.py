"""alertmanager.yml, checked by amtool: who is notified, and what is inhibited or muted."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from exporter.catalog.keys.container.alerts import ALERTS
from exporter.catalog.loading import load_catalog
from exporter.catalog.values.references import NamedSecret
from exporter.catalog.values.secret_text import EnvironmentReference, FileReference
from exporter.outputs.alertmanager import inhibition, render
from exporter.outputs.alertmanager.secrets import mounted_secrets
from exporter.outputs.base import OutputError
from tests.components import require
from tests.outputs.catalogs import (
    ENVIRONMENTS,
    EVERY_RECEIVER,
    EXAMPLE,
    NASTY,
    TEAMS,
    catalog_of,
    rendered,
)

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.catalog.catalog import Catalog


def config_of(catalog: Catalog) -> dict[str, Any]:
    [file] = render(catalog)
    assert file.path == "alertmanager.yml"
    return dict(yaml.safe_load(file.text))


def amtool(*arguments: str) -> str:
    result = subprocess.run([require("amtool"), *arguments], text=True, capture_output=True)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout.strip()


def checked(catalog: Catalog, folder: Path) -> Path:
    """Return the file, after amtool has accepted it."""
    file = rendered(render, catalog, folder) / "alertmanager.yml"
    amtool("check-config", str(file))
    return file


def receiver_of(file: Path, **labels: str) -> str:
    pairs = [f"{name}={value}" for name, value in labels.items()]
    return amtool("config", "routes", "test", f"--config.file={file}", *pairs)


EXAMPLE_ROUTES = [
    ({"alertname": "ServiceDown", "owner": "platform", "severity": "critical"}, "platform/critical"),
    ({"alertname": "HighErrorRate", "owner": "platform", "severity": "warning"}, "platform/warning-info"),
    ({"alertname": "Anything", "owner": "platform", "severity": "info"}, "platform/warning-info"),
    ({"alertname": "Anything", "owner": "platform", "severity": "page"}, "platform/warning-info"),
    ({"alertname": "ServiceDown", "owner": "documents", "severity": "critical"}, "documents"),
    ({"alertname": "HighErrorRate", "owner": "documents", "severity": "warning"}, "documents"),
    ({"alertname": "Anything", "owner": "documents", "severity": "info"}, "documents"),
    ({"alertname": "ExporterDown", "severity": "critical"}, "platform/critical"),
    ({"alertname": "Somebodys", "severity": "none"}, "platform/warning-info"),
    ({"alertname": "Somebodys"}, "platform/warning-info"),
    ({"alertname": "Somebodys", "owner": "nobody-we-know", "severity": "critical"}, "platform/critical"),
    ({"alertname": "ServiceDown", "service": "layout-backend", "severity": "critical"}, "platform/critical"),
    ({"alertname": "Anything", "owner": "deadman", "severity": "critical"}, "deadman"),
    ({"alertname": "Watchdog", "severity": "info", "owner": "deadman"}, "Watchdog"),
]


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_amtool_accepts_the_example_and_routes_by_owner_and_severity(
    environment: str, tmp_path: Path
) -> None:
    file = checked(load_catalog(EXAMPLE, environment), tmp_path)
    for labels, receiver in EXAMPLE_ROUTES:
        assert receiver_of(file, **labels) == receiver, labels


def test_amtool_accepts_every_receiver_and_any_text(tmp_path: Path) -> None:
    """Cover all receivers except Teams, whose current form is newer than Debian's Alertmanager 0.25; the next test
    has it. That version has no url_file either, so the webhook's is removed from the file that amtool reads."""
    file = rendered(render, catalog_of(tmp_path, EVERY_RECEIVER), tmp_path) / "alertmanager.yml"
    text = file.read_text(encoding="utf-8")
    file.write_text(
        text.replace("url_file: /run/secrets/hook", "url: http://127.0.0.1/hook"), encoding="utf-8"
    )
    amtool("check-config", str(file))
    assert receiver_of(file, owner="all", severity="critical") == "all/critical"
    assert receiver_of(file, owner="all", severity="info") == "all/info"
    assert receiver_of(file, owner="pager-only", severity="critical") == "pager-only/critical"
    assert receiver_of(file, owner="pager-only", severity="warning") == "all/warning"
    assert receiver_of(file, owner="silent", severity="critical") == "all/critical"
    assert receiver_of(file, alertname="Watchdog", severity="info") == "Watchdog"


def test_every_receiver_is_written_as_alertmanager_documents_it(tmp_path: Path) -> None:
    config = config_of(catalog_of(tmp_path, EVERY_RECEIVER))
    [critical] = [one for one in config["receivers"] if one["name"] == "all/critical"]
    escaped = NASTY.replace("{{", '{{ "{{" }}')
    slack = critical["slack_configs"][0]
    assert (slack["channel"], slack["send_resolved"]) == (escaped, True)
    assert critical["pagerduty_configs"][0]["routing_key_file"] == "/run/secrets/pager"
    assert [one["to"] for one in critical["email_configs"]] == [
        "oncall@example.com",
        '{{ "{{" }}.x}}@example.com',
    ]
    plain, secret = critical["webhook_configs"]
    assert plain == {"send_resolved": True, "url": "http://127.0.0.1:9/a%20b?c=%7B%7Bd%7D%7D&e=$f#ü"}
    assert secret == {
        "send_resolved": False,
        "url_file": "/run/secrets/hook",
        "http_config": {"authorization": {"type": "Bearer", "credentials_file": "/run/secrets/token"}},
    }
    opsgenie = critical["opsgenie_configs"][0]
    assert opsgenie["api_key_file"] == "/run/secrets/OPSGENIE_KEY"
    assert opsgenie["responders"] == [{"name": escaped, "type": "team"}]
    [info] = [one for one in config["receivers"] if one["name"] == "all/info"]
    assert [one.get("api_url_file") for one in info["slack_configs"]] == [None, "/run/secrets/own_slack"]
    assert not {"pagerduty_configs", "opsgenie_configs"} & info.keys()
    assert config["global"] == {
        "resolve_timeout": "5m",
        "slack_api_url_file": "/run/secrets/slack",
        "smtp_smarthost": "[::1]:2525",
        "smtp_from": '{{ "{{" }}x}}@example.com',
        "smtp_require_tls": True,
        "smtp_auth_username": NASTY,
        "smtp_auth_password_file": "/run/secrets/mail",
    }


def test_teams_is_told_by_workflow(tmp_path: Path) -> None:
    assert {
        "name": "all",
        "msteamsv2_configs": [{"send_resolved": True, "webhook_url_file": "/run/secrets/teams"}],
    } in config_of(catalog_of(tmp_path, TEAMS))["receivers"]


def test_the_watchdog_is_regular_never_muted_and_never_resolved(tmp_path: Path) -> None:
    config = config_of(catalog_of(tmp_path, EVERY_RECEIVER))
    route = config["route"]["routes"][0]
    assert route == {
        "receiver": "Watchdog",
        "matchers": ['alertname="Watchdog"'],
        "group_by": ["project", "environment", "alertname"],
        "group_wait": "0s",
        "group_interval": "5m",
        "repeat_interval": "4m30s",
    }
    [receiver] = [one for one in config["receivers"] if one["name"] == "Watchdog"]
    configs = [one for key, several in receiver.items() if key != "name" for one in several]
    assert len(configs) == 8
    assert not any(one["send_resolved"] for one in configs)


NO_DEFAULT = """
project: shop
owners: {one: {email: a@example.com}, two: {pagerduty: {secret: key}}, three: {}}
services: {web: {image: web, port: 80, owner: three}}
secrets: {key: }
alertmanager: {smtp: {address: mail, sender: a@example.com, require_tls: false}}
"""


def test_without_a_default_owner_everyone_hears_rather_than_nobody(tmp_path: Path) -> None:
    catalog = catalog_of(tmp_path, NO_DEFAULT)
    file = checked(catalog, tmp_path)
    assert receiver_of(file, owner="three", severity="critical") == "Everyone/critical"
    assert receiver_of(file, owner="two", severity="info") == "Everyone/info"
    assert receiver_of(file, severity="critical") == "Everyone/critical"
    assert config_of(catalog)["global"]["smtp_smarthost"] == "mail:587"
    [everyone] = [one for one in config_of(catalog)["receivers"] if one["name"] == "Everyone/critical"]
    assert set(everyone) == {"name", "email_configs", "pagerduty_configs"}


def test_a_catalog_without_owners_says_in_the_file_that_nobody_is_told(tmp_path: Path) -> None:
    catalog = catalog_of(tmp_path, "project: shop\nservices: {web: {image: web, port: 80}}\n")
    file = checked(catalog, tmp_path)
    assert "NOBODY IS NOTIFIED of alerts that are critical or warning or info" in file.read_text()
    assert receiver_of(file, severity="critical") == "Nobody"


MIXED = (
    "mixes text and references, but Alertmanager reads the whole value from one file; "
    "put all of it in one secret and write {secret: NAME}"
)
SAME_FILE = "would both be the file /run/secrets/key; give one of them another name under secrets"
REFUSED = {
    "two files of one name": (
        "{pagerduty: [{file: a/key}, {file: b/key}]}",
        f"owners.all.pagerduty[1].key and owners.all.pagerduty[0].key {SAME_FILE}",
    ),
    "Slack without a webhook": (
        "{slack: '#a'}",
        "owners.all.slack[0] has no webhook; write url here, or alertmanager.slack_url for all",
    ),
    "mail without a server": (
        "{email: a@example.com}",
        "owners.all.email[0] needs a mail server; write alertmanager.smtp with address and sender",
    ),
    "a URL with a secret in it": (
        "{webhook: ['https://x.example/', 'https://x.example/${TOKEN}']}",
        f"owners.all.webhook[1].url {MIXED}",
    ),
    "two references": (
        "{pagerduty: {key: '${A}${B}'}}",
        f"owners.all.pagerduty[0].key {MIXED}",
    ),
    "no URL": (
        "{webhook: example.com}",
        "owners.all.webhook[0].url is not a URL; write one such as https://example.com/alerts",
    ),
}


@pytest.mark.parametrize(("owner", "sentence"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_told_is_refused_in_one_sentence(owner: str, sentence: str, tmp_path: Path) -> None:
    catalog = catalog_of(tmp_path, f"project: shop\nowners: {{all: {owner}}}\nservices: {{}}\n")
    with pytest.raises(OutputError) as caught:
        render_all(catalog)
    assert str(caught.value) == sentence


def render_all(catalog: Catalog) -> None:
    list(render(catalog))


def test_every_secret_is_a_file_named_after_it(tmp_path: Path) -> None:
    catalog = catalog_of(tmp_path, EVERY_RECEIVER)
    secrets = mounted_secrets(catalog)
    assert {secret.name: secret.source for secret in secrets} == {
        "OPSGENIE_KEY": EnvironmentReference("OPSGENIE_KEY"),
        "hook": NamedSecret("hook"),
        "mail": NamedSecret("mail"),
        "own_slack": NamedSecret("own_slack"),
        "pager": NamedSecret("pager"),
        "slack": NamedSecret("slack"),
        "token": FileReference("/run/secrets/token"),
    }
    [file] = render(catalog)
    assert set(re.findall(r"/run/secrets/\w+", file.text)) == {secret.path for secret in secrets}


def test_maintenance_windows_are_time_intervals_of_the_routes_they_name(tmp_path: Path) -> None:
    catalog = catalog_of(tmp_path, EVERY_RECEIVER)
    config = config_of(catalog)
    berlin = "Europe/Berlin"
    assert config["time_intervals"] == [
        {
            "name": "night#1",
            "time_intervals": [
                {
                    "times": [{"start_time": "22:30", "end_time": "24:00"}],
                    "weekdays": ["monday", "sunday"],
                    "location": berlin,
                },
                {
                    "times": [{"start_time": "00:00", "end_time": "01:00"}],
                    "weekdays": ["monday", "tuesday"],
                    "location": berlin,
                },
            ],
        },
        {
            "name": "night#2",
            "time_intervals": [
                {"times": [{"start_time": "23:00", "end_time": "24:00"}], "location": "UTC"},
            ],
        },
        {
            "name": "patch",
            "time_intervals": [
                {
                    "times": [{"start_time": "00:00", "end_time": "24:00"}],
                    "weekdays": ["friday"],
                    "location": "UTC",
                }
            ],
        },
        {
            "name": "all",
            "time_intervals": [
                {
                    "times": [{"start_time": "03:00", "end_time": "03:30"}],
                    "weekdays": ["tuesday"],
                    "location": "UTC",
                }
            ],
        },
    ]
    for route in config["route"]["routes"][1:]:
        assert muted(route, "web") in (["all"], ["all", "night#1", "night#2"])
    branches = {route.get("matchers", ["rest"])[0]: route for route in config["route"]["routes"]}
    assert muted(branches['owner="all"'], "web") == ["all", "night#1", "night#2"]
    assert muted(branches['owner="all"'], "db") == ["all", "night#1"]
    assert muted(branches['owner="all"'], "other") == ["all"]
    assert muted(branches['owner="pager-only"'], "api") == ["all", "patch"]
    assert muted(branches["rest"], "api") == ["all", "patch"]
    assert "mute_time_intervals" not in branches['alertname="Watchdog"']


def muted(route: dict[str, Any], service: str) -> list[str]:
    """Return the intervals in which a critical alert of this service is muted, below this branch."""
    for child in route.get("routes", ()):
        label, _, values = child["matchers"][0].replace("=~", "=").partition("=")
        wanted = {"severity": "critical", "service": service}[label]
        if wanted in values.strip('"').split("|"):
            return muted(child, service)
    return list(route.get("mute_time_intervals", ()))


def test_a_window_until_midnight_is_one_interval(tmp_path: Path) -> None:
    text = 'project: x\nservices: {}\nmaintenance: [{name: late, when: "Sat 23:00-0:00"}]\n'
    catalog = catalog_of(tmp_path, text)
    checked(catalog, tmp_path)
    [interval] = config_of(catalog)["time_intervals"]
    assert [one["times"][0]["end_time"] for one in interval["time_intervals"]] == ["24:00"]


def inhibited(config: dict[str, Any]) -> dict[str, set[str]]:
    """Return, for each service that can be a cause, the services whose symptoms are inhibited."""
    found = {}
    for rule in config["inhibit_rules"]:
        names = [one for one in rule["source_matchers"] if one.startswith('service="')]
        if names:
            [target] = [one for one in rule["target_matchers"] if one.startswith("service=")]
            found[names[0].split('"')[1]] = set(target.split('"')[1].split("|"))
    return found


def test_inhibition_follows_dependencies_to_the_end() -> None:
    config = config_of(load_catalog(EXAMPLE, "production"))
    assert inhibited(config) == {
        "postgres": {"form-version-processor", "layout-backend", "layout-frontend", "api-gateway"},
        "mongodb": {"sys-version-processor", "api-gateway"},
        "redis": {"sys-version-processor", "layout-backend", "layout-frontend", "api-gateway"},
        "forms-cache": {"form-version-processor", "api-gateway"},
        "form-version-processor": {"api-gateway"},
        "sys-version-processor": {"api-gateway"},
        "layout-backend": {"api-gateway", "layout-frontend"},
    }


def test_what_is_optional_or_done_once_explains_nothing(tmp_path: Path) -> None:
    text = """
project: shop
services:
  web: {image: x, depends_on: {cache: {optional: true}, migration: completed, api: started}}
  api: {image: x}
  migration: {image: x}
stores: {cache: {engine: redis}}
"""
    assert inhibited(config_of(catalog_of(tmp_path, text))) == {"api": {"web"}}


def test_a_circle_never_mutes_itself() -> None:
    """Check that the rules prevent this, although a catalog already refuses circles."""
    circle = {"a": ["b"], "b": ["c"], "c": ["a"], "d": ["d"]}
    assert inhibition.dependents_of(circle) == {"a": ["b", "c"], "b": ["a", "c"], "c": ["a", "b"]}


def test_every_alert_that_inhibition_names_exists_and_the_watchdog_is_not_among_them() -> None:
    named = {
        *inhibition.CAUSES,
        *inhibition.SYMPTOMS,
        *inhibition.UNWATCHED,
        *inhibition.ABSENCES,
        *inhibition.BACKUPS,
        *inhibition.CERTIFICATES,
    }
    assert named <= ALERTS.keys()
    assert "Watchdog" not in named


def test_a_thousand_services_in_a_chain_are_accepted(tmp_path: Path) -> None:
    services = "".join(
        f"  s{n}: {{image: x, port: 80{f', depends_on: s{n - 1}' if n % 100 else ''}}}\n" for n in range(1000)
    )
    catalog = catalog_of(tmp_path, f"project: shop\nservices:\n{services}")
    checked(catalog, tmp_path)
