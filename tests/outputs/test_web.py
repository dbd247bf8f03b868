"""exporter.web: the daemon's file and Prometheus's configuration, which name the same files and secrets."""

from __future__ import annotations

import subprocess
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from exporter.catalog.loading import CatalogError
from exporter.outputs import prometheus, web
from exporter.secrets.inventory import inventory
from tests.components import require
from tests.outputs.catalogs import catalog_of, rendered
from tests.outputs.test_monitoring import loaded, stack_of
from tests.outputs.test_prometheus import jobs_of, promtool

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.catalog.catalog import Catalog

SERVICES = "services: {web: {image: 'web:1', port: 80}}\n"
ALL = f"""
project: shop
exporter:
  web:
    tls:
      certificate: certs/exporter.pem
      key: {{secret: key}}
      ca: certs/ca.pem
      server_name: exporter.example.com
      min_version: "1.3"
      clients: {{ca: ../clients.pem, names: a.internal, certificate: /etc/pki/p.pem, key: certs/p.key}}
    users: {{prometheus: {{secret: first}}, alice: {{secret: second}}}}
    username: alice
secrets: {{key: , first: {{generate: 32}}, second: {{generate: 32}}}}
{SERVICES}"""


def config_of(catalog: Catalog) -> dict[str, Any]:
    [file] = web.render(catalog)
    assert file.path == "web-config.yml"
    return dict(yaml.safe_load(file.text))


def test_nothing_is_made_where_nothing_is_asked_for(tmp_path: Path) -> None:
    catalog = catalog_of(tmp_path, f"project: shop\n{SERVICES}")
    assert list(web.render(catalog)) == []
    assert jobs_of(catalog)["exporter"].keys() == {"honor_labels", "static_configs"}
    exporter = stack_of(catalog)["services"]["exporter"]
    assert "EXPORTER_WEB_CONFIG_FILE" not in exporter["environment"]
    assert "secrets" not in exporter


def test_the_daemons_side(tmp_path: Path) -> None:
    assert config_of(catalog_of(tmp_path, ALL)) == {
        "tls_server_config": {
            "cert_file": "/etc/exporter/certs/exporter.pem",
            "key_file": "/run/secrets/key",
            "min_version": "TLS13",
            "client_auth_type": "RequireAndVerifyClientCert",
            "client_ca_file": "/etc/clients.pem",
            "client_allowed_sans": ["a.internal"],
        },
        "basic_auth_users": {
            "prometheus": {"password_file": "/run/secrets/first"},
            "alice": {"password_file": "/run/secrets/second"},
        },
    }


def test_the_side_of_prometheus(tmp_path: Path) -> None:
    catalog = catalog_of(tmp_path, ALL)
    client = {
        "tls_config": {
            "ca_file": "/etc/exporter-tls/certs/ca.pem",
            "server_name": "exporter.example.com",
            "cert_file": "/etc/pki/p.pem",
            "key_file": "/etc/exporter-tls/certs/p.key",
        },
        "basic_auth": {"username": "alice", "password_file": "/run/secrets/second"},
    }
    jobs = jobs_of(catalog)
    assert jobs["exporter"]["scheme"] == "https"
    assert {key: jobs["exporter"][key] for key in client} == client
    [discovery] = jobs["services"]["http_sd_configs"]
    assert discovery["url"] == "https://exporter:9877/sd"
    assert {key: discovery[key] for key in client} == client


def test_users_alone_are_asked_for_over_http(tmp_path: Path) -> None:
    text = f"project: shop\nexporter: {{web: {{users: {{p: {{secret: s}}}}}}}}\nsecrets: {{s: }}\n{SERVICES}"
    catalog = catalog_of(tmp_path, text)
    assert "tls_server_config" not in config_of(catalog)
    jobs = jobs_of(catalog)
    assert "scheme" not in jobs["exporter"]
    assert jobs["exporter"]["basic_auth"]["username"] == "p"
    promtool(rendered(prometheus.render, catalog, tmp_path / "out"))


