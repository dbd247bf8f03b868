"""Results of DNS probes: of a server's answers, and of a server that does not answer."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from exporter.catalog.planning.specs import Condition, DnsSpec
from exporter.probes.base import Reason
from exporter.probes.compile import Shared, compile_probe
from exporter.probes.dns import probe as dns_probe
from exporter.probes.net import resolve
from tests.probes.dns.servers import DnsServer, Reply, drips, framed, hangs_up, nothing, records
from tests.probes.net.name_server import NameServer

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tests.probes.prober import Prober

DEADLINE = 0.4
NAME = "www.example.test"
A = records(f"{NAME}. 300 IN A 192.0.2.1")
TWO = records(f"{NAME}. 300 IN CNAME x.test.", "x.test. 300 IN A 192.0.2.1", "x.test. 300 IN A 192.0.2.2")
MX = records(f"{NAME}. 300 IN MX 10 mx.test.")
SOA = records(f"{NAME}. 300 IN SOA ns.test. admin.test. 2024010203 1 2 3 4")
TXT = records(f'{NAME}. 300 IN TXT "v=spf1 -all"')
ANSWERED: dict[str, float | str] = {"query_succeeded": 1, "ip_protocol": 4, "ip_addr": "127.0.0.1"}


def garbage(_query: bytes, _transport: str) -> Iterable[bytes]:
    yield b"\0\1"
    yield b"HTTP/1.1 400 Bad Request\r\n\r\n"


def malformed(query: bytes, transport: str) -> Iterable[bytes]:
    """Return a header that promises an answer, and a name that points beyond the end."""
    yield framed(query[:2] + struct.pack("!HHHHH", 0x8180, 1, 1, 0, 0) + query[12:] + b"\xff\xff", transport)


def other_id(query: bytes, transport: str) -> Iterable[bytes]:
    for reply in A(query, transport):
        at = 0 if transport == "udp" else 2
        yield reply[:at] + bytes((reply[at] ^ 0xFF, reply[at + 1])) + reply[at + 2 :]


def other_question(query: bytes, transport: str) -> Iterable[bytes]:
    for reply in A(query, transport):
        yield reply.replace(b"example", b"exbmple")


def forged_first(query: bytes, transport: str) -> Iterable[bytes]:
    for reply in (other_id, other_question, A):
        yield from reply(query, transport)


def in_capitals(query: bytes, transport: str) -> Iterable[bytes]:
    for reply in A(query, transport):
        yield reply.replace(b"example", b"EXAMPLE")


@dataclass
class Row:
    """A server's behaviour, the question, and the expected result."""

    reply: Reply
    reason: Reason = Reason.OK
    detail: str = ""
    spec: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, float | str] = field(default_factory=dict)


def match(*patterns: str, present: bool = True) -> dict[str, Any]:
    return {"answers": tuple(Condition(pattern, present) for pattern in patterns)}


