"""Redis and Valkey: that the server takes a connection and a login and answers PING, and what it says of itself.

redis-py writes and reads the protocol and tells errors apart; connections are this package's own, with its names,
deadlines and limits. Nothing of redis-py that repeats, watches or pools is used.
"""

from __future__ import annotations

import re
from inspect import signature
from typing import TYPE_CHECKING, Any

from redis._parsers import _AsyncRESP2Parser
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import (
    AuthenticationError,
    AuthenticationWrongNumberOfArgsError,
    InvalidResponse,
    NoPermissionError,
    RedisError,
    ResponseError,
)

from exporter.peer_text import REDACTED, PeerText
from exporter.probes.base import ProbeFailure, Reason
from exporter.probes.measure import MeasuredProbe
from exporter.probes.redis.info import Info, note_info
from exporter.probes.stores.stream import open_stream, read_secret

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.catalog.planning.specs import RedisSpec
    from exporter.probes.compile import Shared
    from exporter.probes.measure import Run
    from exporter.probes.stores.stream import StoreStream
    from exporter.probes.tls.handshake import Tls

CRLF = b"\r\n"
MARKS = b"+-:$*"
"""What each answer of RESP2 begins with."""
NUMBERS = re.compile(rb"[$*]-1|[$*][0-9]{1,10}|:[-+]?[0-9]{1,19}")
"""First lines of answers that hold a number; int() would take more."""
MAX_ANSWER_BYTES = 256 * 1024
"""Of a text; INFO has 10 KiB, with a hundred replicas 20."""
MAX_ELEMENTS = 64
"""Of a list; those that are asked for have 2."""
MAX_PIECES = 64
"""Texts, numbers and lists in all answers of a run; there are less than 20."""

LOGIN_ERRORS = (AuthenticationError, AuthenticationWrongNumberOfArgsError, NoPermissionError)
ANONYMOUS: dict[str, Any] = (
    {"driver_info": None}
    if "driver_info" in signature(AbstractConnection.__init__).parameters
    else {"lib_name": None, "lib_version": None}
)
"""To not say CLIENT SETINFO, which some users may not: by the name that redis-py's releases have for it."""

PROTECTED_MODE = "DENIED"
TOO_MANY_CLIENTS = "max number of clients reached"
SECRET_START = 8
"""Redis repeats the arguments of a command that it does not know, as AUTH may be renamed, and cuts them: the start of
a password is one, too.
"""