def test_each_container_mounts_what_its_side_names(tmp_path: Path) -> None:
    catalog = catalog_of(tmp_path, ALL)
    stack = loaded(catalog, tmp_path)["services"]
    written = stack_of(catalog)
    sides = {
        "exporter": yaml.safe_dump(config_of(catalog)),
        "prometheus": yaml.safe_dump(prometheus.render(catalog).__next__().text),  # type: ignore[attr-defined] # a generator
    }
    for name, text in sides.items():
        container = written["services"][name]
        targets = {volume["target"] for volume in container["volumes"] if isinstance(volume, dict)}
        targets |= {f"/run/secrets/{secret}" for secret in container["secrets"]}
        named = {word.strip("'\",}") for word in text.replace("\\n", " ").split() if word.startswith("/")}
        named = {
            path for path in named if PurePosixPath(path).suffix in (".pem", ".key") or "secrets" in path
        }
        assert named
        assert named <= targets, name
    assert stack["exporter"]["environment"]["EXPORTER_WEB_CONFIG_FILE"] == "/etc/exporter-web/web-config.yml"
    assert {"key", "first", "second"} <= set(written["secrets"])
    assert set(written["services"]["exporter"]["secrets"]) == {"key", "first", "second"}
    assert written["services"]["prometheus"]["secrets"] == ["second"]
    assert written["services"]["prometheus"]["group_add"] == ["65532"]


def test_secrets_know_their_readers(tmp_path: Path) -> None:
    found = inventory(catalog_of(tmp_path, ALL))
    assert {name: secret.users for name, secret in found.items()} == {
        "key": ("exporter",),
        "first": ("exporter",),
        "second": ("exporter", "prometheus"),
        "grafana_admin_password": ("grafana",),
    }


def test_the_toolkit_knows_the_format_of_tls(tmp_path: Path) -> None:
    """Check with promtool, which reads the file like exporter-toolkit, except for the files, which exist in no
    container here."""
    text = ALL.replace("    users:", "    # users:").replace("    username:", "    # username:")
    text = text.replace("names: a.internal, ", "")  # Debian's promtool is too old for it
    file = rendered(web.render, catalog_of(tmp_path, text), tmp_path / "out") / "web-config.yml"
    done = subprocess.run(
        [require("promtool"), "check", "web-config", str(file)], text=True, capture_output=True
    )
    assert "no such file or directory" in done.stdout + done.stderr
    assert "field" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ("{}", "this says neither tls nor users"),
        ("{users: {a: secret}}", "only one of the catalog's secrets"),
        ("{users: {a: {env: A}}}", "only one of the catalog's secrets can be here"),
        ("{users: {a: {secret: none}}}", 'unknown secret "none"'),
        ("{users: {'a:b': {secret: s}}}", "without a colon"),
        ("{users: {a: {secret: s}}, username: b}", "username is none of the users"),
        ("{tls: {certificate: a}}", 'needs "key"'),
        ("{tls: {certificate: a, key: {file: b}}}", "only one of the catalog's secrets can be here"),
        ("{tls: {certificate: a, key: b, clients: {ca: c}}}", 'needs "certificate"'),
        ("{tls: {certificate: a, key: b, min_version: '1.1'}}", "min_version"),
    ],
)
def test_mistakes(tmp_path: Path, written: str, sentence: str) -> None:
    with pytest.raises(CatalogError) as caught:
        catalog_of(tmp_path, f"project: shop\nexporter: {{web: {written}}}\nsecrets: {{s: }}\n{SERVICES}")
    assert sentence in str(caught.value)


@pytest.mark.parametrize("name", ["a:80", "http://a", "a b", "*a", "", "a.*", 5])
def test_names_that_are_none(tmp_path: Path, name: object) -> None:
    with pytest.raises(CatalogError, match="is not a host name"):
        catalog_of(tmp_path, f"project: shop\nexporter: {{hosts: [{name!r}]}}\n{SERVICES}")


def test_an_international_name_is_admitted_as_browsers_send_it(tmp_path: Path) -> None:
    written = f"project: shop\nexporter: {{hosts: [ä.example, '*.faß.de']}}\n{SERVICES}"
    assert catalog_of(tmp_path, written).exporter.hosts == ("xn--4ca.example", "*.xn--fa-hia.de")


def test_a_mistake_inside_is_not_reported_again_around_it(tmp_path: Path) -> None:
    with pytest.raises(CatalogError) as caught:
        catalog_of(
            tmp_path, f"project: shop\nexporter: {{web: {{users: {{a: b}}, username: a}}}}\n{SERVICES}"
        )
    assert len(caught.value.problems) == 1
