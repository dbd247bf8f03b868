"""Names, address families, and connections if one of the families is dead. HTTP represents all protocols here."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from exporter.catalog.planning.specs import HttpSpec, IpProtocol
from exporter.probes.base import ProbeResult, Reason
from exporter.probes.compile import compile_probe
from exporter.probes.net import connect, resolve
from exporter.probes.net.connect import ATTEMPT_DELAY
from exporter.probes.net.resolve import close_resolver
from tests.probes.net.name_server import NameServer
from tests.probes.servers import Server, answer, answers, black_hole

if TYPE_CHECKING:
    from tests.probes.prober import Prober

FINE = answers(lambda _: answer(b"fine"))
V4, V6 = "127.0.0.1", "::1"
TIMER_SECONDS = 0.002
"""The time by which a timer may fire early: uvloop counts whole milliseconds, and only between callbacks."""


def test_name(prober: Prober, name_server: NameServer) -> None:
    name_server.names["web.test"] = (V4,)
    with Server(FINE) as server:
        result = prober.run(HttpSpec(server.url(host="web.test")))
    assert result.success, result.detail
    assert set(result.phases) == {"resolve", "connect", "processing", "transfer"}
    assert result.facts["ip_addr"] == V4
    assert result.facts["ip_protocol"] == 4
    assert server.requests[0].header("host") == f"web.test:{server.port}"


def test_address_is_not_resolved(prober: Prober) -> None:
    with Server(FINE, host=V6) as server:
        result = prober.run(HttpSpec(server.url()))
    assert result.success, result.detail
    assert set(result.phases) == {"connect", "processing", "transfer"}
    assert result.facts["ip_addr"] == V6
    assert result.facts["ip_protocol"] == 6
    assert server.requests[0].header("host") == f"[::1]:{server.port}"


def test_international_name(prober: Prober, name_server: NameServer) -> None:
    name_server.names["xn--bcher-kva.test"] = (V4,)
    with Server(FINE) as server:
        result = prober.run(HttpSpec(server.url(host="b\u00fccher.test")))
    assert result.success, result.detail
    assert server.requests[0].header("host") == f"xn--bcher-kva.test:{server.port}"


@pytest.mark.usefixtures("name_server")
def test_name_that_does_not_exist(prober: Prober) -> None:
    result = prober.run(HttpSpec("http://no-such-host.test/"))
    assert result.reason is Reason.RESOLVE
    assert result.detail == "cannot resolve no-such-host.test: Domain name not found"
    assert set(result.phases) == {"resolve"}


def test_name_server_that_is_silent(prober: Prober, monkeypatch: pytest.MonkeyPatch) -> None:
    with NameServer({}, silent=True) as server:
        monkeypatch.setattr(resolve, "NAMESERVERS", [server.address])
        result = prober.run(HttpSpec("http://web.test/"), 0.4)
        assert server.questions
    assert result.reason is Reason.TIMEOUT
    assert result.detail == "timed out after 0.4 s resolving the name (web.test)"
    assert set(result.phases) == {"resolve"}


def test_no_name_server(prober: Prober, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolve, "NAMESERVERS", ["127.0.0.1:1"])
    result = prober.run(HttpSpec("http://web.test/"))
    assert result.reason is Reason.RESOLVE
    assert "Could not contact DNS servers" in result.detail


def test_name_that_moved(prober: Prober, name_server: NameServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Check a re-created container with a new address, while the old DNS answer is valid for ten more minutes."""
    monkeypatch.setattr(resolve, "RESOLVER_SECONDS", 0.05)
    name_server.names["web.test"] = (V4,)

    async def move(url: str) -> ProbeResult:
        probe = compile_probe(HttpSpec(url), prober.shared)
        assert (await probe.run(time.monotonic() + 5)).facts["ip_addr"] == V4
        name_server.names["web.test"] = (V6,)
        await asyncio.sleep(resolve.RESOLVER_SECONDS)
        assert (await probe.run(time.monotonic() + 5)).facts["ip_addr"] == V6
        del name_server.names["web.test"]
        await asyncio.sleep(resolve.RESOLVER_SECONDS)
        result = await probe.run(time.monotonic() + 5)
        await close_resolver()
        return result

    with Server(FINE) as server, Server(FINE, host=V6, port=server.port):
        result = prober.wait(move(server.url(host="web.test")))
    assert result.reason is Reason.RESOLVE


def test_many_targets_of_one_name_ask_once(prober: Prober, name_server: NameServer) -> None:
    name_server.names["web.test"] = (V4,)

    async def together(url: str) -> ProbeResult:
        probe = compile_probe(HttpSpec(url, ip_protocol="ip4"), prober.shared)
        first = await probe.run(time.monotonic() + 5)
        results = await asyncio.gather(*(probe.run(time.monotonic() + 5) for _ in range(50)))
        assert all(result.success for result in results)
        await close_resolver()
        return first

    with Server(FINE) as server:
        prober.wait(together(server.url(host="web.test")))
    assert len(name_server.questions) < 10


