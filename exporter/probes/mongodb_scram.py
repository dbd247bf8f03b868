"""SCRAM (RFC 5802 and 7677) as MongoDB has it, the client's side.

pymongo has it only inside its client, without a public door.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from typing import Literal

Mechanism = Literal["SCRAM-SHA-256", "SCRAM-SHA-1"]

DIGESTS: dict[Mechanism, str] = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-1": "sha1"}
CHANNEL_BINDING = b"c=biws"
"""None, which is `n,,`."""
MIN_ITERATIONS = 4096
MAX_ITERATIONS = 1_000_000
"""MongoDB has 15,000; a million take a third of a second, in a thread that nothing can end."""


class ScramError(Exception):
    """What the server says is not SCRAM. One sentence."""


@dataclass(frozen=True, slots=True)
class Keys:
    """What a password becomes with the server's salt. They log in as well as the password does."""

    client: bytes = field(repr=False)
    server: bytes = field(repr=False)


class Exchange:
    """One login: `first`, `challenge`, `proof`, `check`, in this order."""

    __slots__ = ("_first", "_nonce", "_server_first", "_signed", "iterations", "mechanism", "salt")

    def __init__(self, mechanism: Mechanism, username: str) -> None:
        self.mechanism = mechanism
        self._nonce = b64encode(secrets.token_bytes(24))
        name = username.replace("=", "=3D").replace(",", "=2C")
        self._first = b"n=%s,r=%s" % (name.encode(), self._nonce)
        self._server_first = self._signed = self.salt = b""
        self.iterations = 0

    def first(self) -> bytes:
        """What to begin with."""
        return b"n,," + self._first

    def challenge(self, answer: bytes) -> None:
        """Take the server's first answer: `salt` and `iterations` are known from here on.

        Raises:
            ScramError: it is none, or the server asks for more work than it should.
        """
        fields = _fields(answer)
        try:
            nonce, self.salt = fields[b"r"], b64decode(fields[b"s"], validate=True)
            self.iterations = int(fields[b"i"])
        except (KeyError, ValueError):
            raise ScramError("the server's challenge lacks a part") from None
        if not nonce.startswith(self._nonce) or nonce == self._nonce:
            raise ScramError("the server's challenge is not to this login")
        if not MIN_ITERATIONS <= self.iterations <= MAX_ITERATIONS:
            raise ScramError(
                f"the server asks for {self.iterations} iterations, not {MIN_ITERATIONS} to {MAX_ITERATIONS}"
            )
        self._server_first = answer
        self._signed = CHANNEL_BINDING + b",r=" + nonce

    def proof(self, keys: Keys) -> bytes:
        """What proves that the password is known, without saying it."""
        stored = hashlib.new(DIGESTS[self.mechanism], keys.client).digest()
        signature = self._sign(stored)
        proof = bytes(a ^ b for a, b in zip(keys.client, signature, strict=True))
        return self._signed + b",p=" + b64encode(proof)

    def check(self, answer: bytes, keys: Keys) -> None:
        """Take the server's last answer, by which it proves that it knows the user.

        Raises:
            ScramError: it does not.
        """
        if not hmac.compare_digest(_fields(answer).get(b"v", b""), b64encode(self._sign(keys.server))):
            raise ScramError("the server cannot prove that it knows the user")

    def _sign(self, key: bytes) -> bytes:
        said = b",".join((self._first, self._server_first, self._signed))
        return hmac.digest(key, said, DIGESTS[self.mechanism])


def derive(mechanism: Mechanism, username: str, password: str, salt: bytes, iterations: int) -> Keys:
    """The keys; takes milliseconds, as it is meant to.

    Raises:
        ValueError: the password holds characters that SCRAM does not allow.
    """
    digest = DIGESTS[mechanism]
    if mechanism == "SCRAM-SHA-1":
        said = f"{username}:mongo:{password}".encode()
        prepared = hashlib.md5(said, usedforsecurity=False).hexdigest()  # MongoDB's own addition to SCRAM
    else:
        prepared = _prepared(password)
    salted = hashlib.pbkdf2_hmac(digest, prepared.encode(), salt, iterations)
    return Keys(hmac.digest(salted, b"Client Key", digest), hmac.digest(salted, b"Server Key", digest))


def _prepared(password: str) -> str:
    """SASLprep (RFC 4013), which leaves ASCII as it is."""
    if password.isascii() and password.isprintable():
        return password
    # The import brings all of pymongo, 17 MB, for the few passwords that need it.
    from pymongo.saslprep import saslprep

    prepared: str = saslprep(password)
    return prepared


def _fields(message: bytes) -> dict[bytes, bytes]:
    pairs = (part.partition(b"=") for part in message.split(b","))
    return {name: value for name, _, value in pairs}
