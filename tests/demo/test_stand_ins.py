"""Simulated services on real sockets: where they listen, what they answer and accept, and that all of them stop."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from exporter.catalog.planning.plan import Plan, ServicePlan, Target
from exporter.catalog.planning.specs import (
    BasicAuth,
    Condition,
    DnsSpec,
    HeaderCondition,
    HttpSpec,
    IcmpSpec,
    JsonCondition,
    TcpSpec,
    TlsSpec,
)
from exporter.catalog.values.secret_text import EnvironmentReference, SecretText
from exporter.demo.loading import StandInLoader
from exporter.demo.moods import behaviour, moods
from exporter.demo.stand_ins import MAX_CONNECTIONS, Demo, start_stand_ins
from exporter.probes.compile import Shared, compile_target
from exporter.probes.measure import clock as probe_clock
from tests.waiting import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from exporter.catalog.planning.specs import ProbeSpec

PAGE = HttpSpec(
    "http://localhost:5173/",
    body_conditions=(Condition('<div\\ id="root">'), Condition("Traceback", present=False)),
    header_conditions=(HeaderCondition("Content-Type", "text/html"),),
)


class Time:
    """A clock that moves only when told, and the recorded sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now

    async def sleep(self, duration: float) -> None:
        self.slept.append(duration)


def target(name: str, spec: ProbeSpec, probe: str = "health", timeout: float = 10.0) -> Target:
    return Target(name, probe, "as written", 30.0, timeout, spec)


def health(port: int, path: str = "/health") -> HttpSpec:
    return HttpSpec(f"http://localhost:{port}{path}")


def plan(*parts: tuple[ServicePlan, tuple[Target, ...]]) -> Plan:
    services = tuple(service for service, _ in parts)
    targets = tuple(target for _, targets in parts for target in targets)
    return Plan("pageforge", "development", "127.0.0.1", 9877, services, targets)


def http_services(*names: str) -> Plan:
    return plan(*((ServicePlan(name, "service"), (target(name, health(free_port())),)) for name in names))


def one(spec: ProbeSpec, name: str = "a") -> Plan:
    return plan((ServicePlan(name, "service"), (target(name, spec),)))


@asynccontextmanager
async def playing(of: Plan, time: Time | None = None) -> AsyncIterator[Demo]:
    time = time or Time()
    demo = await start_stand_ins(of, time.clock, time.sleep)
    try:
        yield demo
    finally:
        await demo.stop()


async def ask(demo: Demo, path: str = "/health", service: int = 0, method: str = "GET") -> httpx.Response:
    spec = demo.plan.targets[service].spec
    assert isinstance(spec, HttpSpec)
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.request(method, httpx.URL(spec.url).join(path))


async def raw(demo: Demo, sent: bytes) -> bytes:
    """Return what the peer answers to these bytes until it closes."""
    spec = demo.plan.targets[0].spec
    assert isinstance(spec, HttpSpec)
    url = httpx.URL(spec.url)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(sent)
    try:
        return await asyncio.wait_for(reader.read(), 5)
    finally:
        writer.close()


def addresses(demo: Demo) -> set[tuple[str, int]]:
    return {
        (each.spec.host, each.spec.port)
        if isinstance(each.spec, TcpSpec)
        else (httpx.URL(each.target).host, httpx.URL(each.target).port or 80)
        for each in demo.plan.targets
    }


def test_stand_ins_listen_where_the_catalog_says_and_say_what_they_are() -> None:
    asyncio.run(_ports_of_the_catalog())


async def _ports_of_the_catalog() -> None:
    http, store = free_port(), free_port()
    given = plan(
        (ServicePlan("gateway", "service", "Entry point"), (target("gateway", health(http)),)),
        (ServicePlan("postgres", "store"), (target("postgres", TcpSpec("localhost", store), "port"),)),
    )
    async with playing(given) as demo:
        assert [each.target for each in demo.plan.targets] == [
            f"http://127.0.0.1:{http}/health",
            f"127.0.0.1:{store}",
        ]
        assert [each.description for each in demo.plan.services] == ["Simulated: Entry point", "Simulated"]
        notes = "\n".join(demo.notes)
        assert "all services are simulated on loopback" in notes
        assert "the real services of pageforge are not probed" in notes
        assert f"gateway: http://127.0.0.1:{http} simulates it." in notes
        assert (
            f"postgres: 127.0.0.1:{store} accepts connections and sends nothing; it is not a database."
            in notes
        )
        for each in demo.plan.targets:
            result = await compile_target(each, Shared()).run(probe_clock() + 5)
            assert result.success, result.detail


