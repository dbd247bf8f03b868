"""A server with the part of MongoDB's wire protocol that the probe uses: OP_MSG, and SCRAM with a verified proof.

The machines that run these tests cannot install MongoDB. pymongo logs in to this server (`test_mongodb.py`), so the
probe is not the only client that accepts it.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import secrets
import struct
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import bson

from exporter.catalog.planning.specs import MongodbSpec
from exporter.catalog.values.secret_text import SecretText

if TYPE_CHECKING:
    from tests.probes.servers import Connection, Script, Server

Document = dict[str, Any]
Answer = Document | Callable[["Connection"], Document]

OP_MSG = 2013
USER, PASSWORD = "exporter", "s3cret-v4lue"
HELLO: Document = {
    "isWritablePrimary": True,
    "minWireVersion": 0,
    "maxWireVersion": 21,
    "maxBsonObjectSize": 16 * 1024 * 1024,
    "maxMessageSizeBytes": 48_000_000,
    "maxWriteBatchSize": 100_000,
}
ANSWERS: dict[str, Answer] = {
    "hello": HELLO,
    "ping": {},
    "buildInfo": {"version": "7.0.14"},
    "serverStatus": {"connections": {"current": 12, "available": 807, "totalCreated": 4000}},
    "listDatabases": {"databases": [{"name": "admin", "sizeOnDisk": 40960}], "totalSize": 8_192_000},
}
OPEN_TO_ALL = {"hello", "ping", "buildInfo", "saslStart", "saslContinue"}
AUTHENTICATION_FAILED = {"ok": 0.0, "errmsg": "Authentication failed.", "code": 18}
DIGESTS = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-1": "sha1"}


def refuses(code: int, message: str) -> Document:
    """Return an answer that is an error."""
    return {"ok": 0.0, "errmsg": message, "code": code}


@dataclass
class Mongod:
    """The script of a `Server`. With `passwords` (by user), most commands need a login.

    `answers` have priority over those in `ANSWERS`; one without `ok` is a success.
    """

    passwords: dict[str, str] = field(default_factory=dict)
    answers: dict[str, Answer] = field(default_factory=dict)
    mechanism: str = "SCRAM-SHA-256"
    iterations: int = 4096
    database: str = "admin"
    knows_skip: bool = True
    impostor: bool = False
    """Accept everybody, but be unable to prove knowledge of the password."""
    asked: list[Document] = field(default_factory=list)
    salt: bytes = field(default_factory=lambda: secrets.token_bytes(16))

    def __call__(self, connection: Connection) -> None:
        login = Login(self)
        number = 0
        while True:
            request, document = receive(connection)
            self.asked.append(document)
            answer = {"ok": 1.0, **self._answer(document, login, connection)}
            number += 1
            connection.send(message(number, request, answer))

    def _answer(self, document: Document, login: Login, connection: Connection) -> Document:
        command = next(iter(document))
        if self.passwords and not login.done and command not in OPEN_TO_ALL:
            return refuses(13, f"Command {command} requires authentication")
        if command == "saslStart":
            return login.start(document)
        if command == "saslContinue":
            return login.proceed(document)
        answer = self.answers.get(command) or ANSWERS.get(command)
        if callable(answer):
            return answer(connection)
        if answer is None and command != "ping":
            return refuses(59, f"no such command: '{command}'")
        wanted = document.get("saslSupportedMechs")
        if wanted in {f"{self.database}.{user}" for user in self.passwords}:
            return {**(answer or {}), "saslSupportedMechs": [self.mechanism]}
        return answer or {}


class Login:
    """The server's side of one SCRAM login."""

    def __init__(self, server: Mongod) -> None:
        self._server = server
        self.done = False

    def start(self, document: Document) -> Document:
        if document["mechanism"] != self._server.mechanism or document["$db"] != self._server.database:
            return refuses(334, f"Unable to use {document['mechanism']} based authentication")
        header, self._first = document["payload"].split(b"n,,", 1)
        assert not header
        fields = parse(self._first)
        self._user = fields["n"].replace("=2C", ",").replace("=3D", "=")
        self._nonce = fields["r"] + b64encode(secrets.token_bytes(18)).decode()
        salt = b64encode(self._server.salt).decode()
        self._challenge = f"r={self._nonce},s={salt},i={self._server.iterations}".encode()
        return {"conversationId": 1, "done": False, "payload": self._challenge}

    def proceed(self, document: Document) -> Document:
        if not document["payload"]:
            self.done = True
            return {"conversationId": 1, "done": True, "payload": b""}
        digest = DIGESTS[self._server.mechanism]
        unproven, _, proof = document["payload"].rpartition(b",p=")
        assert unproven == b"c=biws,r=" + self._nonce.encode()
        said = b",".join((self._first, self._challenge, unproven))
        salted = self._salted(digest)
        stored = hashlib.new(digest, hmac.digest(salted, b"Client Key", digest)).digest()
        signature = hmac.digest(stored, said, digest)
        key = bytes(a ^ b for a, b in zip(b64decode(proof), signature, strict=True))
        proven = hashlib.new(digest, key).digest() == stored and self._user in self._server.passwords
        if not proven and not self._server.impostor:
            return AUTHENTICATION_FAILED
        final = hmac.digest(hmac.digest(salted, b"Server Key", digest), said, digest)
        self.done = self._server.knows_skip
        return {"conversationId": 1, "done": self.done, "payload": b"v=" + b64encode(final)}

    def _salted(self, digest: str) -> bytes:
        password = self._server.passwords.get(self._user) or secrets.token_hex()
        if digest == "sha1":
            password = hashlib.md5(
                f"{self._user}:mongo:{password}".encode(), usedforsecurity=False
            ).hexdigest()
        return salted(digest, password, self._server.salt, self._server.iterations)


@functools.cache
def salted(digest: str, password: str, salt: bytes, iterations: int) -> bytes:
    """A real server stores the result of this and not the password."""
    return hashlib.pbkdf2_hmac(digest, password.encode(), salt, iterations)


def parse(text: bytes) -> dict[str, str]:
    return {part[:1]: part[2:] for part in text.decode().split(",")}


def receive(connection: Connection) -> tuple[int, Document]:
    """Return the number and the document of the next command."""
    length, number, _, operation = struct.unpack("<iiii", exactly(connection, 16))
    body = exactly(connection, length - 16)
    assert operation == OP_MSG, operation
    assert body[:5] == bytes(5), "expected flags and one section with a document"
    return number, bson.decode(body[5:])


def exactly(connection: Connection, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = connection.socket.recv(count - len(data))
        if not more:
            raise ConnectionResetError
        data += more
    return data


def message(
    number: int, request: int, document: Document, *, flags: int = 0, operation: int = OP_MSG
) -> bytes:
    """Return an answer as it is sent."""
    body = bson.encode(document)
    return struct.pack("<iiiiIB", 21 + len(body), number, request, operation, flags, 0) + body


def answers(*replies: bytes) -> Script:
    """Answer the first command with the first reply, and so on; then wait."""

    def script(connection: Connection) -> None:
        for reply in replies:
            receive(connection)
            connection.send(reply)
        connection.until_closed()

    return script


def stuck(connection: Connection) -> Document:
    """Never answer."""
    connection.until_closed()
    raise ConnectionResetError


def spec(
    server: Server, password: str | None = None, username: str | None = None, database: str = "admin"
) -> MongodbSpec:
    """Return a spec for `server`, with `USER` if there is a password and no name."""
    given = None if password is None else SecretText((password,))
    name = username or (None if password is None else USER)
    return MongodbSpec("127.0.0.1", server.port, name, given, database)
