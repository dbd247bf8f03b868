"""The page: its content and order, that it cannot run injected code, and that it updates itself."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import threading
import time
from contextlib import contextmanager
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route

from exporter.catalog.planning.plan import Plan, ServicePlan, Target
from exporter.catalog.planning.specs import HttpSpec
from exporter.daemon import page
from exporter.daemon.page import CONTENT_SECURITY_POLICY, render_page
from exporter.daemon.page_words import period, seconds, span
from exporter.daemon.state import snapshot as real_snapshot
from exporter.daemon.watch import Watch
from exporter.metrics.own import OwnMetrics
from exporter.metrics.series import Series
from exporter.probes.base import ProbeResult, Reason
from tests.components import require
from tests.daemon.snapshots import NOW, backup, container, docker, probe, service, snapshot, volume

if TYPE_CHECKING:
    from collections.abc import Iterator

VOID = {"meta", "link", "col", "br", "img", "input"}
HOSTILE = "\"><script>alert('x')</script><img src=x onerror=alert(1)> Ünïcödé 漢字 {{ 7 * 7 }} &amp;"


class Page(HTMLParser):
    """The parts of the HTML that tests need: rows in order, links, ids, and whether every element is closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.rows: dict[str, str] = {}
        self.hrefs: list[str] = []
        self.ids: list[str] = []
        self.attributes: set[str] = set()
        self._open: list[str] = []
        self._row = ""
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.tags.append(tag)
        self.attributes |= values.keys()
        self.ids += [values["id"] or ""] if "id" in values else []
        self.hrefs += [values["href"] or ""] if tag == "a" else []
        if tag == "tr":
            self._row = values.get("id") or ""
            self.rows.setdefault(self._row, "")
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag
        self._row = "" if tag == "tr" else self._row

    def handle_data(self, data: str) -> None:
        if self._row:
            self.rows[self._row] = " ".join(f"{self.rows[self._row]} {data}".split())

    @property
    def order(self) -> list[str]:
        return [row.removeprefix("service-") for row in self.rows if row]


def shown(*services: dict[str, Any], **values: Any) -> Page:
    return Page(render_page(snapshot(*services, **values)))


def test_the_daemons_own_snapshot_renders() -> None:
    target = Target("gateway", "health", "http://127.0.0.1:1/", 15.0, 5.0, HttpSpec("http://127.0.0.1:1/"))
    services = (ServicePlan("gateway", "service", "Entry", "platform", ("db",)), ServicePlan("db", "store"))
    plan = Plan("pageforge", "testing", "127.0.0.1", 9877, services, (target,))
    watch = Watch(target, _Never(), Series("gateway", "health", target.target, "http", ()), OwnMetrics())
    assert "No result yet" in render_page(real_snapshot(plan, [watch]))
    detail = "nobody listens at 127.0.0.1:1"
    watch.result = ProbeResult(False, Reason.CONNECT, 0.25, {"connect": 0.25}, {}, detail)
    watch.since = watch.finished_at = time.time()
    html = render_page(real_snapshot(plan, [watch]))
    assert detail in html
    assert "1 of 1 down" in html


class _Never:
    async def run(self, deadline: float) -> ProbeResult:
        raise NotImplementedError


def test_catalog_text_is_text() -> None:
    hostile = service(
        HOSTILE,
        probe(HOSTILE, "down", detail=HOSTILE, target=HOSTILE, phases={HOSTILE: 0.1}),
        probe("second"),
        description=HOSTILE,
        owner=HOSTILE,
        depends_on=[HOSTILE, "nowhere" + HOSTILE],
        runbook="javascript:alert(1)",
        containers=[container(HOSTILE, "exited", image=HOSTILE, project=HOSTILE, detail=HOSTILE)],
        backup=backup("failed", detail=HOSTILE),
    )
    surrounding = {
        "docker": docker(up=False, address=HOSTILE, error=HOSTILE),
        "strangers": [container(HOSTILE * 2)],
        "volumes": [volume(HOSTILE, 0.99, path=HOSTILE)],
    }
    given = snapshot(hostile, **surrounding) | {"project": HOSTILE, "environment": HOSTILE}
    html = render_page(given)
    found = Page(html)
    assert found.tags.count("script") == 1
    assert "img" not in found.tags
    assert not {name for name in found.attributes if name.startswith("on") or name == "style"}
    assert "49" not in html
    assert "漢字 {{ 7 * 7 }} &amp;amp;" in html
    assert not [href for href in found.hrefs if "javascript" in href.split("#")[0]]
    assert {href[1:] for href in found.hrefs if href.startswith("#")} <= set(found.ids)


