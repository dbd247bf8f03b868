"""Servers that speak as MySQL does, and that Debian does not package: a script per login and per state.

They are written from MySQL's manual. They check the proofs that they get, so a probe logs in only with the password.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.probes.stores.fed import MY_OK, MY_SCRAMBLE, my, my_error, my_greeting, my_rows, my_values

if TYPE_CHECKING:
    import ssl

    from tests.probes.servers import Connection

UNKNOWN_STATEMENT = my_error(1064, "You have an error in your SQL syntax")
DENIED = my_error(1227, "Access denied; you need the REPLICATION CLIENT privilege")

TLS_FLAG = 1 << 11
CHANNEL = ("Channel_Name", "Replica_IO_Running", "Replica_SQL_Running", "Seconds_Behind_Source")
"""Columns of SHOW REPLICA STATUS."""
SETTINGS = {
    "version": "8.4.3",
    "max_connections": "151",
    "read_only": "OFF",
    "super_read_only": "OFF",
    "innodb_read_only": "OFF",
}
STATUS = {"Threads_connected": "3", "Uptime": "86400"}


def asked(settings: dict[str, str] | None = None, **answers: bytes) -> dict[str, bytes]:
    """Return answers by the beginning of a statement, with `_` for a space, of a server that is well."""
    given = {name.replace("_", " "): answer for name, answer in answers.items()}
    return given | {
        "SHOW GLOBAL VARIABLES": my_values(**SETTINGS | (settings or {})),
        "SHOW GLOBAL STATUS": given.get("SHOW GLOBAL STATUS", my_values(**STATUS)),
        "SET SESSION": my(1, MY_OK),
        "SELECT": my_rows(("store_size",), ("7654321",)),
    }


@dataclass
class MysqlStandIn:
    """The script of a server for `tests.probes.servers.Server`.

    `knows`: it has seen the password since it started, so the proof of it is enough for caching_sha2_password. `tls`:
    its context; without, it offers no TLS. `accounts`: the plugin of the user, if it is not the one of the greeting.
    """

    password: str = ""
    plugin: str = "caching_sha2_password"
    account: str | None = None
    knows: bool = True
    tls: ssl.SSLContext | None = None
    answers: dict[str, bytes] = field(default_factory=asked)
    received: list[bytes] = field(default_factory=list)
    """What the client proved its password by."""
    statements: list[str] = field(default_factory=list)

    def __call__(self, connection: Connection) -> None:
        flags = 0xFFFFFFFF if self.tls else 0xFFFFFFFF & ~TLS_FLAG
        connection.send(my_greeting(plugin=self.plugin, flags=flags))
        number, body = _packet(connection)
        if self.tls is not None and int.from_bytes(body[:4], "little") & TLS_FLAG:
            assert len(body) == 32
            connection.start_tls(self.tls)
            number, body = _packet(connection)
        user, _, rest = body[32:].partition(b"\0")
        proof, plugin = rest[1 : 1 + rest[0]], rest[1 + rest[0] :].split(b"\0")[0].decode()
        wanted = self.account or self.plugin
        if plugin != wanted:
            connection.send(my(number + 1, b"\xfe" + wanted.encode() + b"\0" + MY_SCRAMBLE + b"\0"))
            number, proof = _packet(connection)
        self.received.append(proof)
        if wanted == "caching_sha2_password" and self.password:
            if self.knows and proof != _fast_proof(self.password):
                connection.send(my_error(1045, f"Access denied for user {user.decode()!r}", number + 1))
                return
            connection.send(my(number + 1, b"\1\3" if self.knows else b"\1\4"))
            number += 1
            if not self.knows:
                number, proof = _packet(connection)
                self.received.append(proof)
        by_proof = wanted == "caching_sha2_password" and self.knows and self.password
        if wanted in ("caching_sha2_password", "sha256_password") and not by_proof:
            if proof != self.password.encode() + b"\0":
                connection.send(my_error(1045, f"Access denied for user {user.decode()!r}", number + 1))
                return
            self.knows = True
        connection.send(my(number + 1, MY_OK))
        while True:
            _, body = _packet(connection)
            if body == b"\1":
                return
            statement = body[1:].decode()
            self.statements.append(statement)
            known = [answer for start, answer in self.answers.items() if statement.startswith(start)]
            connection.send(known[0] if known else UNKNOWN_STATEMENT)


def _fast_proof(password: str) -> bytes:
    """Return the proof of caching_sha2_password, as the manual gives it."""
    stage = hashlib.sha256(password.encode()).digest()
    mask = hashlib.sha256(hashlib.sha256(stage).digest() + MY_SCRAMBLE).digest()
    return bytes(a ^ b for a, b in zip(stage, mask, strict=True))


def _packet(connection: Connection) -> tuple[int, bytes]:
    header = _exactly(connection, 4)
    return header[3], _exactly(connection, int.from_bytes(header[:3], "little"))


def _exactly(connection: Connection, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = connection.socket.recv(count - len(data))
        if not more:
            raise ConnectionResetError
        data += more
    return data
