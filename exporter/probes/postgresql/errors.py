"""Conversion of an error of a PostgreSQL server to a probe failure.

It uses the SQLSTATE, which is the same in every language of the server.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from exporter.probes.base import ProbeFailure, Reason

if TYPE_CHECKING:
    from exporter.probes.postgresql.wire import ServerError

TOO_MANY_CONNECTIONS = "53300"
REFUSED_LOGIN = re.compile(r"28...|3D000|42501")
"""Wrong user, password, pg_hba.conf; no such database; no privilege to connect to it."""


def login_failure(error: ServerError, username: str, database: str) -> ProbeFailure:
    """Return the failure for an error in answer to a login."""
    state = f" ({error.state})" if error.state else ""
    if error.state == TOO_MANY_CONNECTIONS:
        return ProbeFailure(Reason.FULL, "the server accepts no more connections: {}{}", error.words, state)
    login = f"{username!r} to {database!r}"
    if REFUSED_LOGIN.fullmatch(error.state):
        return ProbeFailure(
            Reason.LOGIN, "the server refused the login of {}: {}{}", login, error.words, state
        )
    return ProbeFailure(
        Reason.ANSWER, "the server answered the login of {} with {}{}", login, error.words, state
    )


def answer_failure(error: ServerError) -> ProbeFailure:
    """Return the failure for an error in answer to a query."""
    state = f" ({error.state})" if error.state else ""
    return ProbeFailure(Reason.ANSWER, "the server answered with {}{}", error.words, state)