def test_a_port_that_is_taken_is_replaced_and_said() -> None:
    async def check(port: int) -> None:
        twice = plan(
            (ServicePlan("a", "service"), (target("a", health(port)),)),
            (ServicePlan("b", "store"), (target("b", TcpSpec("localhost", port)),)),
        )
        async with playing(twice) as demo:
            ports = [each for _, each in addresses(demo)]
            assert port not in ports
            assert len(set(ports)) == 2
            assert sum(f"port {port} is not available" in note for note in demo.notes) == 2
            assert (await ask(demo)).text == "ok\n"

    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        asyncio.run(check(taken.getsockname()[1]))


@pytest.mark.parametrize(
    "spec",
    [
        PAGE,
        HttpSpec("http://localhost:8000/a%20b?full=1&x=y", statuses=((204, 204), (301, 302))),
        HttpSpec("http://localhost:8000/", method="HEAD", statuses=((200, 204),)),
        HttpSpec("http://localhost:8000/", method="POST", body="x" * 1000),
        HttpSpec("http://localhost:8000/", statuses=((401, 403),)),
        HttpSpec("http://localhost:8000/", statuses=((302, 302),), follow_redirects=False),
        HttpSpec("http://localhost:8000/", compression="gzip", body_conditions=(Condition("^all well$"),)),
        HttpSpec("http://localhost:8000/", compression="deflate"),
        HttpSpec(
            "http://localhost:8000/", header_conditions=(HeaderCondition("content-type", "^text/(html|xml)"),)
        ),
        HttpSpec(
            "http://localhost:8000/", header_conditions=(HeaderCondition("X-Powered-By", "", present=False),)
        ),
        HttpSpec("http://localhost:8000/", ip_protocol="ip6", proxy="http://proxy.example.com:3128"),
        HttpSpec(
            "http://localhost:8000/",
            json_conditions=(
                JsonCondition("$.status", equals='"ok"'),
                JsonCondition("$.version", pattern="^1\\.2"),
                JsonCondition("$.ready"),
                JsonCondition("$.error", present=False),
            ),
        ),
    ],
)
def test_the_probes_own_conditions_hold(spec: HttpSpec) -> None:
    async def check() -> None:
        async with playing(one(spec)) as demo:
            assert not [note for note in demo.notes if "will fail" in note]
            result = await compile_target(demo.plan.targets[0], Shared()).run(probe_clock() + 5)
            assert result.success, result.detail

    asyncio.run(check())


@pytest.mark.parametrize(
    "spec",
    [
        HttpSpec("http://localhost:8000/", body_conditions=(Condition("[0-9]{4} (users|guests)"),)),
        HttpSpec("http://localhost:8000/", header_conditions=(HeaderCondition("ETag", "^[a-f]+$"),)),
        HttpSpec("http://localhost:8000/", json_conditions=(JsonCondition("$.checks[?@.name=='db'].ok"),)),
        HttpSpec("http://localhost:8000/", versions=("2",)),
    ],
)
def test_conditions_that_a_stand_in_cannot_meet_are_said(spec: HttpSpec) -> None:
    async def check() -> None:
        async with playing(one(spec)) as demo:
            (said,) = [note for note in demo.notes if "a: probe health will fail" in note]
            result = await compile_target(demo.plan.targets[0], Shared()).run(probe_clock() + 5)
            assert result.detail in said

    asyncio.run(check())


def test_two_probes_that_want_different_things_of_one_path_are_said() -> None:
    port = free_port()
    specs = [
        HttpSpec(f"http://localhost:{port}/", body_conditions=(Condition(word),)) for word in ("one", "two")
    ]
    given = plan(
        (ServicePlan("a", "service"), tuple(target("a", spec, f"p{n}") for n, spec in enumerate(specs)))
    )

    async def check() -> None:
        async with playing(given) as demo:
            assert len(addresses(demo)) == 1
            assert [note for note in demo.notes if "will fail" in note] == [
                "a: probe p1 will fail, because the service is simulated: body does not match 'two'."
            ]

    asyncio.run(check())


