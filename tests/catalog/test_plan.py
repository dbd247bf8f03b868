"""The plan that the daemon gets from a catalog."""

from __future__ import annotations

import pickle
from time import perf_counter
from typing import TYPE_CHECKING

import pytest

from exporter.catalog.loading import load_plan
from exporter.catalog.planning.plan import Target
from exporter.catalog.planning.specs import (
    Condition,
    DnsSpec,
    Exchange,
    HeaderCondition,
    HttpSpec,
    IcmpSpec,
    JsonCondition,
    TcpSpec,
    TlsSpec,
)
from exporter.catalog.reading.listening import read_listen
from tests.catalog.doors import spec

if TYPE_CHECKING:
    from pathlib import Path

    from tests.catalog.doors import Write


def test_three_lines_are_a_service(write: Write) -> None:
    plan = load_plan(write("services:\n  web:\n    image: web\n    port: 80\n"))
    assert plan.targets == (Target("web", "port", "web:80", 15.0, 5.0, TcpSpec("web", 80)),)
    assert (plan.project, plan.environment, plan.listen_host, plan.listen_port) == (
        "shop",
        "default",
        "0.0.0.0",
        9877,
    )


def test_targets_stand_in_the_order_of_the_file_health_first(write: Write) -> None:
    plan = load_plan(
        write(
            """
            services:
              web: {image: web, port: 80, probes: [{name: page, http: /}], health: /up, volumes: files:/data}
              worker: {image: worker}
              api: {image: api, port: 81}
            volumes: {files: {}}
            stores:
              db: {engine: postgresql}
              cache: {engine: redis, port: 7000}
              file: {engine: sqlite, service: web, path: /data/file.db}
            """
        )
    )
    assert [(target.service, target.probe, target.target) for target in plan.targets] == [
        ("web", "health", "http://web:80/up"),
        ("web", "page", "http://web:80/"),
        ("api", "port", "api:81"),
        ("db", "postgresql", "db:5432"),
        ("cache", "redis", "cache:7000"),
        ("file", "sqlite", "/volumes/files/file.db"),
    ]
    assert [service.name for service in plan.services] == ["web", "worker", "api", "db", "cache", "file"]


TIMES = {
    "built in": ("", "", "", (15.0, 5.0)),
    "defaults": ("{interval: 1m, timeout: 10s}", "", "", (60.0, 10.0)),
    "the service's win": ("{interval: 1m, timeout: 10s}", "{interval: 30s}", "", (30.0, 10.0)),
    "the probe's win": ("{interval: 1m}", "{interval: 30s, timeout: 9s}", "interval: 20s", (20.0, 9.0)),
    "an inherited timeout gives way": ("{timeout: 10s}", "", "interval: 2s", (2.0, 2.0)),
    "a built-in timeout gives way": ("", "{interval: 1s}", "", (1.0, 1.0)),
}


@pytest.mark.parametrize(("defaults", "service", "probe", "expected"), TIMES.values(), ids=TIMES)
def test_times(defaults: str, service: str, probe: str, expected: tuple[float, float], write: Write) -> None:
    plan = load_plan(
        write(
            f"""
            defaults: {{probe: {defaults or "{}"}}}
            services: {{web: {{image: web, port: 80, health: {{path: /, {probe}}}, probe: {service or "{}"}}}}}
            """
        )
    )
    assert [(target.interval, target.timeout) for target in plan.targets] == [expected]


def test_every_option_of_http(write: Write, tmp_path: Path) -> None:
    path = write(
        """
        services:
          web:
            image: web
            port: 8080
            probes:
              - name: page
                http:
                  path: /page?full=1
                  scheme: https
                  port: 8443
                  method: post
                  headers: {Accept: application/json, X-Version: 7.10}
                  send: '{"price": "$${5}"}'
                  status: [200, 3xx, 401-403]
                  versions: "1.1"
                  body: {contains: "a.b", absent: [x, y], matches: "^a", not_matches: "z$"}
                  json:
                    - $.ok
                    - {path: $.state, equals: [up, 1, null]}
                    - {path: $.name, matches: "^s"}
                    - {path: $.error, absent: true}
                    - {path: $.empty, equals: null}
                  header: {Content-Type: json, Server: {not_matches: nginx}, X-Debug: {absent: true}}
                  redirects: off
                  tls:
                    {ca: certs/ca.pem, certificate: /etc/c.pem, key: c.key, server_name: shop,
                     min_version: "1.2", verify: false}
                  ip: prefer_ip4
                  max_body: 64k
                  compression: gzip
        """
    )
    assert spec(path, "page") == HttpSpec(
        url="https://web:8443/page?full=1",
        method="POST",
        headers=(("Accept", "application/json"), ("X-Version", "7.10")),
        body='{"price": "${5}"}',
        statuses=((200, 200), (300, 399), (401, 403)),
        versions=("1.1",),
        body_conditions=(
            Condition(r"a\.b"),
            Condition("^a"),
            Condition("x", present=False),
            Condition("y", present=False),
            Condition("z$", present=False),
        ),
        json_conditions=(
            JsonCondition("$.ok"),
            JsonCondition("$.state", equals='["up", 1, null]'),
            JsonCondition("$.name", pattern="^s"),
            JsonCondition("$.error", present=False),
            JsonCondition("$.empty", equals="null"),
        ),
        header_conditions=(
            HeaderCondition("Content-Type", "json"),
            HeaderCondition("Server", "nginx", present=False),
            HeaderCondition("X-Debug", "", present=False),
        ),
        follow_redirects=False,
        max_redirects=0,
        tls=TlsSpec(
            verify=False,
            server_name="shop",
            min_version="1.2",
            ca_file=str(tmp_path / "certs/ca.pem"),
            certificate_file="/etc/c.pem",
            key_file=str(tmp_path / "c.key"),
        ),
        ip_protocol="prefer_ip4",
        max_body_bytes=64_000,
        compression="gzip",
    )


