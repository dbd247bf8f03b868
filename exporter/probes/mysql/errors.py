"""Map an error of a MySQL or MariaDB server to the reason of a failure and a sentence.

Error numbers do not depend on the language of the server, and most are the same in both products.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.probes.base import ProbeFailure, Reason

if TYPE_CHECKING:
    from exporter.probes.mysql.wire import ServerError

FULL = {1040, 1203, 1226}
"""Too many connections: in all, or of this user; a limit of this user's is reached."""

REFUSED = {
    1044,  # access to the database denied
    1045,  # access denied: user or password
    1049,  # unknown database
    1129,  # host is blocked after too many failed connections
    1130,  # host may not connect
    1251,  # the client does not know the user's kind of login
    1275,  # the user's password has the format of before 4.1
    1524,  # the plugin of the user's login is not loaded
    1698,  # access denied without a password
    1862,  # the password has expired
    3118,  # the account is locked
    3159,  # a connection without TLS is not allowed
    3955,  # the account is blocked after failed logins
    4151,  # the account is locked (MariaDB)
}

MUST_CHANGE_PASSWORD = 1820
"""The answer to any query after such a login."""


def login_failure(error: ServerError, username: str, database: str | None) -> ProbeFailure:
    """Return the failure for an error instead of a greeting, or in answer to a login."""
    if error.code in FULL:
        return ProbeFailure(
            Reason.FULL, "the server takes no more connections: {}{}", error.words, _number(error)
        )
    login = f"{username!r}" if database is None else f"{username!r} to {database!r}"
    if error.code in REFUSED:
        return ProbeFailure(
            Reason.LOGIN, "the server refused the login of {}: {}{}", login, error.words, _number(error)
        )
    return ProbeFailure(
        Reason.ANSWER, "the server answered the login of {} with {}{}", login, error.words, _number(error)
    )


def answer_failure(error: ServerError) -> ProbeFailure:
    """Return the failure for an error in answer to a query."""
    reason = Reason.LOGIN if error.code == MUST_CHANGE_PASSWORD else Reason.ANSWER
    return ProbeFailure(reason, "the server answered with {}{}", error.words, _number(error))


def _number(error: ServerError) -> str:
    return f" ({error.code})"
