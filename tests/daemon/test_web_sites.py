"""The names under which the daemon can be reached, and requests that pages of other sites make a browser send."""

from __future__ import annotations

import contextlib
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from exporter.catalog.planning.plan import WebPlan
from exporter.daemon.web import hosts
from exporter.daemon.web.hosts import hosts_of
from tests.components import require
from tests.daemon.running import RunningDaemon, running_daemon
from tests.daemon.web_client import Served, exchange, get, request, served
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EVIL = "evil.example"


@pytest.fixture(scope="module")
def site() -> Iterator[Served]:
    with served(WebPlan(hosts=("metrics.example.com", "*.corp.example.com"))) as running:
        yield running


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:9877", 200),
        ("localhost.", 200),
        ("127.0.0.1", 200),
        ("10.1.2.3:9877", 200),
        ("[::1]", 200),
        ("[fe80::1%25eth0]:9877", 200),
        ("exporter", 200),
        ("exporter:9877", 200),
        ("shop_exporter_1", 200),
        ("exporter.monitoring.svc", 200),
        ("exporter.monitoring.svc.cluster.local:9877", 200),
        ("host.docker.internal", 200),
        ("nas.fritz.lan", 200),
        ("a.localhost", 200),
        ("listened.example.org", 200),
        ("metrics.example.com:443", 200),
        ("Metrics.Example.COM.", 200),
        ("a.corp.example.com", 200),
        ("a.b.corp.example.com", 200),
        ("corp.example.com", 421),
        ("xcorp.example.com", 421),
        (EVIL, 421),
        ("evil.example:9877", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost.evil.example", 421),
        ("metrics.example.com.evil.example", 421),
        ("127.1", 421),
        ("0x7f.0.0.1", 421),
        ("1.2.3.4.5", 421),
    ],
)
def test_names_that_somebody_else_may_own_are_refused(site: Served, host: str, status: int) -> None:
    for method in ("GET /small", "HEAD /small"):
        assert [reply.status for reply in exchange(site.port, request(method, host=host))] == [status]
    assert get(site.port, "/-/healthy", host=host).status == 200


def test_the_sentence_says_what_to_do(site: Served) -> None:
    reply = get(site.port, "/small", host=EVIL)
    assert b"add it to exporter.hosts" in reply.body


def test_any_name_if_that_is_wanted() -> None:
    with served(WebPlan(hosts=("*",))) as site:
        assert get(site.port, "/small", host=EVIL).status == 200


def test_the_machines_own_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "Host1")
    monkeypatch.setattr(hosts, "_search_domains", lambda: ["prod.example.com"])
    hosts.own_names.cache_clear()
    try:
        admitted = hosts_of((), "0.0.0.0")
        assert admitted.admits("host1.prod.example.com")
        assert not admitted.admits("host2.prod.example.com")
    finally:
        hosts.own_names.cache_clear()


FORM = "POST /change"
SUBRESOURCE = ("Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: image")
LINK = ("Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document")


@pytest.mark.parametrize(
    ("line", "headers", "status"),
    [
        (FORM, (), 200),  # curl
        (FORM, ("Origin: http://localhost",), 200),
        (FORM, ("Origin: https://localhost",), 200),  # behind a proxy that terminates TLS
        (FORM, ("Origin: HTTP://LOCALHOST",), 200),
        (FORM, ("Origin: http://localhost:9999",), 403),
        (FORM, (f"Origin: http://{EVIL}",), 403),
        (FORM, ("Origin: null",), 403),
        (FORM, ("Origin: ",), 403),
        (FORM, ("Origin: http://localhost", f"Origin: http://{EVIL}"), 403),
        (FORM, ("Sec-Fetch-Site: same-origin", "Origin: http://localhost"), 200),
        (FORM, ("Sec-Fetch-Site: none",), 200),
        (FORM, ("Sec-Fetch-Site: cross-site", f"Origin: http://{EVIL}"), 403),
        (FORM, ("Sec-Fetch-Site: cross-site", "Origin: http://localhost"), 403),
        (FORM, ("Sec-Fetch-Site: same-site",), 403),
        (FORM, ("Sec-Fetch-Site: cross-site", *LINK), 403),  # a form is a navigation
        (FORM, ("Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: cross-site"), 403),
        ("GET /small", (), 200),
        ("GET /small", ("Sec-Fetch-Site: same-origin",), 200),
        ("GET /small", ("Sec-Fetch-Site: cross-site", *LINK), 200),  # from Grafana or a chat
        ("GET /small", ("Sec-Fetch-Site: same-site", *LINK), 200),
        (
            "GET /small",
            ("Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe"),
            403,
        ),
        ("GET /small", ("Sec-Fetch-Site: cross-site", *SUBRESOURCE), 403),
        ("GET /small", ("Sec-Fetch-Site: same-site", *SUBRESOURCE), 403),
        ("GET /small", (f"Origin: http://{EVIL}",), 403),
        ("GET /small", ("Origin: http://localhost",), 200),
    ],
)
def test_what_other_sites_have_a_browser_send(
    site: Served, line: str, headers: tuple[str, ...], status: int
) -> None:
    [reply] = exchange(site.port, request(line, *headers))
    assert reply.status == status


