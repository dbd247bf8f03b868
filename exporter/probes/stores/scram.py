"""SCRAM (RFC 5802 and 7677), the client's side, as MongoDB and PostgreSQL have it.

The server chooses how much work a login is. The work has a limit and is done in a thread, so no server can hold the
event loop with it; its result is kept, so a login that succeeds costs it once.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import stringprep
import unicodedata
from base64 import b64decode, b64encode
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from exporter.peer_text import PeerText
from exporter.probes.base import ProbeFailure, Reason

if TYPE_CHECKING:
    from exporter.probes.measure import Run

Mechanism = Literal["SCRAM-SHA-256", "SCRAM-SHA-1"]

DIGESTS: dict[Mechanism, str] = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-1": "sha1"}
CHANNEL_BINDING = b"c=biws"
"""None, which is `n,,`."""
MAX_ITERATIONS = 1_000_000
"""PostgreSQL has 4,096 and MongoDB 15,000; a million take a third of a second, in a thread that nothing can end."""
MOST_DIGITS = 10
"""Of a number of iterations: more are no number that any server means."""

PROHIBITED = (
    stringprep.in_table_a1,
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)
"""The tables of characters that RFC 4013 does not allow in a password."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys made of a password and the server's salt. They log in as well as the password does."""

    client: bytes = field(repr=False)
    server: bytes = field(repr=False)


class Exchange:
    """One login: `first`, `challenge`, `proof`, `check`, in this order."""

    __slots__ = (
        "_first",
        "_min_iterations",
        "_nonce",
        "_server_first",
        "_signed",
        "iterations",
        "mechanism",
        "salt",
    )

    def __init__(self, mechanism: Mechanism, username: str, min_iterations: int) -> None:
        self.mechanism = mechanism
        self._min_iterations = min_iterations
        self._nonce = b64encode(secrets.token_bytes(24))
        name = username.replace("=", "=3D").replace(",", "=2C")
        self._first = b"n=%s,r=%s" % (name.encode(), self._nonce)
        self._server_first = self._signed = self.salt = b""
        self.iterations = 0

    def first(self) -> bytes:
        """The client's first message."""
        return b"n,," + self._first

    def challenge(self, answer: bytes) -> None:
        """Take the server's first answer: `salt` and `iterations` are known from here on.

        Raises:
            ProbeFailure: `protocol`: it is none, or the server asks for more work than it should.
        """
        fields = _fields(answer)
        count = fields.get(b"i", b"")
        try:
            nonce, self.salt = fields[b"r"], b64decode(fields[b"s"], validate=True)
        except (KeyError, ValueError):
            raise _failure("the server's challenge lacks a part") from None
        if not nonce.startswith(self._nonce) or nonce == self._nonce:
            raise _failure("the server's challenge is not to this login")
        self.iterations = int(count) if count.isdigit() and len(count) <= MOST_DIGITS else 0
        if not self._min_iterations <= self.iterations <= MAX_ITERATIONS:
            raise _failure(
                f"the server asks for {{}} iterations, not {self._min_iterations} to {MAX_ITERATIONS}",
                self.iterations or PeerText(count),
            )
        self._server_first = answer
        self._signed = CHANNEL_BINDING + b",r=" + nonce

    def proof(self, keys: Keys) -> bytes:
        """The message that proves that the password is known, without sending it."""
        stored = hashlib.new(DIGESTS[self.mechanism], keys.client).digest()
        signature = self._sign(stored)
        proof = bytes(a ^ b for a, b in zip(keys.client, signature, strict=True))
        return self._signed + b",p=" + b64encode(proof)

    def check(self, answer: bytes, keys: Keys) -> None:
        """Take the server's last answer, by which it proves that it knows the user.

        Raises:
            ProbeFailure: `protocol`: it does not.
        """
        if not hmac.compare_digest(_fields(answer).get(b"v", b""), b64encode(self._sign(keys.server))):
            raise _failure("the server cannot prove that it knows the user")

    def _sign(self, key: bytes) -> bytes:
        said = b",".join((self._first, self._server_first, self._signed))
        return hmac.digest(key, said, DIGESTS[self.mechanism])


class KeyMaker:
    """Makes the keys of logins, and keeps the last ones: they are the same until the password changes."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: tuple[bytes, Keys] | None = None

    async def keys(self, exchange: Exchange, prepared: bytes, run: Run) -> Keys:
        """The keys of this login, made in a thread of their own, which ends with that."""
        asked = b"%s %d %s %s" % (
            exchange.mechanism.encode(), exchange.iterations, exchange.salt.hex().encode(), prepared
        )  # fmt: skip
        fingerprint = hashlib.sha256(asked).digest()
        if self._known is not None and self._known[0] == fingerprint:
            return self._known[1]
        awaited, run.awaited = run.awaited, "the keys of the login to be made"
        executor = ThreadPoolExecutor(1)
        making = asyncio.get_running_loop().run_in_executor(
            executor, _derive, exchange.mechanism, prepared, exchange.salt, exchange.iterations
        )
        executor.shutdown(wait=False)
        keys = await making
        run.awaited = awaited
        self._known = fingerprint, keys
        return keys


def saslprep(password: str) -> str:
    """The form of a password that SCRAM uses (RFC 4013), which leaves printable ASCII as it is.

    Raises:
        ValueError: it holds characters that SCRAM does not allow.
    """
    if password.isascii() and password.isprintable():
        return password
    mapped = "".join(
        " " if stringprep.in_table_c12(c) else c for c in password if not stringprep.in_table_b1(c)
    )
    prepared = unicodedata.ucd_3_2_0.normalize("NFKC", mapped)
    if any(table(c) for table in PROHIBITED for c in prepared):
        raise ValueError("the password holds characters that SCRAM does not allow")
    to_the_left = [stringprep.in_table_d1(c) for c in prepared]
    mixed = any(map(stringprep.in_table_d2, prepared)) or not (
        to_the_left and to_the_left[0] and to_the_left[-1]
    )
    if any(to_the_left) and mixed:
        raise ValueError("the password mixes directions of writing, which SCRAM does not allow")
    return prepared


def _derive(mechanism: Mechanism, prepared: bytes, salt: bytes, iterations: int) -> Keys:
    """The keys; takes milliseconds, as it is meant to."""
    digest = DIGESTS[mechanism]
    salted = hashlib.pbkdf2_hmac(digest, prepared, salt, iterations)
    return Keys(hmac.digest(salted, b"Client Key", digest), hmac.digest(salted, b"Server Key", digest))


def _fields(message: bytes) -> dict[bytes, bytes]:
    pairs = (part.partition(b"=") for part in message.split(b","))
    return {name: value for name, _, value in pairs}


def _failure(why: str, *words: PeerText | int) -> ProbeFailure:
    return ProbeFailure(Reason.PROTOCOL, f"the login failed: {why}", *words)
