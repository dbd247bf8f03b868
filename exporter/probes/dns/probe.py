"""Probe of DNS: a server must answer a query with the expected records."""

from __future__ import annotations

import asyncio
import os
import secrets
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from exporter.catalog.values.hostnames import HostNameError, ascii_host
from exporter.patterns import Pattern
from exporter.probes.base import ProbeFailure, Reason
from exporter.probes.dns.wire import Datagram, ask_tcp, ask_udp
from exporter.probes.measure import MeasuredProbe, Run
from exporter.probes.net.connect import note_address
from exporter.probes.net.race import race
from exporter.probes.net.resolve import resolve

if TYPE_CHECKING:
    from exporter.catalog.planning.specs import DnsSpec
    from exporter.probes.compile import Shared
    from exporter.probes.net.resolve import Address

RESOLV_CONF = "/etc/resolv.conf"
PORT = 53
PATIENCE = 1.0
"""Seconds without an answer before the next address or system server is queried as well. Recursion can take a server
hundreds of milliseconds, so this is longer than for a connection."""

AT_ONCE_BYTES = 1500
"""Size of an answer that is parsed without a thread. 64 KiB of compressed names take a second of CPU."""

Server = tuple[str, int]


class DnsProbe(MeasuredProbe):
    """One DNS query.

    Raises:
        ValueError: the query cannot be sent; one sentence.
    """

    __slots__ = ("_answers", "_question", "_rcodes", "_server", "_spec", "_type")

    def __init__(self, spec: DnsSpec, shared: Shared) -> None:  # noqa: ARG002 - every protocol has this signature
        self._spec = spec
        self._server = None if spec.server is None else parse_server(spec.server)
        self._answers = tuple((Pattern(c.pattern), c.present) for c in spec.answers)
        try:
            self._type = dns.rdatatype.from_text(spec.type)
            self._rcodes = frozenset(dns.rcode.from_text(rcode) for rcode in spec.rcodes)
            flags = dns.flags.RD if spec.recursion else dns.flags.Flag(0)
            query = dns.message.make_query(ascii_host(spec.name), self._type, flags=flags, id=0)
        except (dns.exception.DNSException, HostNameError) as error:
            raise ValueError(f"cannot query {spec.type} of {spec.name}: {error}") from None
        self._question = query.to_wire()[2:]

    async def ask(self, run: Run) -> None:
        run.facts["query_succeeded"] = 0
        # 16 random bits and the kernel's random source port: a forger must guess both (RFC 5452 section 4).
        query = secrets.token_bytes(2) + self._question
        servers = [self._server] if self._server is not None else _system_servers()
        wire = await (self._by_udp if self._spec.transport == "udp" else self._by_tcp)(query, servers, run)
        if len(wire) <= AT_ONCE_BYTES:
            answer = _parsed(wire)
            self._note(answer, run)
            self._judge(answer)
            return
        answer = await asyncio.to_thread(_parsed, wire)
        self._note(answer, run)
        await asyncio.to_thread(self._judge, answer)

    async def _by_udp(self, query: bytes, servers: list[Server], run: Run) -> bytes:
        ways = await self._addresses(servers, run)
        run.enter("connect")
        run.peer = " or ".join(dict.fromkeys(host for host, _ in servers))
        got: Datagram = await race([partial(ask_udp, query, *way, run) for way in ways], PATIENCE)
        if got.truncated:
            return await ask_tcp(query, got.address[1], got.port, "any", run)
        note_address(got.address, run)
        return got.reply

    async def _by_tcp(self, query: bytes, servers: list[Server], run: Run) -> bytes:
        ip_protocol = self._spec.ip_protocol
        return await race(
            [partial(ask_tcp, query, *server, ip_protocol, run) for server in servers], PATIENCE
        )

    async def _addresses(self, servers: list[Server], run: Run) -> list[tuple[Address, int]]:
        """Return the addresses of all servers; one without a usable address is skipped if another has one."""
        found: list[tuple[Address, int]] = []
        failure: ProbeFailure | None = None
        for host, port in servers:
            try:
                found += [(address, port) for address in await resolve(host, self._spec.ip_protocol, run)]
            except ProbeFailure as error:
                failure = error
        if not found and failure is not None:
            raise failure
        return found

    def _note(self, answer: dns.message.Message, run: Run) -> None:
        facts = run.facts
        facts["query_succeeded"] = 1
        facts["answer_rrs"] = len(answer.answer)
        facts["authority_rrs"] = len(answer.authority)
        facts["additional_rrs"] = len(answer.additional)
        if self._type == dns.rdatatype.SOA:
            for rrset in answer.answer:
                if rrset.rdtype == dns.rdatatype.SOA:
                    facts["serial"] = rrset[0].serial

    def _judge(self, answer: dns.message.Message) -> None:
        spec = self._spec
        if answer.rcode() not in self._rcodes:
            wanted = " or ".join(spec.rcodes)
            raise ProbeFailure(Reason.ANSWER, f"{dns.rcode.to_text(answer.rcode())}, expected {wanted}")
        asked = [r for r in answer.answer if self._type in (r.rdtype, dns.rdatatype.ANY)]
        if len(asked) < spec.min_answers:
            raise ProbeFailure(
                Reason.ANSWER, f"{len(asked)} {spec.type} records, expected at least {spec.min_answers}"
            )
        texts = [_texts(rrset) for rrset in answer.answer]
        for pattern, present in self._answers:
            if any(pattern.found_in(text) for record in texts for text in record) is not present:
                how = "no record matches" if present else "a record matches"
                raise ProbeFailure(Reason.ANSWER, f"{how} {pattern.text!r}")