CATALOG = """
project: test
exporter: {{containers: off, reload: {reload}}}
services: {{web: {{probes: [{{name: p, tcp: "127.0.0.1:9"}}]}}}}
"""


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDaemon]:
    with running_daemon(tmp_path_factory.mktemp("sites"), CATALOG.format(reload="true")) as running:
        yield running


@pytest.mark.parametrize("path", ["/", "/metrics", "/api/v1/services", "/sd"])
def test_every_page_that_tells_something_is_held_to_it(daemon: RunningDaemon, path: str) -> None:
    assert daemon.http.get(path).status_code == 200
    assert daemon.http.get(path, headers={"host": EVIL}).status_code == 421
    assert daemon.http.get(path, headers={"origin": f"http://{EVIL}"}).status_code == 403


PROMETHEUS = (
    "User-Agent: Prometheus/3.14.0",
    "Accept: application/openmetrics-text;version=1.0.0;q=0.5,*/*;q=0.1",
    "Accept-Encoding: gzip",
    "X-Prometheus-Scrape-Timeout-Seconds: 10",
)
REFRESH = (
    "User-Agent: Prometheus/3.14.0",
    "X-Prometheus-Refresh-Interval-Seconds: 60",
    "Accept-Encoding: gzip",
)


@pytest.mark.parametrize(
    ("line", "headers", "status"),
    [
        ("GET /metrics", PROMETHEUS, 200),
        ("GET /sd", REFRESH, 200),
        ("GET /metrics", ("X-Prometheus-Scrape-Timeout-Seconds: 10",), 200),
        ("GET /metrics", (*PROMETHEUS[:2], "Accept-Encoding: identity", PROMETHEUS[3]), 200),
        # Scrapers do not need these paths.
        ("GET /", PROMETHEUS, 421),
        ("GET /api/v1/services", PROMETHEUS, 421),
        ("POST /-/reload", PROMETHEUS, 421),
        # A page on a rebound name can add this header, but cannot remove the headers that reveal its browser.
        ("GET /metrics", (*PROMETHEUS, "Accept-Language: en"), 421),
        ("GET /metrics", (*PROMETHEUS, "Accept-Language: "), 421),
        ("GET /metrics", (*PROMETHEUS, "Referer: http://evil.example/"), 421),
        ("GET /metrics", (*PROMETHEUS, "Cookie: a=b"), 421),
        ("GET /metrics", (*PROMETHEUS, "Origin: http://evil.example"), 421),
        ("GET /metrics", (*PROMETHEUS, "Sec-Fetch-Site: same-origin"), 421),
        ("GET /metrics", (*PROMETHEUS, "Sec-CH-UA: x"), 421),
        ("GET /metrics", (PROMETHEUS[3], "Accept-Encoding: gzip, Deflate"), 421),
        ("GET /metrics", (PROMETHEUS[3], "User-Agent: Mozilla/5.0 (X11)"), 421),
        ("GET /metrics", PROMETHEUS[:3], 421),
    ],
)
def test_prometheus_scrapes_by_any_name(
    daemon: RunningDaemon, line: str, headers: tuple[str, ...], status: int
) -> None:
    port = int(daemon.url.rpartition(":")[2])
    [reply] = exchange(port, request(line, *headers, host="exporter.prod.example.com"))
    assert reply.status == status