@pytest.mark.parametrize("url", ["https://runbooks.example.com/a?b=1&c=2", "http://runbooks.example.com/"])
def test_a_runbook_on_the_web_is_a_link(url: str) -> None:
    assert url in shown(service("a", probe(), runbook=url)).hrefs


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "/x", "http://[", None]
)
def test_any_other_runbook_is_none(url: str | None) -> None:
    assert shown(service("a", probe(), runbook=url)).hrefs == ["metrics", "api/v1/services"]


def test_problems_come_first_and_their_likely_causes_before_them() -> None:
    found = shown(
        service("fine", probe()),
        service("unwatched"),
        service("victim", probe(state="down"), depends_on=["cause"]),
        service("new", probe(state="unknown")),
        service("beside", probe(), depends_on=["cause"]),
        service("cause", probe(state="down")),
        service("fine-too", probe()),
        service("store", probe(state="down"), kind="store"),
    )
    services = ["cause", "victim", "new", "beside", "fine", "fine-too", "unwatched"]
    assert found.order == [*services, "store"]
    assert "Depends on cause , which is down" in found.rows["service-beside"]
    assert "which is down" not in found.rows["service-fine"]


def test_several_probes_have_rows_of_their_own_the_failing_first() -> None:
    found = shown(service("a", probe("login"), probe("names", "down")))
    assert found.order == ["a", "a/names", "a/login"]
    assert "1 of 2 probes down" in found.rows["service-a"]
    assert "status 503" in found.rows["service-a/names"]


def test_a_state_is_a_word_and_a_shape() -> None:
    for state, word in (("up", "up"), ("down", "down"), ("unknown", "unknown")):
        html = render_page(snapshot(service("a", probe(state=state))))
        row = html[html.index('id="service-a"') :]
        assert re.search(rf'<use href="#icon-{state}"/></svg><b>{word}</b>', row)
    assert "not watched" in shown(service("a")).rows["service-a"]


@pytest.mark.parametrize(
    ("services", "headline"),
    [
        ([service("a", probe()), service("b", probe())], "All 2 up"),
        ([service("a", probe()), service("b", probe(state="down"))], "1 of 2 down"),
        ([service("a", probe()), service("b", probe(state="unknown"))], "1 of 2 unknown"),
        ([service("a")], "Nothing is watched"),
        ([], "Nothing is watched"),
    ],
)
def test_the_headline_and_the_title_give_the_verdict(services: list[dict[str, Any]], headline: str) -> None:
    html = render_page(snapshot(*services))
    assert f"<title>{headline} · pageforge testing</title>" in html
    assert f"<span>{headline}</span></h1>" in html


def test_figures_that_were_not_measured_are_absent() -> None:
    row = shown(service("a", probe(state="unknown"))).rows["service-a"]
    assert "No result yet" in row
    assert "ago" not in row
    assert "ms" not in row


def test_a_result_says_when_how_long_and_of_what() -> None:
    html = render_page(snapshot(service("a", probe(missed=1234))))
    row = Page(html).rows["service-a"]
    for words in ("12.3 ms", "mostly processing", "4 s ago", "3 of 123 failed", "1,234 runs missed"):
        assert words in row
    assert "for 3 min" in row
    assert "http, every 30 s, timeout 10 s" in row
    assert 'datetime="2027-01-15T07:56:40+00:00" title="since 2027-01-15 07:56:40 UTC">3 min</time>' in html
    assert 'aria-label="resolve 0.3 ms, connect 1 ms, processing 11 ms"' in html


def test_results_that_stopped_coming_do_not_pass_for_the_present() -> None:
    assert "No result for" not in shown(service("a", probe(last_run=NOW - 69))).rows["service-a"]
    late = shown(service("a", probe(last_run=NOW - 300))).rows["service-a"]
    assert "No result for 5 min, although one is due every 30 s" in late


def test_a_certificate_is_mentioned_when_it_ends_soon() -> None:
    def said(left: float) -> str:
        return shown(service("a", probe(facts={"certificate_expiry": NOW + left}))).rows["service-a"]

    assert "Certificate" not in said(40 * 86400)
    assert "Certificate expires in 9 d" in said(9 * 86400)
    assert "Certificate expired 2 h ago" in said(-7200)