def test_secrets_are_neither_read_nor_sent() -> None:
    secret = SecretText((EnvironmentReference("NO_SUCH_VARIABLE_IN_ANY_TEST"),))
    spec = HttpSpec(
        f"http://localhost:{free_port()}/",
        method="POST",
        headers=(("X-Key", secret), ("X-Plain", "yes")),
        body=secret,
        basic_auth=BasicAuth("user", secret),
        bearer_token=secret,
        proxy=secret,
    )

    async def check() -> None:
        async with playing(one(spec)) as demo:
            assert "SecretText" not in repr(demo.plan)
            assert "X-Plain" in repr(demo.plan)
            result = await compile_target(demo.plan.targets[0], Shared()).run(probe_clock() + 5)
            assert result.success, result.detail

    asyncio.run(check())


def test_what_cannot_be_played_is_left_out_and_said() -> None:
    port = free_port()
    given = plan(
        (
            ServicePlan("login", "service", deployed=False),
            (target("login", HttpSpec("https://login.example.com/")),),
        ),
        (
            ServicePlan("a", "service"),
            (
                target("a", health(port)),
                target("a", HttpSpec("https://localhost/"), "https"),
                target("a", TcpSpec("localhost", 465, tls=TlsSpec()), "smtps"),
                target("a", TcpSpec("localhost", 25, starttls="smtp"), "smtp"),
                target("a", IcmpSpec("localhost"), "ping"),
            ),
        ),
        (ServicePlan("names", "service"), (target("names", DnsSpec("example.com")),)),
        (ServicePlan("files", "store"), ()),
    )

    async def check() -> None:
        async with playing(given) as demo:
            assert [each.name for each in demo.plan.services] == ["a", "files"]
            assert [each.description for each in demo.plan.services] == ["Simulated", ""]
            assert [each.key for each in demo.plan.targets] == [("a", "health")]
            assert "login is left out: the catalog watches it but does not deploy it." in demo.notes
            assert "a: probe https is left out: the demo does not support TLS." in demo.notes
            assert "a: probe smtp is left out: the demo does not support TLS." in demo.notes
            assert "a: probe ping is left out: the demo does not support icmp probes." in demo.notes
            assert "names is left out: none of its probes can be answered." in demo.notes

    asyncio.run(check())


def test_metrics_count_what_was_served() -> None:
    async def check() -> None:
        time = Time()
        async with playing(http_services("a"), time) as demo:
            time.now += 30
            answers = [await ask(demo), await ask(demo, "/nowhere")]
            time.now += 60
            answers.append(await ask(demo, "/health?deep=1"))
            assert [answer.status_code for answer in answers] == [503, 404, 200]
            assert {answer.headers["server"] for answer in answers} == {"exporter-stand-in"}
            scrape = await ask(demo, "/metrics")
            assert scrape.headers["content-type"].startswith("text/plain; version=0.0.4")
            families = {family.name: family for family in text_string_to_metric_families(scrape.text)}
            requests = {
                sample.labels["status"]: sample.value
                for sample in families["http_requests"].samples
                if sample.name == "http_requests_total"
            }
            assert requests == {"200": 1, "404": 1, "503": 1}
            durations = families["http_request_duration_seconds"]
            assert durations.type == "histogram"
            assert [s.value for s in durations.samples if s.name.endswith("_count")] == [3]

    asyncio.run(check())


def test_metrics_stand_at_the_services_own_path() -> None:
    port = free_port()
    given = plan(
        (
            ServicePlan("a", "service", metrics_path="/internal/metrics"),
            (target("a", health(port)), target("a", health(port, "/internal/metrics"), "scrape")),
        )
    )

    async def check() -> None:
        async with playing(given) as demo:
            assert "http_requests_total" in (await ask(demo, "/internal/metrics")).text
            assert (await ask(demo, "/metrics")).status_code == 404

    asyncio.run(check())


def test_one_service_fails_and_one_is_slow_now_and_then() -> None:
    async def check() -> None:
        time = Time()
        names = ["gateway", "sys", "form", "layout", "frontend"]
        async with playing(http_services(*names), time) as demo:
            assert "form answers 503 for 60 s of every 240 s, first after 20 s: on purpose." in demo.notes
            assert (
                "layout takes 0.8 s or more to answer for 65 s of every 150 s, first after 10 s: on purpose."
                in demo.notes
            )
            seen: dict[str, list[int]] = {name: [] for name in names}
            slept: dict[str, list[float]] = {name: [] for name in names}
            for _ in range(48):
                for number, name in enumerate(names):
                    time.slept.clear()
                    seen[name].append((await ask(demo, service=number)).status_code)
                    slept[name] += time.slept
                time.now += 5
        failed = [number * 5 for number, status in enumerate(seen["form"]) if status == 503]
        assert failed == list(range(20, 80, 5))
        assert {status for name in names if name != "form" for status in seen[name]} == {200}
        slow = [number * 5 for number, seconds in enumerate(slept["layout"]) if seconds >= 0.8]
        assert slow == [*range(10, 75, 5), *range(160, 225, 5)]
        assert 1.9 < max(slept["layout"]) <= 2.0
        assert max(max(slept[name]) for name in names if name != "layout") < 0.05

    asyncio.run(check())