def test_every_option_of_tcp_dns_and_icmp(write: Write) -> None:
    path = write(
        """
        services:
          mail:
            image: mail
            port: 25
            probes:
              - name: smtp
                tcp: {starttls: smtp, tls: {min_version: "1.3"}, ip: ip4}
              - name: talk
                tcp: {address: "[2001:db8::1]:110", exchanges: [{expect: "^[+]OK", send: QUIT}]}
              - name: records
                dns:
                  {name: shop.example, type: mx, server: "10.0.0.1:5353", transport: tcp,
                   answers: {matches: "^10 ", not_matches: [old, gone]}, min_answers: 2, recursion: false, ip: ip6}
              - {name: gone, dns: {name: old.example, rcodes: NXDOMAIN}}
              - {name: ping, icmp: {host: 10.0.0.1, payload: 8, ttl: 3, ip: ip4}}
        """
    )
    assert spec(path, "smtp") == TcpSpec("mail", 25, TlsSpec(min_version="1.3"), "smtp", ip_protocol="ip4")
    assert spec(path, "talk") == TcpSpec("2001:db8::1", 110, exchanges=(Exchange("^[+]OK", "QUIT"),))
    assert spec(path, "records") == DnsSpec(
        "shop.example",
        "MX",
        "10.0.0.1:5353",
        "tcp",
        answers=(Condition("^10 "), Condition("old", present=False), Condition("gone", present=False)),
        min_answers=2,
        recursion=False,
        ip_protocol="ip6",
    )
    assert spec(path, "gone") == DnsSpec("old.example", rcodes=("NXDOMAIN",), min_answers=0)
    assert spec(path, "ping") == IcmpSpec("10.0.0.1", 8, 3, "ip4")
    assert [target.target for target in load_plan(path).targets] == [
        "mail:25",
        "[2001:db8::1]:110",
        "shop.example",
        "old.example",
        "10.0.0.1",
    ]


ADDRESSES = {
    "the service's name and port": ("{}", "", "http://web:80/up"),
    "a template": ("{address: '{service}.{project}.{environment}:{port}'}", "", "http://web.shop.dev:80/up"),
    "a template without a port": ("{address: '{service}.internal'}", "", "http://web.internal/up"),
    "IPv6": ("{address: '[::1]:{port}'}", "", "http://[::1]:80/up"),
    "the service's own": ("{address: 'localhost:{port}'}", ", address: 10.0.0.1:99", "http://10.0.0.1:99/up"),
    "a port of the host, where ports are published": (
        "{publish: all}",
        ", host_port: 8080",
        "http://web:8080/up",
    ),
    "localhost publishes": ("{address: 'localhost:{port}'}", ", host_port: 8080", "http://localhost:8080/up"),
    "inside the network, the port of the container": ("{}", ", host_port: 8080", "http://web:80/up"),
}


@pytest.mark.parametrize(("environment", "service", "url"), ADDRESSES.values(), ids=ADDRESSES)
def test_addresses(environment: str, service: str, url: str, write: Write) -> None:
    path = write(
        f"services: {{web: {{image: web, port: 80, health: /up{service}}}}}\nenvironments: {{dev: {environment}}}\n"
    )
    assert [target.target for target in load_plan(path).targets] == [url]


def test_the_page_is_told_of_each_service(write: Write) -> None:
    plan = load_plan(
        write(
            """
            defaults: {owner: all, runbooks: "https://books/{alert}/{service}", slo: {latency: 2s}}
            owners: {all: {}, few: {}}
            services:
              web: {image: web, port: 80, depends_on: db, metrics: /m, description: Shop, slo: {latency: 300ms}}
              login: {probes: [{name: page, http: https://login.example/}], owner: few, runbook: "https://own/"}
            stores: {db: {engine: mongodb}}
            """
        )
    )
    web, login, db = plan.services
    assert (web.kind, web.description, web.owner, web.depends_on) == ("service", "Shop", "all", ("db",))
    assert (web.runbook, web.deployed, web.port, web.metrics_path) == (
        "https://books/ServiceDown/web",
        True,
        80,
        "/m",
    )
    assert (login.owner, login.runbook, login.deployed, login.port) == ("few", "https://own/", False, None)
    assert (db.kind, db.runbook, db.deployed, db.port) == ("store", "https://books/StoreDown/db", True, 27017)
    assert plan.buckets == (0.3, 2.0)