ANSWERS = {
    "one record": Row(A, facts={**ANSWERED, "answer_rrs": 1, "authority_rrs": 0, "additional_rrs": 0}),
    "by TCP": Row(A, spec={"transport": "tcp"}, facts={**ANSWERED, "answer_rrs": 1}),
    "each record counts": Row(TWO, facts={"answer_rrs": 3}),
    "authority": Row(
        records(f"{NAME}. 9 IN A 192.0.2.1", authority=("test. 9 IN NS ns.test.",)),
        facts={"authority_rrs": 1},
    ),
    "serial": Row(SOA, spec={"type": "SOA"}, facts={"serial": 2024010203}),
    "MX": Row(MX, spec={"type": "MX", **match(r"^10 mx\.test\.$")}),
    "TXT": Row(TXT, spec={"type": "TXT", **match("v=spf1")}),
    "whole record, as blackbox_exporter writes it": Row(A, spec=match(r"test\.\t300\tIN\tA\t192\.0\.2\.1$")),
    "each expression some record": Row(TWO, spec=match(r"^192\.0\.2\.1$", r"\.2$")),
    "enough records": Row(TWO, spec={"min_answers": 2}),
    "too few of the type": Row(TWO, Reason.ANSWER, "2 A records, expected at least 3", {"min_answers": 3}),
    "no record": Row(records(), Reason.ANSWER, "0 A records, expected at least 1", facts={"answer_rrs": 0}),
    "none needed": Row(records(), spec={"min_answers": 0}),
    "another address": Row(A, Reason.ANSWER, r"no record matches '\^10'", match("^10")),
    "a bad address": Row(A, Reason.ANSWER, r"a record matches '192'", match("192", present=False)),
    "NXDOMAIN": Row(
        records(rcode=3), Reason.ANSWER, "NXDOMAIN, expected NOERROR", facts={"query_succeeded": 1}
    ),
    "NXDOMAIN wanted": Row(records(rcode=3), spec={"rcodes": ("NXDOMAIN",), "min_answers": 0}),
    "SERVFAIL": Row(
        records(rcode=2),
        Reason.ANSWER,
        "SERVFAIL, expected NOERROR or NXDOMAIN",
        {"rcodes": ("NOERROR", "NXDOMAIN")},
    ),
    "name in capitals": Row(in_capitals),
    "truncated, whole by TCP": Row(
        records(f"{NAME}. 9 IN A 192.0.2.1", truncated=True), facts={**ANSWERED, "answer_rrs": 1}
    ),
    "forged packets first": Row(forged_first),
    "never answers": Row(nothing, Reason.TIMEOUT, "waiting for the answer", facts={"query_succeeded": 0}),
    "never answers by TCP": Row(nothing, Reason.TIMEOUT, "waiting for the answer", {"transport": "tcp"}),
    "garbage": Row(garbage, Reason.TIMEOUT, "packets received do not match the question"),
    "garbage by TCP": Row(garbage, Reason.PROTOCOL, "not an answer to the question", {"transport": "tcp"}),
    "another identifier": Row(other_id, Reason.TIMEOUT, "2 packets received do not match"),
    "another identifier by TCP": Row(other_id, Reason.PROTOCOL, "not an answer", {"transport": "tcp"}),
    "another question": Row(other_question, Reason.TIMEOUT, "do not match"),
    "malformed": Row(malformed, Reason.PROTOCOL, "malformed", facts={"query_succeeded": 0}),
    "malformed by TCP": Row(malformed, Reason.PROTOCOL, "malformed", {"transport": "tcp"}),
    "one byte at a time": Row(drips(A, 0.2), Reason.TIMEOUT, "waiting for the answer", {"transport": "tcp"}),
    "TCP closes": Row(hangs_up(b""), Reason.DISCONNECT, "closed before any answer", {"transport": "tcp"}),
    "TCP closes within": Row(
        hangs_up(b"\0\x20abc"), Reason.DISCONNECT, "in the middle of the answer", {"transport": "tcp"}
    ),
}


@pytest.mark.parametrize("row", ANSWERS.values(), ids=ANSWERS)
def test_answers(prober: Prober, row: Row) -> None:
    with DnsServer(row.reply) as server:
        spec = DnsSpec(NAME, server=server.address, **row.spec)
        result = prober.run(spec, DEADLINE if row.reason is Reason.TIMEOUT else 5)
    assert result.reason is row.reason, result
    assert re.search(row.detail, result.detail), result.detail
    assert set(result.phases) == {"connect", "request"}
    assert row.facts.items() <= result.facts.items()


@pytest.mark.parametrize(("server", "shown"), [("127.0.0.1:{}", "127.0.0.1:{}"), ("[::1]:{}", "[::1]:{}")])
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_refused_port(prober: Prober, server: str, shown: str, transport: Any) -> None:
    with DnsServer(nothing, server.partition("]")[0].strip("[") if "[" in server else "127.0.0.1") as gone:
        port = gone.port
    result = prober.run(DnsSpec(NAME, server=server.format(port), transport=transport))
    assert result.reason is Reason.CONNECT, result
    assert result.detail.endswith(f"{shown.format(port)}: Connection refused")


def test_a_lost_packet_is_sent_again(prober: Prober) -> None:
    seen: list[bytes] = []

    def second_time(query: bytes, transport: str) -> Iterable[bytes]:
        seen.append(query)
        return A(query, transport) if len(seen) > 1 else ()

    with DnsServer(second_time) as server:
        result = prober.run(DnsSpec(NAME, server=server.address), 1.5)
    assert result.success, result
    assert seen[0] == seen[1]


