"""Configuration files of blackbox_exporter and Prometheus, as teams have them, and the catalog that they become."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from exporter.catalog.loading import load_catalog, validate_file
from exporter.imports.prometheus.reading import Imported, read_prometheus
from exporter.outputs.checks import Rendering
from exporter.outputs.registry import OUTPUTS

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.catalog.catalog import Catalog

BLACKBOX = r"""
modules:
  http_2xx: {prober: http}
  http_full:
    prober: http
    timeout: 4s
    http:
      valid_status_codes: [200, 204]
      valid_http_versions: ["HTTP/1.1", "HTTP/2.0"]
      method: post
      headers: {Accept-Language: en, X-Api-Key: hunter2-key, Authorization: Bearer hunter2-header}
      body: '{"password": "hunter2-body", "price": "${5}"}'
      fail_if_body_matches_regexp: ["(?i)could not connect"]
      fail_if_body_not_matches_regexp: ["^ok", "cost \\${3}"]
      fail_if_header_matches: [{header: Set-Cookie, regexp: ".*", allow_missing: true}, {header: Server, regexp: beta}]
      fail_if_header_not_matches: [{header: Content-Type, regexp: json}]
      basic_auth: {username: probe, password: hunter2-basic}
      follow_redirects: no
      fail_if_not_ssl: true
      compression: gzip
      body_size_limit: 2MB
      preferred_ip_protocol: ip4
      ip_protocol_fallback: false
      tls_config: {ca_file: certs/ca.pem, server_name: shop.example.com, insecure_skip_verify: true, min_version: TLS12}
      fail_if_body_json_not_matches_cel: "body.ok == true"
  http_token: {prober: http, http: {authorization: {credentials: hunter2-token}, enable_http2: false}}
  smtp_starttls:
    prober: tcp
    timeout: 30s
    tcp:
      query_response:
        - {expect: "^220 ([^ ]+) ESMTP", send: "EHLO ${1}\r"}
        - expect: "^250-STARTTLS"
        - send: "STARTTLS\r"
        - {expect: "^220"}
        - starttls: true
        - send: "AUTH PLAIN hunter2-smtp\r"
      tls_config: {insecure_skip_verify: true}
  tls_connect: {prober: tcp, tcp: {tls: true}}
  postgres: {prober: tcp, tcp: {query_response: [{send: !!binary AAAACATSFi8=}, {expect_bytes: S}, {starttls: true}]}}
  icmp: {prober: icmp, icmp: {preferred_ip_protocol: ip4, payload_size: 100, ttl: 5, dont_fragment: true}}
  dns_soa:
    prober: dns
    dns:
      query_name: example.com
      query_type: SOA
      transport_protocol: tcp
      recursion_desired: false
      valid_rcodes: [NOERROR, NXDOMAIN]
      validate_answer_rrs:
        fail_if_matches_regexp: [".*127.0.0.1"]
        fail_if_none_matches_regexp: ["ns1", "ns2"]
      validate_authority_rrs: {fail_if_matches_regexp: ["x"]}
  dns_any: {prober: dns, dns: {query_name: example.org}}
  grpc:
    prober: grpc
    grpc:
      service: shop.Orders
      tls: true
      tls_config: {ca_file: /ca.pem}
      metadata: {authorization: [hunter2-grpc], x-team: [shop]}
  unix: {prober: unix}
  events: {prober: websocket, websocket: {query_response: [{send: hello}, {expect: world}]}}
