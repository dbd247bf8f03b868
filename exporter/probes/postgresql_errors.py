"""From what PostgreSQL and libpq say to the reason of a failure and a sentence for a person.

The server's errors carry an SQLSTATE, which is the same in every language; libpq's own are English and have none.
"""

from __future__ import annotations

import os
import re

from exporter.probes.base import ProbeFailure, Reason
from exporter.probes.measure import OUT_OF_SOCKETS

SHOWN_TEXT = 200
"""How many characters of the server's own words a detail repeats."""

FATAL = re.compile(r"failed: \S+: +([0-9A-Z]{5}): (.*)")
"""The server's error in a message of libpq with verbosity "verbose"; the severity before it is translated."""

TOO_MANY_CONNECTIONS = "53300"
REFUSED_LOGIN = re.compile(r"28...|3D000|42501")
"""Wrong user, password, pg_hba.conf; no such database; no privilege to connect to it."""

OWN_WORDS: tuple[tuple[re.Pattern[str], Reason, str], ...] = tuple(
    (re.compile(pattern), reason, sentence)
    for pattern, reason, sentence in (
        ("no password supplied", Reason.LOGIN, "the server asks for a password, and the catalog has none"),
        ("does not support SSL", Reason.TLS, "the server does not offer TLS"),
        (
            "SSL negotiation|SSL exchange|expected authentication request",
            Reason.PROTOCOL,
            "the server does not speak PostgreSQL: {}",
        ),
        ("certificate verify failed", Reason.CERTIFICATE, "the certificate is not trusted, or expired"),
        ("(?i)server('s)? certificate", Reason.CERTIFICATE, "{}"),
        ("SSL error: .*alert certificate required", Reason.TLS, "the server asks for a client certificate"),
        ("server closed the connection|SSL connection has been closed", Reason.DISCONNECT, ""),
        ("could not (receive|send) data|SSL SYSCALL", Reason.DISCONNECT, ""),
        ("SSL|certificate file|private key", Reason.TLS, "TLS failed: {}"),
        ("SCRAM|server signature|channel binding|authentication", Reason.LOGIN, "the login failed: {}"),
        ("", Reason.PROTOCOL, "the server does not speak PostgreSQL: {}"),
    )
)
"""libpq's words, the first that fits; `{}` is where they are repeated."""


def connect_failure(message: str, peer: str) -> ProbeFailure:
    """Of a connection that was not made.

    Raises:
        OSError: this machine has no socket left.
    """
    why = _own(message)
    for number in OUT_OF_SOCKETS:
        if os.strerror(number) in why:
            raise OSError(number, os.strerror(number))
    return ProbeFailure(Reason.CONNECT, f"cannot connect to {peer}: {why}")


def login_failure(message: str, login: str, doing: str, password: str) -> ProbeFailure:
    """Of a connection that was made and then given up, by either side. `login`: who wanted to go where; `doing`: what
    the run was doing."""
    found = FATAL.search(message)
    if found is None:
        why = _own(message)
        _, reason, sentence = next(row for row in OWN_WORDS if row[0].search(why))
        if reason is Reason.DISCONNECT:
            return disconnected(doing)
        return ProbeFailure(reason, sentence.format(quoted(why, password)))
    state, words = found[1], quoted(found[2], password)
    if state == TOO_MANY_CONNECTIONS:
        return ProbeFailure(Reason.FULL, f"the server takes no more connections: {words} ({state})")
    if REFUSED_LOGIN.fullmatch(state):
        return ProbeFailure(Reason.LOGIN, f"the server refused the login of {login}: {words} ({state})")
    return ProbeFailure(Reason.ANSWER, f"the server answered the login of {login} with {words} ({state})")


def answer_failure(state: str, words: str, password: str) -> ProbeFailure:
    """Of an error in answer to a question."""
    return ProbeFailure(Reason.ANSWER, f"the server answered with {quoted(words, password)} ({state})")


def disconnected(doing: str) -> ProbeFailure:
    return ProbeFailure(Reason.DISCONNECT, f"the server closed the connection while {doing}")


def quoted(words: str, password: str) -> str:
    """A server's words for a detail: quoted, cut, on one line, and without the password."""
    if password:
        words = words.replace(password, "***")
    return repr(words[:SHOWN_TEXT] + "…" if len(words) > SHOWN_TEXT else words)


def _own(message: str) -> str:
    """The first line of libpq's words, without the address that it tried."""
    line = message.strip().partition("\n")[0]
    return line.partition("failed: ")[2] or line
