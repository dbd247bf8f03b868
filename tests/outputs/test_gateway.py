"""nginx.conf, checked by nginx."""

from __future__ import annotations

import base64
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from exporter.catalog.loading import load_catalog
from exporter.outputs.base import OutputError
from exporter.outputs.gateway import render
from tests.outputs.catalogs import ENVIRONMENTS, EXAMPLE, catalog_of
from tests.outputs.gateway_server import DEBIAN, MODERN, Answer, Edge, replica
from tests.probes.certificates import Authority
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.catalog.catalog import Catalog

KINDS = pytest.mark.parametrize("kind", [DEBIAN, MODERN])
SHOP = "Host: shop.example.com"


def shop(folder: Path, port: int, gateway: str = "", routes: str = "/: web", more: str = "") -> Catalog:
    text = f"""
project: shop
services:
  web: {{image: "web:1", port: {port}, health: /health}}
  job: {{image: "job:1", port: {port}, host_port: 9999, health: /up}}
gateway: {{host: shop.example.com, routes: {{{routes}}}, {gateway}}}
{more}
"""
    return catalog_of(folder, text)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@KINDS
def test_nginx_accepts_the_example(kind: str, environment: str, tmp_path: Path) -> None:
    certificate = Authority(tmp_path).issue("pageforge.example.com")
    assert Edge(kind, load_catalog(EXAMPLE, environment), tmp_path, {}, certificate).check() == ""


def test_without_a_gateway_there_is_no_file(tmp_path: Path) -> None:
    assert (
        list(render(catalog_of(tmp_path, "project: shop\nservices: {web: {image: web, port: 80}}\n"))) == []
    )


@KINDS
def test_the_longest_path_wins_and_holds_for_what_is_below_it(kind: str, tmp_path: Path) -> None:
    with replica("127.0.0.2") as web, replica("127.0.0.3", web.port) as job:
        routes = "/: web, /api: job, /api/v2/: web, /cut: {service: job, strip: true}"
        catalog = shop(tmp_path, web.port, routes=routes)
        hosts = {"web": ("127.0.0.2",), "job": ("127.0.0.3",)}
        with Edge(kind, catalog, tmp_path, hosts) as edge:
            until(lambda: edge.ask("/", "-H", SHOP).status == 200, "the first name to be looked up")
            until(lambda: edge.ask("/api", "-H", SHOP).status == 200, "the second")
            expected = {
                "/": ("web", "/"),
                "/apix": ("web", "/apix"),
                "/api": ("job", "/api"),
                "/api/": ("job", "/api/"),
                "/api/v1?q=%2F&x": ("job", "/api/v1?q=%2F&x"),
                "/api/v2": ("web", "/api/v2"),
                "/api/v2/things": ("web", "/api/v2/things"),
                "/cut": ("job", "/"),
                "/cut/": ("job", "/"),
                "/cut/a%20b/c?d=%2F": ("job", "/a%20b/c?d=%2F"),
                "/cutter": ("web", "/cutter"),
            }
            places = {web.server_address[0]: "web", job.server_address[0]: "job"}
            found = {path: edge.ask(path, "-H", SHOP) for path in expected}
            assert {
                path: (places[str(answer.told["at"])], answer.told["path"]) for path, answer in found.items()
            } == expected
            assert found["/cut/"].sent["x-forwarded-prefix"] == "/cut"
            assert "x-forwarded-prefix" not in found["/api"].sent


LIES = (
    "X-Forwarded-For: 6.6.6.6",
    "X-Real-IP: 6.6.6.6",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Host: evil",
    "X-Forwarded-Prefix: /evil",
    "Forwarded: for=6.6.6.6",
    "Proxy: evil",
)