@pytest.mark.parametrize(
    ("ip_protocol", "address"),
    [("any", V6), ("prefer_ip6", V6), ("prefer_ip4", V4), ("ip4", V4), ("ip6", V6)],
)
def test_family(ip_protocol: IpProtocol, address: str, prober: Prober, name_server: NameServer) -> None:
    """Check both families on one port."""
    name_server.names["web.test"] = (V4, V6)
    with Server(FINE) as four, Server(FINE, host=V6, port=four.port):
        result = prober.run(HttpSpec(four.url(host="web.test"), ip_protocol=ip_protocol))
    assert result.success, result.detail
    assert result.facts["ip_addr"] == address


@pytest.mark.parametrize(("ip_protocol", "missing", "found"), [("ip6", "IPv6", V4), ("ip4", "IPv4", V6)])
def test_family_that_is_missing(
    ip_protocol: IpProtocol, missing: str, found: str, prober: Prober, name_server: NameServer
) -> None:
    name_server.names["web.test"] = (found,)
    result = prober.run(HttpSpec("http://web.test/", ip_protocol=ip_protocol))
    assert result.reason is Reason.RESOLVE
    assert "web.test" in result.detail
    literal = f"[{found}]" if found == V6 else found
    result = prober.run(HttpSpec(f"http://{literal}/", ip_protocol=ip_protocol))
    assert result.reason is Reason.RESOLVE
    assert result.detail == f"{found} has no {missing} address"


@pytest.mark.parametrize("ip_protocol", ["any", "prefer_ip6"])
def test_ipv6_is_a_black_hole_and_ipv4_alive(
    ip_protocol: IpProtocol, prober: Prober, name_server: NameServer
) -> None:
    name_server.names["web.test"] = (V6, V4)
    with Server(FINE) as server, black_hole(V6, server.port):
        result = prober.run(HttpSpec(server.url(host="web.test"), ip_protocol=ip_protocol))
    assert result.success, result.detail
    assert result.facts["ip_addr"] == V4
    assert ATTEMPT_DELAY - TIMER_SECONDS <= result.phases["connect"] < 2


@pytest.mark.parametrize("ip_protocol", ["any", "ip6"])
def test_only_ipv6_and_it_is_a_black_hole(
    ip_protocol: IpProtocol, prober: Prober, name_server: NameServer
) -> None:
    name_server.names["web.test"] = (V6,)
    with black_hole(V6) as port:
        result = prober.run(HttpSpec(f"http://web.test:{port}/", ip_protocol=ip_protocol), 0.4)
    assert result.reason is Reason.TIMEOUT
    assert result.detail == f"timed out after 0.4 s connecting (web.test port {port})"
    assert set(result.phases) == {"resolve", "connect"}


def test_ipv6_refuses_and_ipv4_is_alive(prober: Prober, name_server: NameServer) -> None:
    """Check that the next address is tried at once, because a refusal is an answer."""
    name_server.names["web.test"] = (V6, V4)
    with Server(FINE) as server:
        result = prober.run(HttpSpec(server.url(host="web.test")))
    assert result.success, result.detail
    assert result.facts["ip_addr"] == V4


def test_all_addresses_refuse(prober: Prober, name_server: NameServer) -> None:
    name_server.names["web.test"] = (V6, V4)
    result = prober.run(HttpSpec("http://web.test:1/"))
    assert result.reason is Reason.CONNECT
    assert result.detail == (
        "cannot connect to [::1]:1: Connection refused; cannot connect to 127.0.0.1:1: Connection refused"
    )


def test_first_address_hangs_and_the_rest_refuse(prober: Prober, name_server: NameServer) -> None:
    name_server.names["web.test"] = (V6, V4)
    with black_hole(V6) as port:
        result = prober.run(HttpSpec(f"http://web.test:{port}/"), 0.6)
    assert result.reason is Reason.TIMEOUT
    assert "connecting" in result.detail


def test_two_addresses_that_accept_at_once(
    prober: Prober, name_server: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Check that one of them is used and the other connection is closed: `prober` looks for sockets that are left."""
    monkeypatch.setattr(connect, "ATTEMPT_DELAY", 0)
    name_server.names["web.test"] = (V6, V4)
    with Server(FINE) as four, Server(FINE, host=V6, port=four.port) as six:
        asked: Counter[object] = Counter()
        for run in range(1, 21):
            result = prober.run(HttpSpec(four.url(host="web.test")))
            assert result.success, result.detail
            assert len(four.requests) + len(six.requests) == run
            asked[result.facts["ip_addr"]] += 1
            assert (len(four.requests), len(six.requests)) == (asked[V4], asked[V6])
        assert four.connections + six.connections > 20, "both must have accepted at least once"
