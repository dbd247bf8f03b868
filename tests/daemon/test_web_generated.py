"""The daemon's and Prometheus's files that `gen` makes from exporter.web, tested with a real Prometheus."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import yaml

from exporter.catalog.loading import load_catalog
from exporter.outputs import prometheus as prometheus_output
from exporter.outputs import web as web_output
from tests.daemon.running import running_daemon
from tests.daemon.web_client import get
from tests.probes.certificates import Authority
from tests.prometheus_server import prometheus
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

CLIENTS = (
    "clients: {ca: certs/ca.pem, names: prometheus, certificate: certs/client.pem, key: certs/client.key}"
)
TLS = "tls: {certificate: certs/server.pem, key: {secret: exporter_key}, ca: certs/ca.pem, server_name: localhost"
USERS = "users: {prometheus: {secret: exporter_password}, alice: {secret: other}}"


@pytest.mark.parametrize(
    ("web", "scheme"),
    [(f"{USERS}", "http"), (f"{TLS}, {CLIENTS}}}, {USERS}", "https")],
    ids=["users", "TLS, client certificates and users"],
)
def test_prometheus_scrapes_what_gen_has_secured(tmp_path: Path, web: str, scheme: str) -> None:
    text = f"""
project: shop
exporter: {{containers: off, web: {{{web}}}}}
prometheus: {{scrape_interval: 1s}}
secrets: {{exporter_key: , exporter_password: , other: }}
services:
  web: {{image: "web:1", probes: [{{name: p, tcp: "127.0.0.1:9"}}], port: 9, metrics: /metrics}}
"""
    certs, secrets = tmp_path / "certs", tmp_path / "secrets"
    certs.mkdir()
    secrets.mkdir()
    authority = Authority(certs)
    authority.ca_file.rename(certs / "ca.pem")
    server, client = authority.issue("localhost"), authority.issue("prometheus")
    server.cert.rename(certs / "server.pem")
    shutil.copy(server.key, secrets / "exporter_key")
    client.cert.rename(certs / "client.pem")
    client.key.rename(certs / "client.key")
    (secrets / "exporter_password").write_text("open sesame\n")
    (secrets / "other").write_text("another\n")

    (tmp_path / "config.yaml").write_text(text)
    catalog = load_catalog(tmp_path / "config.yaml")

    def here(text: str, address: str = "") -> str:
        places = {"/run/secrets": secrets, "/etc/exporter-tls/certs": certs, "/etc/exporter/certs": certs}
        for place, folder in places.items():
            text = text.replace(f"{place}/", f"{folder}/")
        return text.replace("exporter:9877", address)

    [file] = web_output.render(catalog)
    config = tmp_path / "web-config.yml"
    config.write_text(here(file.text))

    with running_daemon(tmp_path, text, web_config=config, scheme=scheme) as daemon:
        address = daemon.url.rpartition("/")[2]
        port = int(address.rpartition(":")[2])
        check = [sys.executable, "-m", "exporter", "healthcheck", "--listen", address]
        result = subprocess.run([*check, "--web.config.file", str(config)], capture_output=True, text=True)
        assert (result.returncode, result.stdout[:7]) == (0, "healthy"), result.stderr
        if scheme == "http":
            assert get(port, "/metrics").status == 401
        [output] = prometheus_output.render(catalog)
        settings = yaml.safe_load(here(output.text, f"localhost:{port}"))
        settings["rule_files"] = []
        scraping = tmp_path / "prometheus.yml"
        scraping.write_text(yaml.safe_dump(settings))
        with prometheus(scraping, tmp_path / "tsdb") as scraper:
            until(
                lambda: scraper.values('up{job="exporter"}', "job") == {"exporter": 1.0}, "a good scrape", 30
            )
            until(lambda: scraper.vector('up{job="services"}'), "the targets of /sd", 30)
    assert daemon.process.returncode is not None


def test_a_catalog_that_asks_for_it_does_not_run_without(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(
        f"project: x\nservices: {{}}\nsecrets: {{exporter_password: , other: }}\nexporter: {{web: {{{USERS}}}}}\n"
    )
    command = [sys.executable, "-m", "exporter", "run", "--config", str(tmp_path / "config.yaml")]
    result = subprocess.run([*command, "--listen", "127.0.0.1:0"], capture_output=True, text=True)
    assert result.returncode == 2
    assert "exporter runs without --web.config.file" in result.stderr


def test_a_wrong_web_configuration_is_told_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("project: x\nservices: {}\n")
    (tmp_path / "web.yml").write_text("tls_server_config:\n  cert_fle: a\n")
    command = [sys.executable, "-m", "exporter", "run", "--config", str(tmp_path / "config.yaml")]
    result = subprocess.run(
        [*command, "--web.config.file", str(tmp_path / "web.yml")], capture_output=True, text=True
    )
    assert result.returncode == 2
    assert 'web.yml:2:3: tls_server_config.cert_fle: unknown key; did you mean "cert_file"?' in result.stderr
    assert "Traceback" not in result.stderr