METRICS = {
    "the service's own port": ("/m", "{}", ("web:80", "/m", "http", 30.0)),
    "another port": ("{port: 9100}", "{}", ("web:9100", "/metrics", "http", 30.0)),
    "everything": (
        "{path: /m, port: 9100, scheme: https, interval: 1m}",
        "{address: 'localhost:{port}'}",
        ("localhost:9100", "/m", "https", 60.0),
    ),
    "an address without a port": (
        "{scheme: https}",
        "{address: '{service}.internal'}",
        ("web.internal:443", "/metrics", "https", 30.0),
    ),
    "IPv6": ("/m", "{address: '[::1]:{port}'}", ("[::1]:80", "/m", "http", 30.0)),
    "none": ("off", "{}", (None, None, "http", None)),
}


@pytest.mark.parametrize(("metrics", "environment", "expected"), METRICS.values(), ids=METRICS)
def test_where_prometheus_finds_metrics(
    metrics: str, environment: str, expected: tuple[str | None, str | None, str, float | None], write: Write
) -> None:
    path = write(
        f"services: {{web: {{image: web, port: 80, metrics: {metrics}, replicas: 2}}}}\n"
        f"environments: {{dev: {environment}}}\n"
    )
    [web] = load_plan(path).services
    assert (web.metrics_target, web.metrics_path, web.metrics_scheme, web.metrics_interval) == expected
    assert web.replicas == 2


def test_the_listen_address_can_be_read_alone(write: Write) -> None:
    assert read_listen(write("services: {}\n")) == ("0.0.0.0", 9877)
    assert read_listen(write("exporter: {listen: '[::1]:9000'}\nservices: {web: {nonsense: 1}}\n")) == (
        "::1",
        9000,
    )
    path = write("exporter: {listen: ':9000'}\nenvironments: {a: {}, b: {exporter: {listen: 9001}}}\n")
    assert read_listen(path) == ("0.0.0.0", 9000)
    assert read_listen(path, "b") == ("0.0.0.0", 9001)


def test_thousands_of_services_load_in_seconds_and_share_what_is_equal(write: Write) -> None:
    services = "".join(f"  s{n}:\n    image: web\n    port: 80\n    health: /up\n" for n in range(5000))
    path = write(f"services:\n{services}")
    start = perf_counter()
    plan = load_plan(path)
    assert perf_counter() - start < 10  # 0.4 s on one core; ten seconds would be too slow on any machine
    assert len(plan.targets) == 5000
    assert len({id(target.spec.tls) for target in plan.targets if isinstance(target.spec, HttpSpec)}) == 1
    assert len(pickle.dumps(plan)) < 5000 * 250


@pytest.mark.parametrize(
    ("service", "wanted"),
    [
        ("image: x", 1),
        ("build: ./x", 1),
        ("image: x, replicas: 3", 3),
        ("image: x, replicas: 0", 0),
        ("port: 80", None),
        ("image: x, restart: always", 1),
        # It would not be started again after it has exited with 0.
        ('image: x, restart: "no"', None),
        ("image: x, restart: on-failure", None),
        # Other services depend on these.
        ('image: x, restart: "no", port: 80', 1),
        ('image: x, restart: "no", public: true, port: 80', 1),
        ("image: x, restart: on-failure, probes: [{name: p, tcp: 'x:1'}]", 1),
    ],
)
def test_how_many_containers_of_a_service_must_run(write: Write, service: str, wanted: int | None) -> None:
    (plan,) = load_plan(write(f"services: {{web: {{{service}}}}}")).services
    assert plan.wanted == wanted
    assert plan.ends == (wanted is None and plan.deployed)


def test_what_others_wait_for_until_it_has_ended_is_a_job_unless_it_is_started_again(write: Write) -> None:
    plan = load_plan(
        write(
            """
            defaults: {restart: always}
            services:
              web: {image: x, volumes: 'd:/d', depends_on: {migrate: completed, seed: completed, mail: started}}
              migrate: {image: x, port: 80}
              seed: {image: x, restart: always}
              mail: {image: x}
            stores: {db: {engine: postgresql}, file: {engine: sqlite, service: web, path: /d/x.db}}
            volumes: {d: {}}
            """
        )
    )
    assert {service.name: service.wanted for service in plan.services} == {
        "web": 1, "migrate": None, "seed": 1, "mail": 1, "db": 1, "file": None,
    }  # fmt: skip
    assert [service.name for service in plan.services if service.ends] == ["migrate"]
