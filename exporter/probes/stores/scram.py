"""Client side of SCRAM (RFC 5802 and 7677), as in MongoDB and PostgreSQL.

The server chooses how much work a login takes. The work is limited and runs in a thread, so a server cannot block the
event loop with it. The result is kept, so it is done only once per password.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
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
"""No channel binding, which is `n,,`."""
MAX_ITERATIONS = 1_000_000
"""PostgreSQL uses 4,096, MongoDB 15,000; a million take 0.3 s, in a thread that cannot be interrupted."""
MOST_DIGITS = 10
"""Limit of digits of the number of iterations; no real server sends more."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys made from a password and the server's salt. They are as secret as the password."""

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
        """Return the client's first message."""
        return b"n,," + self._first

    def challenge(self, answer: bytes) -> None:
        """Parse the server's first answer, which holds `salt` and `iterations`.

        Raises:
            ProbeFailure: `protocol`: it is malformed, or the number of iterations is out of range.
        """
        fields = _fields(answer)
        count = fields.get(b"i", b"")
        try:
            nonce, self.salt = fields[b"r"], b64decode(fields[b"s"], validate=True)
        except (KeyError, ValueError):
            raise _failure("the server's challenge is incomplete") from None
        if not nonce.startswith(self._nonce) or nonce == self._nonce:
            raise _failure("the server's challenge does not belong to this login")
        self.iterations = int(count) if count.isdigit() and len(count) <= MOST_DIGITS else 0
        if not self._min_iterations <= self.iterations <= MAX_ITERATIONS:
            raise _failure(
                f"the server asks for {{}} iterations, not {self._min_iterations} to {MAX_ITERATIONS}",
                self.iterations or PeerText(count),
            )
        self._server_first = answer
        self._signed = CHANNEL_BINDING + b",r=" + nonce

    def proof(self, keys: Keys) -> bytes:
        """Return the message that proves knowledge of the password without sending it."""
        stored = hashlib.new(DIGESTS[self.mechanism], keys.client).digest()
        signature = self._sign(stored)
        proof = bytes(a ^ b for a, b in zip(keys.client, signature, strict=True))
        return self._signed + b",p=" + b64encode(proof)

    def check(self, answer: bytes, keys: Keys) -> None:
        """Check the server's last answer, by which it proves that it knows the user.

        Raises:
            ProbeFailure: `protocol`: the proof is wrong.
        """
        if not hmac.compare_digest(_fields(answer).get(b"v", b""), b64encode(self._sign(keys.server))):
            raise _failure("the server cannot prove that it knows the user")

    def _sign(self, key: bytes) -> bytes:
        said = b",".join((self._first, self._server_first, self._signed))
        return hmac.digest(key, said, DIGESTS[self.mechanism])


class KeyMaker:
    """Maker of login keys, which keeps the last ones: they are the same until the password changes."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: tuple[bytes, Keys] | None = None

    async def keys(self, exchange: Exchange, prepared: bytes, run: Run) -> Keys:
        """Return the keys of this login, computed in a short-lived thread if not known."""
        asked = b"%s %d %s %s" % (
            exchange.mechanism.encode(), exchange.iterations, exchange.salt.hex().encode(), prepared
        )  # fmt: skip
        fingerprint = hashlib.sha256(asked).digest()
        if self._known is not None and self._known[0] == fingerprint:
            return self._known[1]
        awaited, run.awaited = run.awaited, "the login keys to be computed"
        executor = ThreadPoolExecutor(1)
        making = asyncio.get_running_loop().run_in_executor(
            executor, _derive, exchange.mechanism, prepared, exchange.salt, exchange.iterations
        )
        executor.shutdown(wait=False)
        keys = await making
        run.awaited = awaited
        self._known = fingerprint, keys
        return keys


def _derive(mechanism: Mechanism, prepared: bytes, salt: bytes, iterations: int) -> Keys:
    """Return the keys; takes milliseconds by design."""
    digest = DIGESTS[mechanism]
    salted = hashlib.pbkdf2_hmac(digest, prepared, salt, iterations)
    return Keys(hmac.digest(salted, b"Client Key", digest), hmac.digest(salted, b"Server Key", digest))


def _fields(message: bytes) -> dict[bytes, bytes]:
    pairs = (part.partition(b"=") for part in message.split(b","))
    return {name: value for name, _, value in pairs}


def _failure(why: str, *words: PeerText | int) -> ProbeFailure:
    return ProbeFailure(Reason.PROTOCOL, f"the login failed: {why}", *words)