def _parsed(wire: bytes) -> dns.message.Message:
    """Return the answer in `wire`.

    Raises:
        ProbeFailure: `protocol`.
    """
    try:
        return dns.message.from_wire(wire, one_rr_per_rrset=True)
    except (dns.exception.DNSException, ValueError) as error:
        raise ProbeFailure(Reason.PROTOCOL, f"the answer is malformed: {type(error).__name__}") from None


def _texts(rrset: dns.rrset.RRset) -> tuple[str, str]:
    """Return the texts to match: the data alone, and the whole record as blackbox_exporter writes it."""
    data = rrset[0].to_text()
    parts = (
        rrset.name,
        rrset.ttl,
        dns.rdataclass.to_text(rrset.rdclass),
        dns.rdatatype.to_text(rrset.rdtype),
        data,
    )
    return data, "\t".join(map(str, parts))


def parse_server(text: str) -> Server:
    """Return host and port of `host`, `host:port`, `v6` or `[v6]:port`.

    Raises:
        ValueError: it is none of these.
    """
    host, port = text, ""
    if text.startswith("["):
        host, closed, rest = text[1:].partition("]")
        port = rest.removeprefix(":")
        if not closed or (rest and not rest.startswith(":")):
            raise ValueError(f"{text!r} is not a DNS server; write host:port or [v6]:port")
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    if not host or (port and not (port.isdecimal() and 0 < int(port) < 65536)):
        raise ValueError(f"{text!r} is not a DNS server; write host:port or [v6]:port")
    return host, int(port) if port else PORT


def _system_servers() -> list[Server]:
    """Return the name servers of resolv.conf(5), which is read again only when it has changed.

    Raises:
        ProbeFailure: `resolve`, if there are none.
    """
    try:
        status = os.stat(RESOLV_CONF)  # noqa: PTH116 - a path object per run costs more than the call
        servers = _name_servers(RESOLV_CONF, status.st_mtime_ns, status.st_ino, status.st_size)
    except OSError as error:
        raise ProbeFailure(Reason.RESOLVE, f"{RESOLV_CONF} cannot be read: {error.strerror}") from None
    if not servers:
        raise ProbeFailure(Reason.RESOLVE, f"{RESOLV_CONF} names no server")
    return list(servers)


@lru_cache(maxsize=1)
def _name_servers(path: str, *_version: int) -> tuple[Server, ...]:
    lines = (line.split() for line in Path(path).read_text(errors="replace").splitlines())
    return tuple((words[1], PORT) for words in lines if words[:1] == ["nameserver"] and len(words) > 1)