@contextlib.contextmanager
def page_of_another_site(html: str, asked: list[list[tuple[str, str]]] | None = None) -> Iterator[int]:
    """Serve one page and return its port. It is on this machine, because browsers block requests from outside pages
    to it.

    `asked` gets the headers of each request.
    """

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if asked is not None:
                asked.append(self.headers.items())
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(html.encode())

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_pages_of_other_sites_in_a_browser(daemon: RunningDaemon) -> None:
    """Check a form sent across sites, a fetch, an image, and a name of the other site that resolves
    to this machine."""
    from playwright.sync_api import expect, sync_playwright

    chromium = require("chromium")
    port = daemon.url.rpartition(":")[2]
    reloaded = daemon.value("exporter_config_last_reload_success_timestamp_seconds")
    attack = f"""<!doctype html><form id=f method=post action="{daemon.url}/-/reload"></form>
        <iframe src="{daemon.url}/"></iframe><img src="{daemon.url}/metrics">"""
    with sync_playwright() as playwright, page_of_another_site(attack) as other:
        rules = "--host-resolver-rules=MAP *.example 127.0.0.1"
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", rules])
        tab = browser.new_page()
        tab.goto(f"http://attacker.example:{other}/")
        fetched = tab.evaluate(
            f"fetch('{daemon.url}/api/v1/services').then(answer => answer.text()).catch(() => 'refused')"
        )
        assert fetched == "refused"
        tab.evaluate(f"fetch('{daemon.url}/-/reload', {{method: 'POST', mode: 'no-cors'}}).catch(() => 0)")
        with tab.expect_navigation():
            tab.evaluate("document.getElementById('f').submit()")
        assert "does not accept requests from pages of other sites" in tab.content()

        tab.goto(f"http://{EVIL}:{port}/")
        assert "does not accept the host name" in tab.content()
        read = "fetch('/api/v1/services').then(answer => answer.text()).catch(() => 'refused')"
        assert tab.evaluate(read) == "refused"  # by the response headers of the page, before any request
        tab.goto(f"{daemon.url}/")
        expect(tab.locator("h1")).to_contain_text("of 1")
        assert "services" in tab.evaluate(read)
        browser.close()
    assert daemon.value("exporter_config_last_reload_success_timestamp_seconds") == reloaded
    assert daemon.value("exporter_web_refused_total", 'reason="origin"') >= 3
    assert daemon.value("exporter_web_refused_total", 'reason="host"') >= 2


def test_a_browser_cannot_pass_for_prometheus(daemon: RunningDaemon) -> None:
    """Send the requests of Prometheus from a page of a rebound name, as far as a browser allows it."""
    from playwright.sync_api import sync_playwright

    chromium = require("chromium")
    clothes = {"User-Agent": "Prometheus/3", "Accept-Language": "", "Accept-Encoding": "gzip"}
    clothes["X-Prometheus-Scrape-Timeout-Seconds"] = "10"
    how = {"headers": clothes, "referrerPolicy": "no-referrer", "credentials": "omit"}
    asked: list[list[tuple[str, str]]] = []
    with sync_playwright() as playwright, page_of_another_site("<p>", asked) as other:
        rules = "--host-resolver-rules=MAP *.example 127.0.0.1"
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", rules])
        tab = browser.new_page()
        tab.goto(f"http://{EVIL}:{other}/")
        tab.evaluate("how => fetch('/metrics', how).then(answer => answer.text())", how)
        browser.close()
    # The browser also requests an icon, before or after.
    sent = next(head for head in asked if any(name.lower().startswith("x-prometheus") for name, _ in head))
    headers = [f"{name}: {value}" for name, value in sent if name.lower() not in ("host", "connection")]
    assert "X-Prometheus-Scrape-Timeout-Seconds: 10" in headers
    port = int(daemon.url.rpartition(":")[2])
    assert get(port, "/metrics", *headers, host=EVIL).status == 421


def test_reload_over_http_can_be_switched_off(tmp_path: Path) -> None:
    with running_daemon(tmp_path, CATALOG.format(reload="false")) as daemon:
        answer = daemon.http.post("/-/reload")
        assert (answer.status_code, "send SIGHUP" in answer.text) == (403, True)
        daemon.catalog.write_text(CATALOG.format(reload="true"))
        daemon.process.send_signal(1)
        until(lambda: daemon.http.post("/-/reload").status_code == 200, "SIGHUP to have switched it on")
