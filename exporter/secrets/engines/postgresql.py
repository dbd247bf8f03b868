"""PostgreSQL: ALTER ROLE over the server's own socket, where the official image needs no password.

The server gets the SCRAM verifier of the password, which it would otherwise compute itself. So the password cannot
appear in its log or in pg_stat_statements.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64encode
from os import urandom
from typing import TYPE_CHECKING
from urllib.parse import quote

from exporter.saslprep import saslprep
from exporter.secrets.engines.base import Question, StoreEngine

if TYPE_CHECKING:
    from exporter.secrets.inventory import Login

ITERATIONS = 4096
"""The server's default; more would not make a generated password noticeably stronger."""
_SALT_BYTES = 16
_DATABASE = "template1"
# The host is the container's address, because the image accepts any login over loopback.
_PSQL = (
    'exec env LC_ALL=C psql -X -w -q -A -t -v ON_ERROR_STOP=1 -v "host=$HOSTNAME" "$@"',
    "psql",
)
_YES = b"yes\n"


def _psql(login: Login, script: str) -> Question:
    argv = ("sh", "-c", *_PSQL, "-p", str(login.port), "-U", login.user, "-d", _DATABASE)
    return Question(argv, script.encode(), _YES)


def _enter(login: Login, _known: bytes) -> Question:
    return _psql(login, "SELECT 'yes';\n")


def _change(login: Login, _known: bytes, new: bytes) -> Question:
    role = login.user.replace('"', '""')
    return _psql(login, f"ALTER ROLE \"{role}\" PASSWORD '{verifier(new)}';\nSELECT 'yes';\n")


def _accepts(login: Login, value: bytes) -> Question:
    # In a URI nothing needs quotes, which \connect handles in its own way.
    start, end = f"postgresql://{quote(login.user, '')}:{quote(value, '')}@", f":{login.port}/{_DATABASE}"
    script = f"\\set where '{start}' :host '{end}'\n\\connect -reuse-previous=off :where\nSELECT 'yes';\n"
    return _psql(login, script)


def verifier(password: bytes, salt: bytes | None = None) -> str:
    """Return the verifier that PostgreSQL stores for a password (RFC 5803)."""
    salt = urandom(_SALT_BYTES) if salt is None else salt
    salted = hashlib.pbkdf2_hmac("sha256", _prepared(password), salt, ITERATIONS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    salt, stored, server = b64encode(salt), b64encode(stored), b64encode(server)
    return f"SCRAM-SHA-256${ITERATIONS}:{salt.decode()}${stored.decode()}:{server.decode()}"


def _prepared(password: bytes) -> bytes:
    """Return the password after SASLprep, or unchanged if SASLprep rejects it, like PostgreSQL and its clients."""
    try:
        return saslprep(password.decode()).encode()
    except ValueError:
        return password


ENGINE = StoreEngine("PostgreSQL", _enter, _change, _accepts, restarts=False)
