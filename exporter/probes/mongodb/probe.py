"""Probe of MongoDB from 4.4.2 on: the server must accept a connection and a login and answer `ping`.

Without a user in the catalog there is no login; MongoDB answers `ping` to everybody.
"""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING

from exporter.probes.base import ProbeFailure, Reason
from exporter.probes.measure import MeasuredProbe
from exporter.probes.mongodb import facts as mongodb_facts
from exporter.probes.mongodb.wire import NOTHING, CommandError, Session
from exporter.probes.stores.scram import Exchange, KeyMaker
from exporter.probes.stores.stream import open_stream, read_secret
from exporter.saslprep import saslprep

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.catalog.planning.specs import MongodbSpec
    from exporter.probes.compile import Shared
    from exporter.probes.measure import Run
    from exporter.probes.mongodb.wire import Document
    from exporter.probes.tls.handshake import Tls

LOGIN_CODES = {11, 13, 18, 334, 8000}
"""UserNotFound, Unauthorized, AuthenticationFailed, MechanismUnavailable, and AtlasError ("bad auth")."""

UNWANTED = dict.fromkeys(("repl", "metrics", "locks", "wiredTiger", "tcmalloc", "transactions"), 0)
"""Sections of serverStatus that are expensive and not needed."""

SIZE_SHARE = 0.5
"""Share of the remaining time for the sizes of databases: with thousands of files they take long."""

MIN_ITERATIONS = 4096
"""MongoDB never asks for fewer (RFC 7677)."""

WHEN_IT_CLOSES = "MongoDB does this if it has no free connection or requires TLS"


class MongodbProbe(MeasuredProbe):
    """One connection, a login if there is a user, `ping`, and queries that the server may refuse.

    The keys of the last login are kept: they take 6 ms of CPU, and are the same until the password changes.

    Raises:
        TlsError: a certificate file or key cannot be used.
    """

    __slots__ = ("_keys", "_spec", "_tls")

    def __init__(self, spec: MongodbSpec, shared: Shared) -> None:
        self._spec = spec
        self._tls: Tls | None = None if spec.tls is None else shared.tls(spec.tls)
        self._keys = KeyMaker()

    async def ask(self, run: Run) -> None:
        password = read_secret(self._spec.password, run) or ""
        stream = await open_stream(self._spec, self._tls, run)
        session = Session(stream, run)
        try:
            hello = await self._log_in(session, password, run)
            run.enter("query")
            await session.ask("ping")
            await _look_around(session, hello, run)
        except CommandError as error:
            refused = error.code in LOGIN_CODES
            asked = "the login" if error.command.startswith("sasl") else error.command
            raise ProbeFailure(
                Reason.LOGIN if refused else Reason.ANSWER,
                "MongoDB {} {}{}: {}",
                "refused" if refused else "answered with an error to",
                asked,
                self._user(),
                error.words,
            ) from None
        except ProbeFailure as failure:
            if failure.reason is Reason.DISCONNECT and not session.answered:
                raise ProbeFailure(
                    Reason.DISCONNECT,
                    f"{failure.sentence.template}; {WHEN_IT_CLOSES}",
                    *failure.sentence.words,
                ) from None
            raise
        finally:
            stream.close()

    async def _log_in(self, session: Session, password: str, run: Run) -> Document:
        """Send `hello` and log in, if there is a user. Return the answer to `hello`."""
        username, database = self._spec.username, self._spec.database
        if username is None:
            run.enter("query")
            hello = await session.ask("hello")
            mongodb_facts.note_hello(hello, run.facts)
            return hello
        run.enter("login")
        hello = await session.ask("hello", {"saslSupportedMechs": f"{database}.{username}"})
        mongodb_facts.note_hello(hello, run.facts)
        known = hello.get("saslSupportedMechs")
        # As drivers do: without a list, log in anyway; a server that does not know the user says so at the end.
        strong = isinstance(known, list) and "SCRAM-SHA-256" in known
        exchange = Exchange("SCRAM-SHA-256" if strong else "SCRAM-SHA-1", username, MIN_ITERATIONS)
        start = {
            "mechanism": exchange.mechanism,
            "payload": exchange.first(),
            "options": {"skipEmptyExchange": True},
        }
        answer = await session.ask("saslStart", start, database=database)
        exchange.challenge(_payload(answer))
        prepared = _prepared(exchange, username, password)
        keys = await self._keys.keys(exchange, prepared, run)
        conversation = answer.get("conversationId")
        if not isinstance(conversation, int):
            raise ProbeFailure(
                Reason.PROTOCOL, "the login failed: the server's answer has no conversation number"
            )
        proceed = {"conversationId": conversation, "payload": exchange.proof(keys)}
        answer = await session.ask("saslContinue", proceed, database=database)
        exchange.check(_payload(answer), keys)
        if not answer.get("done"):  # a server that does not know skipEmptyExchange
            await session.ask("saslContinue", {**proceed, "payload": b""}, database=database)
        return hello

    def _user(self) -> str:
        """Return the name of the user, for a detail."""
        username = self._spec.username
        return "" if username is None else f" of the user {username} (database {self._spec.database})"


async def _look_around(session: Session, hello: Document, run: Run) -> None:
    """Note what the server reports about itself, as far as the user may query it."""
    if (build := await _asked(session, "buildInfo")) is not None:
        mongodb_facts.note_version(build, run.facts, run.secrets)
    if (status := await _asked(session, "serverStatus", UNWANTED)) is not None:
        mongodb_facts.note_connections(status, run.facts)
    if "setName" in hello and (members := await _asked(session, "replSetGetStatus")) is not None:
        mongodb_facts.note_members(members, run.facts)
    # This is the last query, since its answer may still arrive after it was given up.
    seconds = run.time_left() * SIZE_SHARE
    # A replica answers only if the read preference allows it.
    question = {
        "maxTimeMS": max(1, int(seconds * 1000)),
        "$readPreference": {"mode": "primaryPreferred"},
    }
    try:
        async with asyncio.timeout(seconds):
            databases = await _asked(session, "listDatabases", question)
    except TimeoutError:
        return
    except ProbeFailure as failure:
        if failure.reason is not Reason.SIZE:
            raise
        return
    if databases is not None:
        mongodb_facts.note_size(databases, run.facts)


async def _asked(session: Session, command: str, fields: Mapping[str, object] = NOTHING) -> Document | None:
    """Return the answer; None if the server refuses or does not know the command."""
    try:
        return await session.ask(command, fields)
    except CommandError:
        return None


def _prepared(exchange: Exchange, username: str, password: str) -> bytes:
    """Return the form of the password from which the keys are made."""
    if exchange.mechanism == "SCRAM-SHA-1":
        said = f"{username}:mongo:{password}".encode()
        return (
            hashlib.md5(said, usedforsecurity=False).hexdigest().encode()
        )  # MongoDB's own addition to SCRAM
    try:
        return saslprep(password).encode()
    except ValueError as error:
        raise ProbeFailure(Reason.SECRET, str(error)) from None


def _payload(answer: Document) -> bytes:
    payload = answer.get("payload")
    if not isinstance(payload, bytes):
        raise ProbeFailure(Reason.PROTOCOL, "the login failed: the server's answer has no payload")
    return payload
