"""A DNS server whose replies are written by the test. Real ones do not lie or go silent on demand, so this one is
built with dnspython. It serves UDP and TCP on one port."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterable
from typing import Self

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

Reply = Callable[[bytes, str], Iterable[bytes]]
"""A function of a query and `udp` or `tcp` that returns the datagrams to send, or the pieces to write to a
connection."""


def records(*lines: str, rcode: int = 0, truncated: bool = False, authority: tuple[str, ...] = ()) -> Reply:
    """Answer with records in the format of a zone file, framed for the transport."""

    def reply(query: bytes, transport: str) -> Iterable[bytes]:
        message = dns.message.make_response(dns.message.from_wire(query))
        message.set_rcode(dns.rcode.Rcode(rcode))
        if not (truncated and transport == "udp"):
            message.answer = [dns.rrset.from_text(*_fields(line)) for line in lines]
            message.authority = [dns.rrset.from_text(*_fields(line)) for line in authority]
        else:
            message.flags |= dns.flags.TC
        yield framed(message.to_wire(), transport)

    return reply


def framed(wire: bytes, transport: str) -> bytes:
    return wire if transport == "udp" else len(wire).to_bytes(2, "big") + wire


def _fields(line: str) -> tuple[str, int, str, str, str]:
    name, ttl, klass, kind, data = line.split(" ", 4)
    return name, int(ttl), klass, kind, data


def nothing(_query: bytes, _transport: str) -> Iterable[bytes]:
    """Never answer; a TCP connection stays open."""
    return ()


def drips(reply: Reply, pause: float) -> Reply:
    """Send one byte at a time."""

    def slow(query: bytes, transport: str) -> Iterable[bytes]:
        for byte in b"".join(reply(query, transport)):
            yield bytes((byte,))
            time.sleep(pause)

    return slow


def hangs_up(data: bytes) -> Reply:
    """Over TCP, send `data` and close."""

    def reply(_query: bytes, _transport: str) -> Iterable[bytes]:
        yield data
        raise ConnectionResetError

    return reply


class DnsServer:
    """A server that sends `reply` on a free port of `host` while its context lasts; `queries` holds
    what it received."""

    def __init__(self, reply: Reply, host: str = "127.0.0.1", port: int = 0) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._reply = reply
        self._tcp = socket.socket(family)
        self._tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._tcp.bind((host, port))
        self.port: int = self._tcp.getsockname()[1]
        self._udp = socket.socket(family, socket.SOCK_DGRAM)
        self._udp.bind((host, self.port))
        self._connections: list[socket.socket] = []
        self._threads = [
            threading.Thread(target=run, daemon=True) for run in (self._serve_udp, self._serve_tcp)
        ]
        self.address = f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"
        self.queries: list[tuple[str, bytes, object]] = []

    def __enter__(self) -> Self:
        self._tcp.listen()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for sock in (self._tcp, self._udp, *self._connections):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # closed by the client, or UDP, which also wakes the loop
        for thread in self._threads:
            thread.join(5)
            assert not thread.is_alive(), "a test server's thread did not end"
        for sock in (self._tcp, self._udp):
            sock.close()

    def _serve_udp(self) -> None:
        while True:
            query, client = self._udp.recvfrom(65535)
            if not query:
                return
            self.queries.append(("udp", query, client))
            for datagram in self._reply(query, "udp"):
                self._udp.sendto(datagram, client)

    def _serve_tcp(self) -> None:
        while True:
            try:
                connection, client = self._tcp.accept()
            except OSError:
                return
            self._connections.append(connection)
            with connection:
                try:
                    query = connection.recv(65535)[2:]
                    self.queries.append(("tcp", query, client))
                    for piece in self._reply(query, "tcp"):
                        connection.sendall(piece)
                    while connection.recv(65535):
                        pass
                except OSError:
                    continue
