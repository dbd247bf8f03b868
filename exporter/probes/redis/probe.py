"""Probe of Redis and Valkey: the server must accept a connection and a login and answer PING."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.peer_text import REDACTED, PeerText
from exporter.probes.base import ProbeFailure, Reason
from exporter.probes.measure import MeasuredProbe
from exporter.probes.redis.info import Info, note_info
from exporter.probes.redis.wire import ErrorAnswer, Session
from exporter.probes.stores.stream import open_stream, read_secret

if TYPE_CHECKING:
    from exporter.catalog.planning.specs import RedisSpec
    from exporter.probes.compile import Shared
    from exporter.probes.measure import Run
    from exporter.probes.tls.handshake import Tls

LOGIN_CODES = ("WRONGPASS", "NOAUTH")
ONE_ARGUMENT = "wrong number of arguments for 'auth' command"
"""Redis before 6.0 has no users: AUTH takes only a password."""
LOGIN_TEXTS = (
    "invalid password",
    "auth <password> called without any password",
    "client sent auth, but no password",
)
"""Starts of AUTH errors that have no code, in lower case."""
PROTECTED_MODE = "DENIED"
TOO_MANY_CLIENTS = "max number of clients reached"
SECRET_START = 8
"""Characters of a password that are redacted in errors. Redis repeats the arguments of an unknown command (AUTH may be
renamed) and cuts them, so the start of a password is a secret as well.
"""


class RedisProbe(MeasuredProbe):
    """One connection, AUTH if there is a password, PING, and INFO.

    A user without permission for INFO is not a failure: PING was answered, and the facts stay unknown.

    Raises:
        TlsError: a certificate file or key cannot be used.
    """

    __slots__ = ("_spec", "_tls")

    def __init__(self, spec: RedisSpec, shared: Shared) -> None:
        self._spec = spec
        self._tls: Tls | None = None if spec.tls is None else shared.tls(spec.tls)

    async def ask(self, run: Run) -> None:
        password = read_secret(self._spec.password, run)
        stream = await open_stream(self._spec, self._tls, run)
        session = Session(stream, run)
        try:
            await self._log_in(session, password, run)
            run.enter("query")
            pong = await session.ask("PING")
            if pong != b"PONG":
                raise ProbeFailure(Reason.ANSWER, "the answer to PING is {}", _said(pong))
            await _look_around(session, run)
        except ErrorAnswer as error:
            raise self._failure(error, password, run) from None
        finally:
            stream.close()

    async def _log_in(self, session: Session, password: str | None, run: Run) -> None:
        username = self._spec.username
        if not (username or password):
            return
        run.enter("login")
        arguments = (username, password or "") if username else (password or "",)
        try:
            answer = await session.ask("AUTH", *arguments)
        except ErrorAnswer as error:
            if not username or error.text.lower() != ONE_ARGUMENT:
                raise
            answer = await session.ask("AUTH", arguments[-1])
        if answer != b"OK":
            raise ProbeFailure(
                Reason.LOGIN, "the answer to the login of {} is {}", self._user(), _said(answer)
            )

    def _failure(self, error: ErrorAnswer, password: str | None, run: Run) -> ProbeFailure:
        """Return the failure for an error answer."""
        text, words = error.text, _words(error.text, password)
        if TOO_MANY_CLIENTS in text:
            return ProbeFailure(Reason.FULL, "Redis accepts no more connections: {}", words)
        if text.startswith(PROTECTED_MODE):
            return ProbeFailure(
                Reason.LOGIN,
                "Redis is in protected mode and has no password, so it accepts only local connections: {}",
                words,
            )
        if error.code == "NOPERM":
            return ProbeFailure(Reason.LOGIN, "{} has no permission for PING: {}", self._user(), words)
        if error.code in LOGIN_CODES or text.lower().startswith((*LOGIN_TEXTS, ONE_ARGUMENT)):
            if password is None:
                return ProbeFailure(
                    Reason.LOGIN, "Redis requires a password, but the catalog has none: {}", words
                )
            return ProbeFailure(Reason.LOGIN, "Redis refused the login of {}: {}", self._user(), words)
        return ProbeFailure(Reason.ANSWER, "{} is an error: {}", str(run.awaited), words)

    def _user(self) -> str:
        return f"the user {self._spec.username}" if self._spec.username else "the default user"


async def _look_around(session: Session, run: Run) -> None:
    """Note what the server reports about itself, as far as the user may query it."""
    # Without section names: before 7.0, Redis accepts only one.
    text = await _asked(session, run, "INFO")
    if text is None:
        return
    info = Info(text)
    more: dict[str, str] = {}
    for name in info.wanted_settings():
        setting = await _asked_setting(session, name)
        if setting is not None:
            more[name] = setting
    cluster = await _asked(session, run, "CLUSTER INFO") if info.is_cluster else None
    note_info(info, more, Info(cluster or b""), run)


async def _asked(session: Session, run: Run, command: str) -> bytes | None:
    """Return the text that answers `command`; None if the server refuses.

    Raises:
        ProbeFailure: `protocol`: the answer is not a text.
    """
    try:
        text = await session.ask(command)
    except ErrorAnswer:
        return None
    if not isinstance(text, bytes):
        raise ProbeFailure(Reason.PROTOCOL, f"{run.awaited} is not Redis's protocol: it is not a text")
    return text


async def _asked_setting(session: Session, name: str) -> str | None:
    """Return the value of a setting; None if the server refuses or has no such setting."""
    try:
        pair = await session.ask("CONFIG GET", name)
    except ErrorAnswer:
        return None
    if isinstance(pair, list) and len(pair) == 2 and isinstance(pair[1], bytes):
        return pair[1].decode("utf-8", "replace")
    return None


def _words(text: str, password: str | None) -> PeerText:
    """Return the server's message, cut where it repeats the start of the password."""
    if password:
        before, repeated, _ = text.partition(password[:SECRET_START])
        text = before + REDACTED if repeated else text
    return PeerText(text)


def _said(answer: object) -> PeerText | str:
    return PeerText(answer) if isinstance(answer, bytes) else f"a {type(answer).__name__}"