def test_moods_need_services_to_play_them() -> None:
    assert moods([]) == {}
    assert moods(["a"]) == {"a": "failing"}
    assert moods(["a", "b"]) == {"a": "slow", "b": "failing"}
    assert moods(["a", "b", "c"]) == {"a": "slow", "b": "steady", "c": "failing"}


def test_a_slow_answer_stays_within_the_probes_timeout() -> None:
    slow = behaviour("a", "slow", shortest_timeout=1.0)
    assert max(slow.delay(float(at)) for at in range(600)) <= 0.6
    assert behaviour("a", "steady", 0.001).delay(0) < 0.001


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"rubbish\r\n\r\n", 400),
        (b"GET / SPDY/3\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\ncontent-length: -1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\ncontent-length: " + b"9" * 5000 + b"\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\ncontent-length: 999999999\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 501),
        (b"GET / HTTP/1.1\r\nx: " + b"x" * 20_000 + b"\r\n\r\n", 431),
        (b"GET /\xff HTTP/1.1\r\n\r\n", 400),
        (b"GET /health HTTP/1.0\r\n\r\n", 200),
    ],
)
def test_bad_requests_are_refused(sent: bytes, status: int) -> None:
    async def check() -> None:
        async with playing(http_services("a")) as demo:
            assert (await raw(demo, sent)).startswith(f"HTTP/1.1 {status} ".encode())

    asyncio.run(check())


def test_a_peer_that_leaves_or_crowds_harms_nothing() -> None:
    async def check() -> None:
        async with playing(http_services("a")) as demo:
            ((host, port),) = addresses(demo)
            connections = [await asyncio.open_connection(host, port) for _ in range(MAX_CONNECTIONS)]
            await asyncio.sleep(0.1)
            reader, writer = await asyncio.open_connection(host, port)
            assert await asyncio.wait_for(reader.read(), 5) == b""
            writer.close()
            for _, each in connections:
                each.write(b"GET /hea")
                each.close()
            await asyncio.sleep(0.1)
            assert (await ask(demo)).status_code == 200

    asyncio.run(check())


def test_stop_closes_every_socket_also_those_in_use() -> None:
    async def check() -> None:
        given = plan(
            (ServicePlan("a", "service"), (target("a", health(free_port())),)),
            (ServicePlan("b", "store"), (target("b", TcpSpec("localhost", free_port())),)),
        )
        async with playing(given) as demo:
            open_now = [await asyncio.open_connection(*address) for address in sorted(addresses(demo))]
            await asyncio.sleep(0.05)
        for reader, writer in open_now:
            assert await asyncio.wait_for(reader.read(), 5) == b""
            writer.close()
        for host, port in addresses(demo):
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection(host, port)

    asyncio.run(asyncio.wait_for(check(), 10))


def test_a_reload_replaces_the_stand_ins(caplog: pytest.LogCaptureFixture) -> None:
    plans = [http_services("a"), http_services("a", "b")]
    loads = iter([plans[0], plans[0], plans[1]])

    async def load() -> Plan:
        return next(loads)

    async def check() -> None:
        loader = StandInLoader(load)
        first = await loader()
        assert (await loader()).targets == first.targets
        second = await loader()
        assert [each.service for each in second.targets] == ["a", "b"]
        async with httpx.AsyncClient(trust_env=False) as client:
            for each in second.targets:
                assert (await client.get(each.target)).status_code == 200
            with pytest.raises(httpx.ConnectError):
                await client.get(first.targets[0].target)
            await loader.stop()
            with pytest.raises(httpx.ConnectError):
                await client.get(second.targets[0].target)
        started = sum("all services are simulated" in message for message in caplog.messages)
        assert started == 2, "an unchanged plan must keep its simulated services"

    caplog.set_level("INFO")
    asyncio.run(check())