"""

PROMETHEUS = """
global: {scrape_interval: 30s, external_labels: {site: a}}
rule_files: [rules/*.yml]
scrape_config_files: [more/*.yml]
scrape_configs:
  - job_name: prometheus
    static_configs: [{targets: ["localhost:9090"]}]
  - job_name: node
    scrape_interval: 15s
    static_configs: [{targets: ["10.0.0.1:9100", "10.0.0.2:9100", "[2001:db8::1]:9100"], labels: {rack: "7"}}]
  - job_name: shop
    scheme: https
    metrics_path: /internal/metrics
    basic_auth: {username: prom, password: hunter2-scrape}
    static_configs: [{targets: [api.shop.internal, "api.shop.internal:9104"]}]
  - job_name: blackbox-http
    metrics_path: /probe
    params: {module: [http_2xx]}
    static_configs:
      - targets:
          - https://shop.example.com/health?token=hunter2-query
          - shop.example.com
          - https://probe:hunter2-url@admin.example.com/
    relabel_configs:
      - {source_labels: [__address__], target_label: __param_target}
      - {source_labels: [__param_target], target_label: instance}
      - {target_label: __address__, replacement: "blackbox:9115"}
  - job_name: blackbox-by-label
    metrics_path: /probe
    scrape_interval: 5m
    scrape_timeout: 20s
    file_sd_configs: [{files: ["targets/*.json", "targets/*.yml", "absent/*.yml"]}]
    relabel_configs:
      - {source_labels: [module], target_label: __param_module}
      - {regex: module, action: labeldrop}
      - {source_labels: [enabled], regex: "no", action: drop}
      - {source_labels: [__address__], target_label: __param_target}
      - {target_label: __address__, replacement: "blackbox:9115"}
  - job_name: pods
    kubernetes_sd_configs: [{role: pod}]
"""

TARGETS = {
    "targets/one.json": json.dumps(
        [
            {"targets": ["mail.example.com:25"], "labels": {"module": "smtp_starttls"}},
            {"targets": ["shop.example.com:443"], "labels": {"module": "tls_connect"}},
            {"targets": ["shop.example.com"], "labels": {"module": "icmp"}},
            {"targets": ["off.example.com"], "labels": {"module": "icmp", "enabled": "no"}},
        ],
        indent=1,
    ),
    "targets/two.yml": """# targets
- targets: ["https://pay.example.com"]
  labels: {module: http_full}
- targets: ["http://api.shop.internal/health"]
  labels: {module: http_token}
- targets: ["192.0.2.53", "192.0.2.54:5353"]
  labels: {module: dns_soa}
- targets: ["192.0.2.53"]
  labels: {module: dns_any}
- targets: ["orders:50051"]
  labels: {module: grpc}
- targets: ["db:5432"]
  labels: {module: postgres}
- targets: ["wss://shop.example.com/events"]
  labels: {module: events}
- targets: ["/run/x.sock"]
  labels: {module: unix}
- targets: ["b\\u00fccher.example"]
  labels: {module: http_2xx}
- targets: ["x.example.com"]
  labels: {module: nowhere}
""",
    "more/extra.yml": "scrape_configs: [{job_name: extra, static_configs: [{targets: ['extra:8000']}]}]\n",
}


def write(folder: Path, prometheus: str = PROMETHEUS, blackbox: str = BLACKBOX, **more: str) -> list[Path]:
    """Write the files and return the two that a person names."""
    for name, content in {**TARGETS, **more}.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(content)
    (folder / "prometheus.yml").write_text(prometheus)
    (folder / "blackbox.yml").write_text(blackbox)
    return [folder / "blackbox.yml", folder / "prometheus.yml"]


def valid(found: Imported, folder: Path) -> Catalog:
    """Return the catalog that an import becomes; the loader must take it."""
    file = folder / "config.yaml"
    file.write_text(json.dumps({"project": "shop", **found.catalog}, ensure_ascii=False))
    [catalog] = validate_file(file, Rendering(OUTPUTS).refused).catalogs.values()
    return catalog


def probe(folder: Path, module: str, target: str, **params: str) -> tuple[dict[str, Any], list[str]]:
    """Return the only probe that a module, in one line, becomes for a target, and the notes on it."""
    labels = json.dumps({f"__param_{name}": value for name, value in {"module": "m", **params}.items()})
    prometheus = (
        f"scrape_configs: [{{job_name: j, static_configs: [{{targets: [{json.dumps(target)}], labels: {labels}}}], "
        "relabel_configs: [{source_labels: [__address__], target_label: __param_target}]}]\n"
    )
    found = read_prometheus(write(folder, prometheus, f"modules:\n  m: {module}\n"))
    (folder / "config.yaml").write_text(json.dumps({"project": "shop", **found.catalog}))
    load_catalog(folder / "config.yaml")
    [service] = found.services
    [made] = service.keys["probes"]
    return made, [str(note).replace(f"{folder}/", "") for note in found.notes]
