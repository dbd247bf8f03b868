"""The short form and the long form of a key give equal plans, or equal catalogs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exporter.catalog.loading import load_catalog, load_plan

if TYPE_CHECKING:
    from tests.catalog.doors import Write

PROBES = {
    "health": ("health: /up", "health: {path: /up}"),
    "health of a whole URL": ("health: https://other/up", "health: {url: https://other/up}"),
    "http": ("probes: [{name: a, http: /x}]", "probes: [{name: a, http: {path: /x}}]"),
    "tcp by port": ("probes: [{name: a, tcp: 81}]", "probes: [{name: a, tcp: {port: 81}}]"),
    "tcp by address": ("probes: [{name: a, tcp: 'h:81'}]", "probes: [{name: a, tcp: {host: h, port: 81}}]"),
    "tcp of the service": ("probes: [{name: port, tcp: true}]", "description: ''"),
    "tls": ("probes: [{name: a, tcp: {tls: true}}]", "probes: [{name: a, tcp: {tls: {verify: true}}}]"),
    "no tls": ("probes: [{name: a, tcp: {tls: off}}]", "probes: [{name: a, tcp: true}]"),
    "dns": ("probes: [{name: a, dns: x.example}]", "probes: [{name: a, dns: {name: x.example, type: a}}]"),
    "answers": (
        "probes: [{name: a, dns: {name: x, answers: '^10'}}]",
        "probes: [{name: a, dns: {name: x, answers: {matches: ['^10']}}}]",
    ),
    "icmp": ("probes: [{name: a, icmp: host}]", "probes: [{name: a, icmp: {host: host}}]"),
    "icmp of the service": ("probes: [{name: a, icmp: true}]", "probes: [{name: a, icmp: {host: web}}]"),
    "grpc of the service": (
        "probes: [{name: a, grpc: true}]",
        "probes: [{name: a, grpc: {host: web, port: 80}}]",
    ),
    "grpc by port": ("probes: [{name: a, grpc: 81}]", "probes: [{name: a, grpc: {port: 81}}]"),
    "grpc by address": (
        "probes: [{name: a, grpc: 'h:81'}]",
        "probes: [{name: a, grpc: {address: 'h:81', service: '', tls: off}}]",
    ),
    "grpc with tls": (
        "probes: [{name: a, grpc: {tls: true}}]",
        "probes: [{name: a, grpc: {tls: {verify: true}}}]",
    ),
    "websocket by path": (
        "probes: [{name: a, websocket: /x}]",
        "probes: [{name: a, websocket: {path: /x, scheme: ws, port: 80}}]",
    ),
    "websocket by url": (
        "probes: [{name: a, websocket: 'wss://h/x'}]",
        "probes: [{name: a, websocket: {url: 'wss://h/x'}}]",
    ),
    "subprotocols": (
        "probes: [{name: a, websocket: {subprotocols: mqtt}}]",
        "probes: [{name: a, websocket: {subprotocols: [mqtt]}}]",
    ),
    "status": ("health: {status: 2xx}", "health: {status: [200-299]}"),
    "body": ("health: {body: ok}", "health: {body: {contains: [ok]}}"),
    "json": ("health: {json: $.ok}", "health: {json: [{path: $.ok}]}"),
    "header": ("health: {header: {Server: nginx}}", "health: {header: {Server: {matches: nginx}}}"),
    "redirects": ("health: {redirects: off}", "health: {redirects: false}"),
    "a variable": ("health: {bearer_token: '${HOME}'}", "health: {bearer_token: {env: HOME}}"),
}


@pytest.mark.parametrize(("short", "long"), PROBES.values(), ids=PROBES)
def test_probes(short: str, long: str, write: Write) -> None:
    web = "services:\n  web:\n    image: web\n    port: 80\n    "
    short_plan = load_plan(write(f"{web}{short}\n"))
    assert short_plan == load_plan(write(f"{web}{long}\n"))
    assert len(short_plan.targets) == 1


CATALOGS = {
    "depends_on, one": (
        "services: {web: {image: a, depends_on: db}}",
        "services: {web: {image: a, depends_on: [db]}}",
    ),
    "depends_on, conditions": (
        "services: {web: {image: a, depends_on: {db: started}}}",
        "services: {web: {image: a, depends_on: {db: {condition: started, optional: false}}}}",
    ),
    "depends_on, list": (
        "services: {web: {image: a, depends_on: [db]}}",
        "services: {web: {image: a, depends_on: {db: {}}}}",
    ),
    "build": ("services: {web: {build: ./web}}", "services: {web: {build: {context: ./web}}}"),
    "metrics": (
        "services: {web: {image: a, metrics: /m}}",
        "services: {web: {image: a, metrics: {path: /m}}}",
    ),
    "metrics as usual": (
        "services: {web: {image: a, metrics: true}}",
        "services: {web: {image: a, metrics: /metrics}}",
    ),
    "mounts": (
        "services: {web: {image: a, volumes: './x:/x:ro'}}",
        "services: {web: {image: a, volumes: [{source: ./x, target: /x, read_only: true}]}}",
    ),
    "secrets": ("services: {web: {image: a, secrets: key}}", "services: {web: {image: a, secrets: [key]}}"),
    "slo": ("defaults: {slo: 99.9%}", "defaults: {slo: {availability: 99.9%}}"),
    "latency": ("defaults: {slo: {latency: 1s}}", "defaults: {slo: {latency: {under: 1000ms, for: 99%}}}"),
    "alert off": (
        "defaults: {alerts: {ServiceSlow: off}}",
        "defaults: {alerts: {ServiceSlow: {enabled: false}}}",
    ),
    "backup": (
        "stores: {x: {engine: redis, backup: 5 * * * *}}",
        "stores: {x: {engine: redis, backup: {schedule: 5 * * * *}}}",
    ),
    "bucket": ("backup: {s3: shop-backups}", "backup: {s3: {bucket: shop-backups}}"),
    "route": (
        "services: {web: {image: a}}\ngateway: {host: a.example, routes: {/: web}}",
        "services: {web: {image: a}}\ngateway: {host: a.example, routes: {/: {service: web}}}",
    ),
    "slack": ('owners: {a: {slack: "#a"}}', 'owners: {a: {slack: [{channel: "#a"}]}}'),
    "pagerduty": (
        "owners: {a: {pagerduty: {secret: key}}}",
        "owners: {a: {pagerduty: {key: {secret: key}}}}",
    ),
    "e-mail": (
        "owners: {a: {email: [a@b.example, c@d.example]}}",
        "owners: {a: {email: [{to: a@b.example}, {to: c@d.example}]}}",
    ),
    "webhook": ("owners: {a: {webhook: '${HOOK}'}}", "owners: {a: {webhook: {url: {env: HOOK}}}}"),
    "containers": ("exporter: {containers: off}", "exporter: {containers: {source: off}}"),
    "listen": ("exporter: {listen: 9000}", "exporter: {listen: '0.0.0.0:9000'}"),
    "an empty secret": ("secrets: {other: }", "secrets: {other: {}}"),
    "an empty environment": ("environments: {one: }", "environments: {one: {}}"),
    "size": ("defaults: {resources: {memory: 1Gi}}", "defaults: {resources: {memory: 1024Mi}}"),
    "duration": ("defaults: {probe: {interval: 1m30s}}", "defaults: {probe: {interval: 90s}}"),
    "window": (
        "maintenance: [{name: a, when: 'Sat-Sun 1:00-2:00'}]",
        "maintenance: [{name: a, when: 'sun,saturday 01:00 - 02:00'}]",
    ),
}


@pytest.mark.parametrize(("short", "long"), CATALOGS.values(), ids=CATALOGS)
def test_catalogs(short: str, long: str, write: Write) -> None:
    rest = "" if "stores:" in short else "stores: {db: {engine: postgresql, auth: off}}\n"
    rest += "" if "secrets:" in short and "services:" not in short else "secrets: {key: {env: KEY}}\n"
    assert load_catalog(write(f"{short}\n{rest}")) == load_catalog(write(f"{long}\n{rest}"))
