"""What libpq is told, and all that it would otherwise pick up by itself: variables, password files, certificates.

libpq reads some thirty `PG…` variables, `~/.pgpass` and `~/.postgresql`. The catalog alone says how a probe connects,
so each parameter that has a variable is given a value here, if only its own default.
"""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import TYPE_CHECKING

from psycopg.pq import Conninfo

from exporter.probes.tls import DEFAULT_MIN_VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.catalog.specs import PostgresqlSpec, TlsSpec

APPLICATION_NAME = "pageforge-exporter"

BEYOND_PARAMETERS = ("PGSERVICE", "PGDATESTYLE", "PGTZ", "PGGEQO")
"""Variables that no parameter overrides: they are taken out of this process's environment."""

PROTOCOL = "3.0"
"""What every server speaks."""

NO_FILE = f"{os.devnull}/none"
"""A path that cannot exist, where an empty one would mean a file in the home folder."""

MIN_VERSIONS = {"1.0": "TLSv1", "1.1": "TLSv1.1", "1.2": "TLSv1.2", "1.3": "TLSv1.3"}

BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
"""Where distributions keep the authorities that they trust. `sslrootcert=system` would ask the OpenSSL that psycopg's
wheels bring with them, which looks in a folder that is on no machine."""


def fixed(spec: PostgresqlSpec) -> str:
    """The part of the connection string that is the same for every run: all but the address and the password.

    Raises:
        ValueError: a value cannot be said to libpq, or there are no trusted authorities; one sentence.
    """
    for name in BEYOND_PARAMETERS:
        os.environ.pop(name, None)
    ours = {
        "host": (spec.tls and spec.tls.server_name) or spec.host,
        "port": str(spec.port),
        "user": spec.username,
        "dbname": spec.database,
        "application_name": APPLICATION_NAME,
        "client_encoding": "UTF8",
        "passfile": NO_FILE,
        "gssencmode": "disable",
        "require_auth": "password,md5,scram-sha-256,none",
        "min_protocol_version": PROTOCOL,
        "max_protocol_version": PROTOCOL,
        **_tls(spec.tls),
    }
    for name, value in ours.items():
        if "\0" in value:
            raise ValueError(f"the {name} holds a NUL character")
    known = {option.keyword.decode(): option for option in Conninfo.get_defaults()}
    values = {name: value for name, value in ours.items() if name in known}
    for name, option in known.items():
        if option.envvar and name not in (*ours, "service", "password", "hostaddr"):
            values[name] = (option.compiled or b"").decode()
    return text(values)


def text(values: Mapping[str, str]) -> str:
    """A connection string of `values`."""
    return " ".join(f"{name}={_quoted(value)}" for name, value in values.items())


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _tls(tls: TlsSpec | None) -> dict[str, str]:
    if tls is None:
        return {"sslmode": "disable", "sslcertmode": "disable"}
    ours = {
        "sslmode": "verify-full" if tls.verify else "require",
        # Given a file, `require` would verify all the same.
        "sslrootcert": (tls.ca_file or _trusted()) if tls.verify else NO_FILE,
        # An empty one would mean a file of the home folder; one that holds no list is passed over.
        "sslcrl": os.devnull,
        "ssl_min_protocol_version": MIN_VERSIONS[tls.min_version or DEFAULT_MIN_VERSION],
        "sslcertmode": "disable",
        "sslcert": NO_FILE,
        # Of a key that came to be encrypted, OpenSSL would ask for the passphrase at the terminal.
        "sslpassword": "none",
    }
    if tls.certificate_file:
        ours["sslcertmode"] = "allow"
        ours["sslcert"] = tls.certificate_file
        ours["sslkey"] = tls.key_file or tls.certificate_file
    return ours


def _trusted() -> str:
    for path in (ssl.get_default_verify_paths().cafile, *BUNDLES):
        if path is not None and Path(path).is_file():
            return path
    raise ValueError(
        "finds no file of trusted certificates on this machine; give the store's tls a ca_file, or set SSL_CERT_FILE"
    )
