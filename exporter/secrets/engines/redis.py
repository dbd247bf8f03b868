"""Redis: the hash of the new password is added to the user, so both passwords work until the server is restarted.

compose.yaml makes the list of users from the secret at each start, so after a restart only the new password works.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from exporter.secrets.engines.base import Question, StoreEngine

if TYPE_CHECKING:
    from exporter.secrets.inventory import Login


def _cli(login: Login, known: bytes, command: str, answer: bytes) -> Question:
    tls = ("--tls", "--insecure") if login.tls else ()
    argv = ("redis-cli", "-h", "127.0.0.1", "-p", str(login.port), *tls)
    script = f"AUTH {_quoted(login.user.encode())} {_quoted(known)}\n{command}\n"
    return Question(argv, script.encode(), b"OK\n" + answer)


def _accepts(login: Login, value: bytes) -> Question:
    return _cli(login, value, "PING", b"PONG\n")


def _change(login: Login, known: bytes, new: bytes) -> Question:
    digest = hashlib.sha256(new).hexdigest()
    return _cli(login, known, f"ACL SETUSER {_quoted(login.user.encode())} #{digest}", b"OK\n")


def _quoted(text: bytes) -> str:
    """Quote a word for redis-cli, with each byte as a number."""
    return '"' + "".join(f"\\x{byte:02x}" for byte in text) + '"'


ENGINE = StoreEngine("Redis", _accepts, _change, _accepts, keeps_both=True)