@KINDS
def test_services_learn_who_asks_and_nobody_can_pretend(kind: str, tmp_path: Path) -> None:
    with replica() as web:
        catalog = shop(tmp_path, web.port)
        with Edge(kind, catalog, tmp_path, {"web": ("127.0.0.2",)}) as edge:
            until(lambda: edge.ask("/", "-H", SHOP).status == 200, "the service")
            options = [part for lie in (*LIES, SHOP) for part in ("-H", lie)]
            answer = edge.ask("/secret?token=s3cret", *options, "-H", "X-Request-ID: abcdef-0123.x")
            sent = answer.sent
            assert {name: sent[name] for name in sent if name.startswith("x-") or name == "host"} == {
                "host": "shop.example.com",
                "x-real-ip": "127.0.0.1",
                "x-forwarded-for": "127.0.0.1",
                "x-forwarded-host": "shop.example.com",
                "x-forwarded-proto": "http",
                "x-request-id": "abcdef-0123.x",
            }
            assert not {"forwarded", "proxy"} & set(sent)
            assert answer.headers["x-request-id"] == "abcdef-0123.x"
            assert answer.headers["server"] == "nginx"
            assert "x-powered-by" not in answer.headers
            made = edge.ask("/", "-H", SHOP, "-H", 'X-Request-ID: a"b\\ {evil}')
            assert len(made.sent["x-request-id"]) == 32 == len(made.headers["x-request-id"])
            # nginx writes the log line only after it has started to send the response.
            until(
                lambda: [entry for entry in edge.log() if entry["request_id"] == "abcdef-0123.x"], "its line"
            )
            [logged] = [entry for entry in edge.log() if entry["request_id"] == "abcdef-0123.x"]
            assert (logged["path"], logged["status"]) == ("/secret", "200")
            assert "s3cret" not in str(edge.log())
            assert edge.ask("/", "-H", "Host: other.example.com").status == 421
            assert edge.ask("/", "--http1.0", "-H", "Host:").status == 421


@KINDS
def test_a_replica_that_goes_away_costs_no_request(kind: str, tmp_path: Path) -> None:
    with replica("127.0.0.2") as one, replica("127.0.0.3", one.port) as two:
        catalog = shop(tmp_path, one.port, "balance: least_conn")
        with Edge(kind, catalog, tmp_path, {"web": ("127.0.0.2", "127.0.0.3")}) as edge:

            def both_asked() -> bool:
                return edge.ask("/", "-H", SHOP).status == 200 and bool(one.asked and two.asked)

            until(both_asked, "both replicas")
            statuses: list[int] = []
            gone, done = threading.Event(), threading.Event()

            def clients() -> None:
                for number in range(60):
                    if number == 20:
                        gone.set()
                    statuses.append(edge.ask(f"/{number}", "-H", SHOP).status)
                done.set()

            thread = threading.Thread(target=clients)
            thread.start()
            assert gone.wait(20)
            two.hangs_up = True
            assert done.wait(60)
            thread.join()
            assert statuses == [200] * 60
            assert any(request not in one.asked for request in two.asked)


def test_replicas_that_come_are_found_while_nginx_runs(tmp_path: Path) -> None:
    with (
        replica("127.0.0.2") as one,
        replica("127.0.0.3", one.port) as two,
        Edge(MODERN, shop(tmp_path, one.port), tmp_path, {}) as edge,
    ):
        assert edge.ask("/", "-H", SHOP).status == 502
        edge.names.names["web"] = ("127.0.0.2",)
        until(lambda: edge.ask("/", "-H", SHOP).status == 200, "the first replica")
        edge.names.names["web"] = ("127.0.0.2", "127.0.0.3")
        until(lambda: edge.ask("/", "-H", SHOP).status == 200 and two.asked, "the second")


@KINDS
def test_what_must_not_be_done_twice_is_not_asked_twice(kind: str, tmp_path: Path) -> None:
    with replica("127.0.0.2") as one, replica("127.0.0.3", one.port) as two:
        one.hangs_up = two.hangs_up = True
        catalog = shop(tmp_path, one.port, "max_fails: 0")
        with Edge(kind, catalog, tmp_path, {"web": ("127.0.0.2", "127.0.0.3")}) as edge:

            def order() -> int:
                return edge.ask("/order", "-H", SHOP, "--data", "x").status

            until(lambda: (order(), one.asked + two.asked)[1], "a replica to be asked")
            asked = len(one.asked + two.asked)
            assert order() == 502
            assert len(one.asked + two.asked) == asked + 1