@pytest.mark.parametrize(
    ("duration", "words"),
    [
        (-1, "0 s"),
        (0.9, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 h"),
        (7260, "2 h 1 min"),
        (86400, "1 d"),
        (90000, "1 d 1 h"),
        (86400 * 30 + 7200, "30 d"),
    ],
)
def test_how_long_ago(duration: float, words: str) -> None:
    assert span(duration) == words


def test_written_durations_stay_exact_and_latencies_keep_three_digits() -> None:
    assert [period(value) for value in (0.5, 15, 60, 90, 3600)] == [
        "0.5 s",
        "15 s",
        "1 min",
        "90 s",
        "60 min",
    ]
    assert [seconds(v) for v in (0.00012, 0.0123, 0.25, 1.6)] == ["0.12 ms", "12.3 ms", "250 ms", "1.60 s"]


def test_only_the_pages_own_style_and_script_may_run() -> None:
    html = render_page(snapshot(service("a", probe())))
    for tag in ("style", "script"):
        (text,) = re.findall(f"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in CONTENT_SECURITY_POLICY
    assert "default-src 'none'" in CONTENT_SECURITY_POLICY
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', html)


def test_three_hundred_services_with_containers_render_fast_and_once_each() -> None:
    services = [
        service(
            f"service-{n}",
            probe(),
            depends_on=[f"service-{n - 1}"] if n else [],
            containers=[container(f"service-{n}-1", health="healthy", memory_limit_bytes=2**30)],
        )
        for n in range(300)
    ]
    strangers = [container(f"stranger-{n}") for n in range(150)]
    began = time.process_time()
    found = shown(*services, docker=docker(), strangers=strangers)
    assert time.process_time() - began < 2
    assert len(found.order) == 300 + 300 + 100
    assert len(set(found.ids)) == len(found.ids)


def test_what_does_not_fit_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "MAX_ROWS", 6)
    services = [service(f"up-{n}", probe()) for n in range(5)]
    html = render_page(snapshot(*services, service("bad", probe("a", "down"), probe("b"))))
    assert Page(html).order == ["bad", "bad/a", "bad/b", "up-0"]
    assert "4 more" in html


HIDE, SHOW = (
    f"Object.defineProperty(document, 'hidden', {{ get: () => {hidden}, configurable: true }});"
    "document.dispatchEvent(new Event('visibilitychange'))"
    for hidden in ("true", "false")
)
"""The events of a browser whose tab goes to the background and comes back; headless browsers never send them."""


@contextmanager
def served(app: Starlette, port: int = 0) -> Iterator[int]:
    """Serve `app` on a loopback port until the block ends."""
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error", lifespan="off"))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()))
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = server.force_exit = True
        thread.join()


def test_in_a_browser_the_page_keeps_itself_current_and_says_when_it_cannot() -> None:
    from playwright.sync_api import ConsoleMessage, expect, sync_playwright

    chromium = require("chromium")
    fillers = [service(f"filler-{n}", probe()) for n in range(60)]
    first = [service("a", probe(), depends_on=["b"]), service("b", probe()), *fillers]
    shows: dict[str, Any] = {"services": first, "status": 200, "asked": 0}

    async def root(_: object) -> HTMLResponse:
        html = render_page(snapshot(*shows["services"]))
        # Use shorter intervals than for users, so that the test need not wait.
        html = html.replace('data-refresh-seconds="5"', 'data-refresh-seconds="0.2"')
        headers = {"content-security-policy": CONTENT_SECURITY_POLICY}
        shows["asked"] += 1
        return HTMLResponse(html, shows["status"], headers)

    app = Starlette(routes=[Route("/", root)])
    said: list[str] = []

    def note(message: ConsoleMessage) -> None:
        # The browser reports each failed fetch; any other error is a fault of the page.
        if "Failed to load resource" not in message.text:
            said.append(message.text)

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": 1100, "height": 600})
        tab.on("console", note)
        tab.on("pageerror", lambda error: said.append(str(error)))
        with served(app) as port:
            tab.goto(f"http://127.0.0.1:{port}/")
            tab.evaluate("window.loadedOnce = true")
            expect(tab.locator("h1")).to_have_text("All 62 up")
            assert tab.evaluate("getComputedStyle(document.querySelector('table')).tableLayout") == "fixed"

            tab.locator("#service-a a", has_text="b").focus()
            tab.evaluate("scrollTo(0, 900)")
            shows["services"] = [
                service("a", probe(), depends_on=["b"]),
                service("b", probe(state="down")),
                *fillers,
            ]
            expect(tab.locator("h1")).to_have_text("1 of 62 down")
            assert tab.title().startswith("1 of 62 down")
            assert tab.evaluate("scrollY") > 700
            assert tab.evaluate("document.activeElement.getAttribute('href')") == "#service-b"
            assert tab.evaluate("window.loadedOnce")
            assert tab.locator("#service-a").text_content() is not None
            expect(tab.locator("#banner")).to_be_hidden()

            shows["status"] = 500
            expect(tab.locator("#banner")).to_contain_text("The exporter has answered with status 500 since")
            shows["status"] = 200
            expect(tab.locator("#banner")).to_be_hidden()

            tab.evaluate("getSelection().selectAllChildren(document.querySelector('#service-b'))")
            expect(tab.locator("#banner")).to_contain_text("Paused while text is selected")
            tab.evaluate("getSelection().removeAllRanges()")
            expect(tab.locator("#banner")).to_be_hidden()

            tab.evaluate(HIDE)
            tab.wait_for_timeout(400)
            before = shows["asked"]
            tab.wait_for_timeout(600)
            assert shows["asked"] == before
            tab.evaluate(SHOW)
            tab.wait_for_timeout(400)
            assert shows["asked"] > before
        expect(tab.locator("#banner")).to_contain_text("The exporter has been unreachable since")
        expect(tab.locator("#banner")).to_contain_text("Showing data from 2027-01-15 08:00:00 UTC")
        with served(app, port):
            expect(tab.locator("#banner")).to_be_hidden()
            assert not tab.evaluate("document.body.classList.contains('stale')")
        browser.close()
    assert said == []


def test_in_a_browser_what_is_unfolded_stays_so_and_nothing_moves() -> None:
    from playwright.sync_api import expect, sync_playwright

    chromium = require("chromium")
    cores = 0.1

    async def root(_: object) -> HTMLResponse:
        nonlocal cores
        cores += 0.01
        limits: dict[str, Any] = {"cpu_limit_cores": 2.0, "memory_limit_bytes": 2**30}
        containers = [container("a-1", cpu_cores=cores, **limits)]
        strangers = [container(f"stranger-{n}", cpu_cores=cores) for n in range(12)]
        given = snapshot(service("a", probe(), containers=containers), docker=docker(), strangers=strangers)
        html = render_page(given).replace('data-refresh-seconds="5"', 'data-refresh-seconds="0.2"')
        return HTMLResponse(html, headers={"content-security-policy": CONTENT_SECURITY_POLICY})

    places = (
        "[...document.querySelectorAll('tr, .use')].map(each => "
        "{ const { x, y, width, height } = each.getBoundingClientRect(); return [x, y, width, height] })"
    )
    app = Starlette(routes=[Route("/", root)])
    with sync_playwright() as playwright, served(app) as port:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": 1100, "height": 600})
        tab.goto(f"http://127.0.0.1:{port}/")
        expect(tab.locator("#strangers table")).to_be_hidden()
        tab.locator("summary").focus()
        tab.keyboard.press("Enter")
        expect(tab.locator("#strangers table")).to_be_visible()
        before = tab.evaluate(places)
        tab.evaluate("document.querySelector('main').dataset.old = 'yes'")
        expect(tab.locator("main[data-old]")).to_have_count(0)
        expect(tab.locator("#strangers table")).to_be_visible()
        assert tab.evaluate("document.activeElement.tagName") == "SUMMARY"
        assert tab.evaluate(places) == before
        browser.close()


@pytest.mark.parametrize("width", [360, 1081, 1600])
def test_in_a_browser_nothing_overflows(width: int) -> None:
    from playwright.sync_api import sync_playwright

    chromium = require("chromium")
    long = "x" * 300
    limits: dict[str, Any] = {
        "cpu_limit_cores": 1023.5,
        "cpu_cores": 1020.25,
        "memory_limit_bytes": 2**49 - 2**39,
    }
    wide = container("wide", memory_bytes=2**49 - 2**40, **limits)
    html = render_page(
        snapshot(
            service("a" * 63, probe(state="down", detail=long, target=long), description=long, owner=long),
            service("b", *(probe(f"{n}" * 63) for n in range(12)), depends_on=["a" * 63]),
            service(
                "c",
                probe(state="unknown"),
                kind="store",
                deployed=False,
                backup=backup("failed", detail=long),
            ),
            service("d", containers=[container(long, "created", image=long, detail=long), container(), wide]),
            docker=docker(up=False, error=long),
            strangers=[container("s" + long, image=long, project=long)],
            volumes=[volume(long, 0.99, path=long, backup=backup("failed", detail=long))],
        )
    )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": width, "height": 800})
        tab.set_content(html)
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        browser.close()