class RedisProbe(MeasuredProbe):
    """One connection, AUTH where there is a password, PING, and INFO.

    A user that may not ask INFO is no failure: PING has been answered, and the facts stay unknown.

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
        connection = _Connection(stream, self._spec.username, password)
        try:
            await self._log_in(connection, run)
            run.enter("query")
            pong = await connection.ask(run, "PING")
            if pong != b"PONG":
                said = PeerText(pong) if isinstance(pong, bytes) else f"a {type(pong).__name__}"
                raise ProbeFailure(Reason.ANSWER, "the answer to PING is {}", said)
            await _look_around(connection, run)
        except RedisError as error:
            raise self._failure(error, connection, run) from None
        except (ValueError, RecursionError):
            raise ProbeFailure(Reason.PROTOCOL, f"{run.awaited} is not Redis's protocol") from None
        finally:
            connection.drop()
            stream.close()

    async def _log_in(self, connection: _Connection, run: Run) -> None:
        if connection.username or connection.password:
            run.enter("login")
            run.awaited = "the answer to AUTH"
        await connection.on_connect()

    def _failure(self, error: RedisError, connection: _Connection, run: Run) -> ProbeFailure:
        """The verdict on an answer that is an error."""
        text = str(error)
        words = connection.peer_text(text)
        if isinstance(error, InvalidResponse):
            return ProbeFailure(Reason.PROTOCOL, f"{run.awaited} is not Redis's protocol")
        if TOO_MANY_CLIENTS in text:
            return ProbeFailure(Reason.FULL, "Redis takes no more connections: {}", words)
        if text.startswith(PROTECTED_MODE):
            return ProbeFailure(
                Reason.LOGIN,
                "Redis is in protected mode and has no password, so it answers only its own machine: {}",
                words,
            )
        if isinstance(error, NoPermissionError):
            return ProbeFailure(Reason.LOGIN, "{} may not ask PING: {}", self._user(), words)
        if isinstance(error, LOGIN_ERRORS):
            if connection.password is None:
                return ProbeFailure(Reason.LOGIN, "Redis asks for a password and was given none: {}", words)
            return ProbeFailure(Reason.LOGIN, "Redis refused the login of {}: {}", self._user(), words)
        return ProbeFailure(Reason.ANSWER, "{} is an error: {}", str(run.awaited), words)

    def _user(self) -> str:
        return f"the user {self._spec.username}" if self._spec.username else "the default user"


async def _look_around(connection: _Connection, run: Run) -> None:
    """Note what the server says of itself, as far as the user may ask."""
    # Without names of sections: before 7.0, Redis takes only one.
    text = await _asked(connection, run, "INFO")
    if text is None:
        return
    info = Info(text)
    more: dict[str, str] = {}
    for name in info.wanted_settings():
        setting = await _asked_setting(connection, run, name)
        if setting is not None:
            more[name] = setting
    cluster = await _asked(connection, run, "CLUSTER INFO") if info.is_cluster else None
    note_info(info, more, Info(cluster or b""), run)


async def _asked(connection: _Connection, run: Run, command: str) -> bytes | None:
    """The text that answers `command`; None if the user may not ask.

    Raises:
        ProbeFailure: `protocol`: the answer is no text.
    """
    try:
        text = await connection.ask(run, command)
    except ResponseError:
        return None
    if not isinstance(text, bytes):
        raise ProbeFailure(Reason.PROTOCOL, f"{run.awaited} is not Redis's protocol: it is no text")
    return text


async def _asked_setting(connection: _Connection, run: Run, name: str) -> str | None:
    """The value of a setting; None if the user may not ask, or the server has none of this name."""
    try:
        pair = await connection.ask(run, "CONFIG GET", name)
    except ResponseError:
        return None
    if isinstance(pair, list) and len(pair) == 2 and isinstance(pair[1], bytes):
        return pair[1].decode("utf-8", "replace")
    return None


class _Connection(AbstractConnection):
    """redis-py's connection on a stream that is open already.

    `on_connect` logs in where there is a user or a password, and says and asks nothing else.
    """

    def __init__(self, stream: StoreStream, username: str | None, password: str | None) -> None:
        super().__init__(
            username=username, password=password, protocol=2, parser_class=_AsyncRESP2Parser, **ANONYMOUS
        )
        # redis-py knows only that these can be read from and written to.
        self._reader: Any = _Reader(stream)
        self._writer: Any = _Writer(stream)

    async def ask(self, run: Run, *command: str) -> Any:
        """The answer to `command`: bytes, int, list or None.

        Raises:
            RedisError: the answer is an error.
            ProbeFailure: there was no answer.
        """
        run.awaited = f"the answer to {command[0]}"
        await self.send_command(*command)
        return await self.read_response()

    def peer_text(self, words: str) -> PeerText:
        """The server's words, up to where they repeat the start of the password."""
        if self.password:
            before, repeated, _ = words.partition(self.password[:SECRET_START])
            words = before + REDACTED if repeated else words
        return PeerText(words)

    def drop(self) -> None:
        """Let go of the stream, which is not closed: redis-py warns of a connection that has one at its end."""
        self._reader = self._writer = None

    async def _connect(self) -> None:
        raise ProbeFailure(Reason.DISCONNECT, "connection closed")  # redis-py would open it again

    def _host_error(self) -> str:
        return ""

    def repr_pieces(self) -> list[tuple[str, str]]:
        return []


class _Reader:
    """The part of `asyncio.StreamReader` that redis-py's parser reads with."""

    __slots__ = ("_pieces", "_stream")

    def __init__(self, stream: StoreStream) -> None:
        self._stream = stream
        self._pieces = 0

    async def readline(self) -> bytes:
        """The line that an answer begins with. What begins otherwise may have no lines at all.

        redis-py would read as much, and as deeply nested, as the line says.
        """
        upcoming = await self._stream.upcoming(1)
        if upcoming[0] not in MARKS:
            raise _strange(upcoming)
        line = await self._stream.until(CRLF)
        self._pieces += 1
        if self._pieces > MAX_PIECES or (line[0] not in b"+-" and not NUMBERS.fullmatch(line[:-2])):
            raise _strange(line)
        if line[:1] == b"$" and int(line[1:]) > MAX_ANSWER_BYTES:
            raise ProbeFailure(Reason.SIZE, f"the answer is larger than {MAX_ANSWER_BYTES} bytes")
        if line[:1] == b"*" and int(line[1:]) > MAX_ELEMENTS:
            raise ProbeFailure(Reason.SIZE, f"the answer is a list of more than {MAX_ELEMENTS} elements")
        return line

    async def readexactly(self, count: int) -> bytes:
        return await self._stream.exactly(count)


class _Writer:
    """The part of `asyncio.StreamWriter` that redis-py writes with. Commands are short: nothing waits to be sent."""

    __slots__ = ("_stream",)

    def __init__(self, stream: StoreStream) -> None:
        self._stream = stream

    def writelines(self, parts: Iterable[bytes]) -> None:
        self._stream.send(b"".join(parts))

    async def drain(self) -> None:
        pass

    def close(self) -> None:
        """As the probe does in any case."""


def _strange(start: bytes) -> ProbeFailure:
    return ProbeFailure(Reason.PROTOCOL, "what came back is not Redis's protocol: {}", PeerText(start))