@KINDS
def test_websockets_only_where_the_route_says_so(kind: str, tmp_path: Path) -> None:
    with replica() as web:
        routes = "/: web, /live: {service: web, websocket: true}"
        with Edge(kind, shop(tmp_path, web.port, routes=routes), tmp_path, {"web": ("127.0.0.2",)}) as edge:
            until(lambda: edge.ask("/", "-H", SHOP).status == 200, "the service")
            key = base64.b64encode(b"0123456789abcdef").decode()
            request = (
                "GET {path} HTTP/1.1\r\nHost: shop.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
            )
            for path, status in (("/live", b"101"), ("/", b"200")):
                with socket.create_connection(("127.0.0.1", edge.http), 10) as connection:
                    connection.sendall(request.format(path=path).encode())
                    assert connection.recv(12) == b"HTTP/1.1 " + status
                    if status == b"101":
                        stream = connection.makefile("rb")
                        while stream.readline() not in (b"\r\n", b""):
                            pass
                        connection.sendall(b"\x81\x05hello")
                        assert stream.read(7) == b"\x81\x05hello"
            plain = edge.ask("/live", "-H", SHOP)
            assert "upgrade" not in plain.sent


@KINDS
def test_limits(kind: str, tmp_path: Path) -> None:
    with replica() as web:
        routes = "/: web, /big: {service: web, max_body: 4Ki}"
        catalog = shop(tmp_path, web.port, "max_body: 1Ki", routes)
        with Edge(kind, catalog, tmp_path, {"web": ("127.0.0.2",)}) as edge:
            until(lambda: edge.ask("/", "-H", SHOP).status == 200, "the service")
            body = "x" * 3000
            assert edge.ask("/", "-H", SHOP, "--data", body).status == 413
            assert edge.ask("/big", "-H", SHOP, "--data", body).told["body"] == 3000
            assert edge.ask("/", "-H", SHOP, "-H", f"X-Long: {'x' * 20_000}").status in (400, 494)


@KINDS
def test_alive_and_ready_are_two_things(kind: str, tmp_path: Path) -> None:
    with replica("127.0.0.2") as web, replica("127.0.0.3", web.port) as job:
        catalog = shop(tmp_path, web.port, routes="/: web, /job: job")
        with Edge(kind, catalog, tmp_path, {"web": ("127.0.0.2",), "job": ("127.0.0.3",)}) as edge:

            def answers() -> list[int]:
                paths = ("live", "ready", "ready/web", "ready/job")
                return [edge.ask(f"/-/gateway/{path}", "-H", SHOP).status for path in paths]

            until(lambda: answers() == [200, 204, 204, 204], "all to be ready")
            assert web.asked[-1] == "GET /health"
            assert job.asked[-1] == "GET /up"
            for status in (500, 404, 401):
                job.statuses["/up"] = status
                assert answers() == [200, 503, 204, 503]
            job.statuses.clear()
            web.hangs_up = True
            assert answers() == [200, 503, 503, 204]
            assert edge.ask("/-/gateway/health/web", "-H", SHOP).status == 404
            assert edge.ask("/-/gateway/live", "-H", "Host: 127.0.0.1").status == 200
            assert [entry for entry in edge.log() if entry["path"].startswith("/-/gateway/ready")] == []