def test_identifier_and_source_port_are_random(prober: Prober) -> None:
    with DnsServer(A) as server:
        for _ in range(8):
            assert prober.run(DnsSpec(NAME, server=server.address)).success
    assert len({query[:2] for _, query, _ in server.queries}) > 4
    assert len({client for _, _, client in server.queries}) > 4


def test_what_is_asked(prober: Prober) -> None:
    with DnsServer(A) as server:
        prober.run(DnsSpec(NAME, server=server.address))
        prober.run(DnsSpec(NAME, server=server.address, recursion=False))
    first, second = (query for _, query, _ in server.queries)
    question = b"\3www\7example\4test\0\0\1\0\1"
    assert first[2:] == b"\1\0\0\1\0\0\0\0\0\0" + question
    assert second[2:] == b"\0\0\0\1\0\0\0\0\0\0" + question


def test_server_by_name_whose_ipv6_is_silent(prober: Prober, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        DnsServer(A) as server,
        DnsServer(nothing, "::1", server.port),
        NameServer({"ns.test": ("::1", "127.0.0.1"), "six.test": ("::1",)}) as names,
    ):
        monkeypatch.setattr(resolve, "NAMESERVERS", [names.address])
        monkeypatch.setattr(dns_probe, "PATIENCE", 0.1)
        result = prober.run(DnsSpec(NAME, server=f"ns.test:{server.port}"))
        assert result.success, result
        assert set(result.phases) == {"resolve", "connect", "request"}
        assert result.facts["ip_protocol"] == 4
        only = prober.run(DnsSpec(NAME, server=f"six.test:{server.port}", ip_protocol="ip4"))
        assert only.reason is Reason.RESOLVE
        none = prober.run(DnsSpec(NAME, server="none.test"))
        assert none.reason is Reason.RESOLVE


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_system_servers_in_turn(
    prober: Prober, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, transport: Any
) -> None:
    """Use a first server that is silent on UDP and TCP; the next one answers."""
    conf = tmp_path / "resolv.conf"
    with DnsServer(nothing) as dead, DnsServer(A, "127.0.0.2", dead.port):
        monkeypatch.setattr(dns_probe, "PATIENCE", 0.1)
        monkeypatch.setattr(dns_probe, "RESOLV_CONF", str(conf))
        monkeypatch.setattr(dns_probe, "PORT", dead.port)
        conf.write_text("# ours\nsearch test\nnameserver 127.0.0.1\nnameserver 127.0.0.2\n")
        result = prober.run(DnsSpec(NAME, transport=transport))
        assert result.success, result
        assert result.facts["ip_addr"] == "127.0.0.2"


def test_no_system_server(prober: Prober, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    conf = tmp_path / "resolv.conf"
    monkeypatch.setattr(dns_probe, "RESOLV_CONF", str(conf))
    missing = prober.run(DnsSpec(NAME))
    assert missing.reason is Reason.RESOLVE
    assert "cannot be read" in missing.detail
    conf.write_text("search test\n")
    assert "names no server" in prober.run(DnsSpec(NAME)).detail


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("ns.test", ("ns.test", 53)),
        ("ns.test:5353", ("ns.test", 5353)),
        ("192.0.2.1", ("192.0.2.1", 53)),
        ("2001:db8::1", ("2001:db8::1", 53)),
        ("[2001:db8::1]", ("2001:db8::1", 53)),
        ("[2001:db8::1]:5353", ("2001:db8::1", 5353)),
    ],
)
def test_server_addresses(text: str, server: tuple[str, int]) -> None:
    assert dns_probe.parse_server(text) == server


@pytest.mark.parametrize(
    "fields",
    [
        {"server": "h:x"},
        {"server": "h:0"},
        {"server": ":53"},
        {"server": "[::1"},
        {"server": "[::1]53"},
        {"type": "NONSENSE"},
        {"name": "a..b"},
        {"name": "x" * 64 + ".test"},
    ],
)
def test_what_cannot_be_asked_is_said_at_load(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"is not a DNS server|cannot query"):
        compile_probe(DnsSpec(**{"name": NAME, **fields}), Shared())
