"""A DNS server that answers as the test says, or not at all; c-ares uses it through `resolve.NAMESERVERS`."""

from __future__ import annotations

import socket
import struct
import threading
from typing import Self

TYPES = {1: socket.AF_INET, 28: socket.AF_INET6}
NXDOMAIN = 3


class NameServer:
    """A server of A and AAAA records over UDP while its context lasts. `names` may change meanwhile.

    Unknown names do not exist (NXDOMAIN). With `silent`, no query is answered.
    """

    def __init__(self, names: dict[str, tuple[str, ...]], *, silent: bool = False, ttl: int = 600) -> None:
        self.names = names
        self.questions: list[tuple[str, int]] = []
        self._silent = silent
        self._ttl = ttl
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        stop = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        stop.sendto(b"", self._socket.getsockname())
        stop.close()
        self._thread.join(5)
        assert not self._thread.is_alive()
        self._socket.close()

    def _serve(self) -> None:
        while True:
            query, client = self._socket.recvfrom(4096)
            if not query:
                return
            name, kind, question = _question(query)
            self.questions.append((name, kind))
            if not self._silent:
                self._socket.sendto(self._reply(query, name, kind, question), client)

    def _reply(self, query: bytes, name: str, kind: int, question: bytes) -> bytes:
        addresses = self.names.get(name)
        family = TYPES.get(kind)
        records = b""
        count = 0
        for address in addresses or ():
            if family is not None and (":" in address) is (family == socket.AF_INET6):
                data = socket.inet_pton(family, address)
                records += b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, self._ttl, len(data)) + data
                count += 1
        code = NXDOMAIN if addresses is None else 0
        return query[:2] + struct.pack("!HHHHH", 0x8180 | code, 1, count, 0, 0) + question + records


def _question(query: bytes) -> tuple[str, int, bytes]:
    """Return the name and type in a query, and its question section (RFC 1035 section 4.1.2)."""
    labels, end = [], 12
    while query[end]:
        labels.append(query[end + 1 : end + 1 + query[end]].decode().lower())
        end += query[end] + 1
    kind = struct.unpack("!H", query[end + 1 : end + 3])[0]
    return ".".join(labels), kind, query[12 : end + 5]
