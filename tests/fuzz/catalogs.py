"""Valid catalogs that contain every kind of key, and random changes to them."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tests.outputs.every_key import EVERY_KEY, ONLY_COMPOSE_2

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

    Path_ = tuple[str | int, ...]

EXAMPLE = Path(__file__).parents[2] / "config.example.yaml"

EVERYTHING = """
project: shop
title: Shop
registry: ghcr.io/shop
exporter: {listen: ":9000", alertmanagers: [http://am:9093], containers: {source: api, labels: [team]}, image: "e:1"}
defaults:
  probe: {interval: 30s, timeout: 3s}
  slo: {availability: 99.9%, latency: {under: 300ms, for: 95%}, period: 30d}
  alerts: {ServiceDown: {for: 2m, severity: warning}, LogErrors: off, HighErrorRate: {threshold: 10%}}
  resources: {cpu: 0.5, memory: 256Mi, processes: 100}
  healthcheck: {interval: 10s, timeout: 5s, retries: 3, start_period: 30s}
  logging: {max_size: 10Mi, max_files: 3}
  owner: team
  runbooks: https://run.example/{alert}
owners:
  team:
    slack: [{channel: "#shop", url: {secret: hook}}]
    pagerduty: {key: {secret: hook}, severities: [critical]}
    email: a@example.com
    webhook: {url: {secret: hook}, bearer_token: {file: ./token}}
    teams: {secret: teams}
    opsgenie: {key: {env: KEY}, team: shop}
services:
  web:
    image: web:1
    port: 80
    host_port: 8080
    health: {path: /health, status: [200, 3xx], body: {contains: ok, matches: [a, b]}, json: [{path: $.a, equals: 1}],
      header: {Server: nginx, X-A: {absent: true}}, headers: {A: b}, interval: 10s, redirects: 3, versions: ["1.1"]}
    probes:
      - {name: a, tcp: 80}
      - {name: b, tcp: {port: 25, starttls: smtp, tls: true}}
      - {name: c, tcp: {exchanges: [{expect: "220"}, {send: QUIT}]}}
      - {name: d, dns: {name: a.test, type: mx, server: "1.1.1.1", rcodes: NXDOMAIN, answers: {not_matches: x}}}
      - {name: e, icmp: {ttl: 3}}
      - {name: f, grpc: {service: a, metadata: {a: b}, tls: off}}
      - {name: g, websocket: {path: /ws, subprotocols: [a], send: hi, expect: yo}}
      - {name: h, http: {url: "https://a.test/x?y=z", tls: {verify: false, min_version: "1.2"}, bearer_token: "${T}"}}
      - {name: i, http: {basic_auth: {username: a, password: {secret: hook}}, proxy: "http://u:${P}@proxy:3128"}}
      - {name: j, icmp: true}
    environment: {A: b, N: 1, PASSWORD: {secret: hook}}
    secrets: [hook]
    depends_on: {db: healthy, api: {condition: started, optional: true}}
    volumes: [data:/data, {source: ./x, target: /x, read_only: true}]
    metrics: {path: /metrics, port: 81, interval: 1m}
    logs: {patterns: {slow: "slow .*"}, levels: false}
    labels: {a: b}
    command: [a, b]
    slo: 99.5%
    alerts: {ServiceSlow: {threshold: 2s}}
    scale: {min: 1, max: 3, cpu: 70%}
    restart: always
    stop_grace: 10s
    writable: [/tmp]
    user: "1:1"
    compose: {cpu_shares: 5, environment: [C=c], security_opt: null, volumes: ["data:/more"], x-a: 1}
  api: {build: {context: ./api, runtime: python, arguments: {A: "1"}, entry: "a:b"}, port: 82, health: /h, logs: on}
  other:
    {port: 83, managed: off, containers: {project: o, service: O_1}, address: "other.test:{port}",
    probes: [{name: a, http: /}], metrics: true}
observe: {projects: [old, older], networks: old_default}
stores:
  db:
    engine: postgresql
    version: "16"
    username: u
    password: {secret: db}
    databases: [a, b]
    volume: db
    backup: {schedule: "0 3 * * *", keep: 3, max_age: 2d}
    replicas: [{host: r, port: 1, max_lag: 5s}]
    max_connections: 80%
  cache: {engine: redis, auth: off, backup: "0 4 * * *", tls: {verify: false}}
  file: {engine: sqlite, service: web, path: /data/a.db, check_interval: 1h}
compose: {x-a: 1, services: {web: {dns: 1.1.1.1}}, networks: {edge: {labels: {a: b}}}, configs: {a: {file: a}}}
x-a: {b: c}
volumes: {data: {compose: {driver: local}, x-a: 1}, own: {description: d, backup: "0 5 * * *", size: 10Gi},
  up: {external: true}}
secrets: {hook: , teams: {env: TEAMS}, db: {generate: 32, rotate: 90d}}
gateway:
  host: shop.example.com
  aliases: www.shop.example.com
  http_port: 8081
  tls: {certificate: /c, key: /k, min_version: "1.3", redirect: false}
  routes: {/: web, /api: {service: api, strip: true, read_timeout: 5s, max_body: 1Mi}}
  timeouts: {connect: 1s}
backup: {directory: /b, s3: {bucket: abc, endpoint: "https://s3.test", access_key: "${A}"}, configuration: [x],
  encrypt: {recipient_file: r, tool: gpg}, drill: {schedule: "0 6 * * sun"}}
pipeline: {branches: {main: production}, checks: [tests], pull_requests: main}
maintenance: [{name: n, when: "Sun 02:00-04:00", timezone: UTC, services: [web]}]
prometheus: {scrape_interval: 10s, retention: 5d, retention_size: 1Gi, external_labels: {team: shop}, version: v3}
alertmanager: {slack_url: {secret: hook}, smtp: {address: "mail:25", sender: a@b.test, username: u,
  password: {secret: hook}}, watchdog: team, group_wait: 10s}
grafana: {url: "http://grafana.test", datasource: prom}
kubernetes: {namespace: shop}
infrastructure: {region: eu, disk: 40Gi, allow_ssh_from: 1.2.3.0/24}
costs: {currency: EUR, cpu_hour: 0.04, memory_hour: 0.01}
environments:
  test: {address: "localhost:{port}", publish: edge}
  production: {protected: true, tag: v1, verify: {deadline: 5m}, services: {web: {replicas: 2, host_port: null}}}
"""

CATALOGS: tuple[dict[str, Any], ...] = (
    yaml.load(EVERYTHING.replace(": on}", ': "on"}').replace(": off", ': "off"'), yaml.CSafeLoader),
    yaml.load(EXAMPLE.read_text(encoding="utf-8"), yaml.CSafeLoader),
    yaml.load(EVERY_KEY, yaml.CSafeLoader),
    yaml.load(ONLY_COMPOSE_2, yaml.CSafeLoader),
)
"""Plain data, as in JSON."""


def parts(catalog: dict[str, Any]) -> list[dict[str, Any]]:
    """Generate small catalogs with one key of the root or one service. The schema does not check
    names they refer to."""
    found: list[dict[str, Any]] = []
    for key, value in catalog.items():
        if key in ("services", "stores", "environments"):
            found += [{"project": "shop", key: {name: inner}} for name, inner in value.items()]
        elif key != "project":
            found.append({"project": "shop", key: value})
    return [
        {**part, "environments": {"a": {"address": "{service}:1"}, **part.get("environments", {})}}
        for part in found
    ]


VALUES: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        0,
        1,
        -1,
        80,
        1.5,
        99999,
        10**30,
        [],
        {},
        "",
        " ",
        "on",
        "off",
        "true",
        "1",
        "80",
        "0s",
        "5s",
    ),
    *(
        "99%",
        "99.9%",
        "64k",
        "1Gi",
        "GET",
        "get",
        "mx",
        "2xx",
        200,
        "/",
        "/x",
        "a b",
        "https://a.test/x",
        "a.test:80",
    ),
    *(
        "${A}",
        "${A:-b}",
        "/x?${A}",
        "$${A}",
        {"secret": "hook"},
        {"env": "A"},
        {"file": "./a"},
        "web",
        "db",
        "data",
    ),
    *(
        "critical",
        "cgroup",
        "0 3 * * *",
        "0 3 * * MON",
        "@daily",
        "Sun 02:00-04:00",
        "1.2",
        1.2,
        "2",
        2,
        "A",
        "a",
        "ü",
    ),
    *(
        "#x",
        "a@b.test",
        "v1",
        ".5",
        "1e3",
        "0x10",
        "[::1]:80",
        ":80",
        "socks5://p:1",
        "{service}:{port}",
        "postgresql",
    ),
    *(
        [200, "3xx"],
        ["a", 1],
        [1.5],
        {"a": 1},
        {"path": "/x"},
        [{"path": "$.a"}],
        "$.a",
        "x" * 70,
        {"port": 80},
    ),
    *("8080:80", "127.0.0.1:80-81:80-81/udp", ["A=b", "C"], "CMD", ["CMD", "x"], "64m", "./a:/a:ro,z", "all"),
    *({"A": None}, {"A": True}, {"a": ["b"]}, "service:web", ["front"], {"front": None}, "service_healthy"),
)


def places(value: Any, path: Path_ = ()) -> Iterator[Path_]:
    """Yield the path of every value, the root's first."""
    yield path
    items: Any = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, inner in items:
        yield from places(inner, (*path, key))


def at(value: Any, path: Path_) -> Any:
    for part in path:
        value = value[part]
    return value


def changed(
    chance: random.Random, catalog: dict[str, Any], values: tuple[Any, ...] = VALUES
) -> dict[str, Any]:
    """Return the catalog with one to three changes."""
    data = copy.deepcopy(catalog)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        path = chance.choice([path for path in places(data) if path] or [()])
        if not path:
            break
        parent, key = at(data, path[:-1]), path[-1]
        value = parent[key]
        change = chance.randrange(10)
        if change == 0:
            del parent[key]
        elif change == 1:
            parent[key] = _other_spelling(chance, value)
        elif change == 2:
            parent[key] = [value]
        elif change == 3 and isinstance(value, list) and value:
            parent[key] = value[0]
        elif change == 4:
            parent[key] = copy.deepcopy(at(data, chance.choice(list(places(data)))))
        elif change == 5 and isinstance(parent, dict):
            parent[chance.choice((*parent, "x", "A", "web", "timeout"))] = value
        elif change == 6 and len(path) > 1 and "environments" not in path and data.get("environments"):
            _overlay(data, path, chance.choice((None, {}, value, True, "off")))
        elif change == 7:
            parent[key] = chance.choice((None, True, False, {}, [], "off"))
        else:
            parent[key] = copy.deepcopy(chance.choice(values))
    return data


def _other_spelling(chance: random.Random, value: Any) -> Any:
    """Return the same value as another type, or in other letters."""
    if isinstance(value, str):
        choices: list[Any] = [value.lower(), value.upper(), f" {value}", f"{value}\n"]
        return chance.choice([*choices, *([float(value)] if value.replace(".", "", 1).isdecimal() else [])])
    if isinstance(value, bool | int | float):
        return chance.choice((str(value), float(value), not value))
    return {} if isinstance(value, dict) else None


def _overlay(data: dict[str, Any], path: Path_, value: Any) -> None:
    """Override the value at the path in the first environment."""
    environments = data["environments"]
    if not isinstance(environments, dict):
        return
    name = next(iter(environments))
    inner = environments[name] = environments[name] or {}
    for part in path[:-1]:
        if not isinstance(inner, dict):
            return
        inner[str(part)] = inner.get(str(part)) or {}
        inner = inner[str(part)]
    if isinstance(inner, dict):
        inner[str(path[-1])] = value
