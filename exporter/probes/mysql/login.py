"""Prove a password with the authentication plugins of MySQL and MariaDB.

The server, or an attacker in its place, chooses the plugin. So nothing here sends the password itself without TLS:
mysql_clear_password is not supported, and caching_sha2_password and sha256_password send it over TLS only. An RSA key
from the server is never used, because without TLS anybody could have sent it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.peer_text import PeerText
from exporter.probes.base import ProbeFailure, Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NATIVE, CACHING_SHA2, SHA256 = b"mysql_native_password", b"caching_sha2_password", b"sha256_password"

WITHOUT_PASSWORD = (NATIVE, CACHING_SHA2)
"""Plugins whose first response is a proof, never the password itself."""

FAST_LOGIN_DONE, FULL_LOGIN = b"\x03", b"\x04"
"""The server's answers to a proof of caching_sha2_password: accepted, or the password itself is needed, as at a user's
first login since the server started."""

_ITSELF = {
    CACHING_SHA2: "caching_sha2_password, at a user's first login since the server started",
    SHA256: "sha256_password",
}


@dataclass(frozen=True, slots=True)
class Proof:
    """A password and one connection. `is_private`: the connection uses TLS."""

    password: bytes
    is_private: bool

    def first(self, plugin: bytes, scramble: bytes) -> bytes:
        """Return the response to a plugin's scramble.

        Raises:
            ProbeFailure: `login`: it is not supported, or needs the password without TLS.
        """
        if plugin not in PLUGINS:
            raise ProbeFailure(
                Reason.LOGIN,
                "the server asks for a login by {}, which is not supported; {}, {} and {} are",
                PeerText(plugin), *(known.decode() for known in PLUGINS),
            )  # fmt: skip
        if not self.password:
            return b"" if plugin == NATIVE else b"\0"
        return PLUGINS[plugin](self, scramble)

    def more(self, plugin: bytes, said: bytes) -> bytes | None:
        """Return the response to further data of a plugin; None if it needs no response.

        Raises:
            ProbeFailure: `login`: it needs the password without TLS; `protocol`.
        """
        if plugin != CACHING_SHA2 or said not in (FAST_LOGIN_DONE, FULL_LOGIN):
            raise ProbeFailure(Reason.PROTOCOL, "the server asks for {} during the login", PeerText(said))
        return self.itself(plugin) if said == FULL_LOGIN else None

    def itself(self, plugin: bytes) -> bytes:
        """Return the password, protected by TLS."""
        if not self.is_private:
            raise ProbeFailure(
                Reason.LOGIN,
                f"the server asks for the password itself ({_ITSELF[plugin]}), which is sent over TLS only: set tls on "
                "the store",
            )
        return self.password + b"\0"


def _native(proof: Proof, scramble: bytes) -> bytes:
    stage = hashlib.sha1(proof.password, usedforsecurity=False).digest()
    stored = hashlib.sha1(stage, usedforsecurity=False).digest()
    return _xor(stage, hashlib.sha1(scramble + stored, usedforsecurity=False).digest())


def _caching_sha2(proof: Proof, scramble: bytes) -> bytes:
    stage = hashlib.sha256(proof.password).digest()
    stored = hashlib.sha256(hashlib.sha256(stage).digest())
    stored.update(scramble)
    return _xor(stage, stored.digest())


def _sha256(proof: Proof, _: bytes) -> bytes:
    return proof.itself(SHA256)


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


PLUGINS: Mapping[bytes, Callable[[Proof, bytes], bytes]] = {
    NATIVE: _native,
    CACHING_SHA2: _caching_sha2,
    SHA256: _sha256,
}