@KINDS
def test_https_with_redirect(kind: str, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate = authority.issue("shop.example.com")
    with replica() as web:
        catalog = shop(
            tmp_path, web.port, "tls: {certificate: a, key: b}, https_port: 8444, aliases: www.example.com"
        )
        with Edge(kind, catalog, tmp_path, {"web": ("127.0.0.2",)}, certificate) as edge:
            there = (
                "--resolve",
                f"shop.example.com:{edge.https}:127.0.0.1",
                "--cacert",
                str(authority.ca_file),
            )

            def secure(*options: str) -> int:
                return secure_answer(*options).status

            def secure_answer(*options: str) -> Answer:
                return edge.ask_url(f"https://shop.example.com:{edge.https}/x", *there, *options)

            until(lambda: secure() == 200, "the service")
            answer = secure_answer()
            assert answer.sent["x-forwarded-proto"] == "https"
            assert answer.headers["strict-transport-security"] == "max-age=31536000"
            away = edge.ask("/a%20b?c=d", "-H", SHOP)
            assert (away.status, away.headers["location"]) == (308, "https://shop.example.com:8444/a%20b?c=d")
            assert secure("--tls-max", "1.2") == 200
            assert secure("--tls-max", "1.2", "--ciphers", "AES128-GCM-SHA256") == 0
            assert edge.ask("/", "--insecure", https=True).status == 0  # no name, so no certificate


@KINDS
def test_a_laptop_takes_any_name_and_pins_no_browser(kind: str, tmp_path: Path) -> None:
    certificate = Authority(tmp_path).issue("shop.example.com")
    laptop = 'environments: {dev: {address: "localhost:{port}"}}'
    with replica() as web:
        catalog = shop(tmp_path, web.port, "tls: {certificate: a, key: b, redirect: false}", more=laptop)
        with Edge(kind, catalog, tmp_path, {"web": ("127.0.0.2",)}, certificate) as edge:
            until(lambda: edge.ask("/").status == 200, "the service")
            answer = edge.ask("/", "--insecure", https=True)
            assert answer.status == 200
            assert "strict-transport-security" not in answer.headers


NASTY_PATHS = (
    "/a;b",
    "/{x}",
    '/"q"',
    "/'q'",
    "/back\\slash",
    "/$host",
    "/a%20b",
    "/ü",
    "/#".replace("#", "%23"),
    "/a%3Fb",
    "/*~^=",
    "/x%22%3B}}evil%20on;{",
)


@KINDS
def test_text_of_a_catalog_never_becomes_a_directive(kind: str, tmp_path: Path) -> None:
    with replica("127.0.0.2") as web, replica("127.0.0.3", web.port):
        routes = ", ".join(f"{yaml_string(path)}: job" for path in NASTY_PATHS) + ", /: web"
        catalog = shop(tmp_path, web.port, routes=routes)
        with Edge(kind, catalog, tmp_path, {"web": ("127.0.0.2",), "job": ("127.0.0.3",)}) as edge:
            until(lambda: edge.ask("/", "-H", SHOP).status == 200, "the service")
            until(lambda: edge.ask("/a;b", "-H", SHOP).status == 200, "the other")
            for path in NASTY_PATHS:
                asked = path.replace("{", "%7B").replace("}", "%7D").replace('"', "%22").replace("\\", "%5C")
                answer = edge.ask(asked + "/below", "--globoff", "-H", SHOP)
                assert (path, answer.told["at"]) == (path, "127.0.0.3")


REFUSED = {
    "no route": ("", "gateway.routes is empty; name the service for each path, such as {/: NAME}"),
    "query": ('"/a?b": web', "gateway.routes./a?b contains ? or #, but nginx routes by the path only"),
    "no escape": ('"/50%": web', "gateway.routes./50% contains a % that is no escape; write it as %25"),
    "bytes": (
        '"/%ff": web',
        "gateway.routes./%ff is not UTF-8 after its escapes are decoded; write another path",
    ),
    "line break": ('"/a%0ab": web', "gateway.routes./a%0ab contains control characters or is longer than"),
    "long": (f'"/{"ü" * 600}": web', "contains control characters or is longer than 1000 bytes"),
    "dots": ('"/a/../b": web', 'gateway.routes."/a/../b" never matches, because nginx removes //, . and ..'),
    "twice": (
        '"/a": web, "/a/": job',
        'gateway.routes./a/ is the same path to nginx as "/a"; keep one of them',
    ),
    "its own": ('"/-/gateway/live": web', "is below /-/gateway, which the gateway uses itself"),
    "variable": (
        '"/$a": {service: web, strip: true}',
        "gateway.routes./$a contains $, which nginx cannot strip",
    ),
    "somebody else's": ("/: other", "gateway.routes./ goes to other, which is not deployed here"),
    "no port": (
        "/: worker",
        "gateway.routes./ goes to worker, which has no port; write services.worker.port",
    ),
}


@pytest.mark.parametrize(("routes", "sentence"), REFUSED.values(), ids=REFUSED)
def test_what_nginx_cannot_say_is_refused(routes: str, sentence: str, tmp_path: Path) -> None:
    text = f"""
project: shop
services:
  web: {{image: "web:1", port: 80}}
  job: {{image: "job:1", port: 80}}
  worker: {{image: "worker:1"}}
  other: {{port: 80}}
gateway: {{host: shop.example.com, routes: {{{routes}}}}}
"""
    with pytest.raises(OutputError) as caught:
        list(render(catalog_of(tmp_path, text)))
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def yaml_string(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
