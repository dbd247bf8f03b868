"""MongoDB from 4.4.2 on: that the server takes a connection and a login and answers `ping`, and what it says of itself.

Without a user in the catalog, `ping` is the question, which MongoDB answers to everybody.
"""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING

from exporter.probes.base import ProbeFailure, Reason
from exporter.probes.measure import MeasuredProbe
from exporter.probes.mongodb import facts as mongodb_facts
from exporter.probes.mongodb.wire import NOTHING, CommandError, Session
from exporter.probes.stores.scram import Exchange, KeyMaker, saslprep
from exporter.probes.stores.stream import open_stream, read_secret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.catalog.planning.specs import MongodbSpec
    from exporter.probes.compile import Shared
    from exporter.probes.measure import Run
    from exporter.probes.mongodb.wire import Document
    from exporter.probes.tls.handshake import Tls

LOGIN_CODES = {11, 13, 18, 334, 8000}
"""UserNotFound, Unauthorized, AuthenticationFailed, MechanismUnavailable, and AtlasError, which says "bad auth"."""

UNWANTED = dict.fromkeys(("repl", "metrics", "locks", "wiredTiger", "tcmalloc", "transactions"), 0)
"""Sections of serverStatus that cost much to make and to send."""

SIZE_SHARE = 0.5
"""Of the time left, for the sizes of databases: with thousands of files that takes long, and proves nothing."""

MIN_ITERATIONS = 4096
"""Less is not what MongoDB asks for (RFC 7677)."""

WHEN_IT_CLOSES = "MongoDB does so when it has no free connection, or wants TLS"


class MongodbProbe(MeasuredProbe):
    """One connection, a login where there is a user, `ping`, and questions that the server may refuse.

    The keys of the last login are kept: they take 6 ms of CPU to make, and are the same until the password changes.

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
        """Greet, and log in as the user, if there is one; the answer to the greeting."""
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
        # As drivers do: what does not know the user says so at the end, and not by a list that is not there.
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
            raise ProbeFailure(Reason.PROTOCOL, "the login failed: the server's answer has no number")
        proceed = {"conversationId": conversation, "payload": exchange.proof(keys)}
        answer = await session.ask("saslContinue", proceed, database=database)
        exchange.check(_payload(answer), keys)
        if not answer.get("done"):  # a server that does not know skipEmptyExchange
            await session.ask("saslContinue", {**proceed, "payload": b""}, database=database)
        return hello

    def _user(self) -> str:
        """Who asks, for a detail."""
        username = self._spec.username
        return "" if username is None else f" of the user {username} (database {self._spec.database})"


async def _look_around(session: Session, hello: Document, run: Run) -> None:
    """Note what the server says of itself, as far as the user may ask."""
    if (build := await _asked(session, "buildInfo")) is not None:
        mongodb_facts.note_version(build, run.facts, run.secrets)
    if (status := await _asked(session, "serverStatus", UNWANTED)) is not None:
        mongodb_facts.note_connections(status, run.facts)
    if "setName" in hello and (members := await _asked(session, "replSetGetStatus")) is not None:
        mongodb_facts.note_members(members, run.facts)
    # The last, since what is given up may still be answered.
    seconds = run.time_left() * SIZE_SHARE
    # A replica wants to hear that it may answer.
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
    """The answer; None when the server refuses it, or does not know the command."""
    try:
        return await session.ask(command, fields)
    except CommandError:
        return None


def _prepared(exchange: Exchange, username: str, password: str) -> bytes:
    """The form of the password that keys are made of."""
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
        raise ProbeFailure(Reason.PROTOCOL, "the login failed: the server's answer holds nothing")
    return payload
