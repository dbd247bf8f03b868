"""Redis and Valkey: that the server takes a connection and a login and answers PING, and what it says of itself.

redis-py writes and reads the protocol and tells errors apart; connections are this package's own, with its names,
deadlines and limits. Nothing of redis-py that repeats, watches or pools is used.
"""

from __future__ import annotations

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

from exporter.probes.base import ProbeFailure, Reason
from exporter.probes.measure import MeasuredProbe
from exporter.probes.redis_info import note_info
from exporter.probes.store_stream import open_stream, read_secret

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.catalog.specs import RedisSpec
    from exporter.probes.compile import Shared
    from exporter.probes.measure import Run
    from exporter.probes.store_stream import StoreStream
    from exporter.probes.tls import Tls

CRLF = b"\r\n"
MARKS = b"+-:$*"
"""What each answer of RESP2 begins with."""

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
        password = read_secret(self._spec.password)
        stream = await open_stream(self._spec, self._tls, run)
        connection = _Connection(stream, self._spec.username, password)
        try:
            await self._log_in(connection, run)
            run.enter("query")
            pong = await connection.ask(run, "PING")
            if pong != b"PONG":
                said = pong if isinstance(pong, bytes) else repr(pong).encode()
                raise ProbeFailure(Reason.ANSWER, f"the answer to PING is {stream.shown(said)}")
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
        words = connection.shown(text)
        if isinstance(error, InvalidResponse):
            return ProbeFailure(Reason.PROTOCOL, f"{run.awaited} is not Redis's protocol")
        if TOO_MANY_CLIENTS in text:
            return ProbeFailure(Reason.FULL, f"Redis takes no more connections: {words}")
        if text.startswith(PROTECTED_MODE):
            return ProbeFailure(
                Reason.LOGIN,
                f"Redis is in protected mode and has no password, so it answers only its own machine: {words}",
            )
        if isinstance(error, NoPermissionError):
            return ProbeFailure(Reason.LOGIN, f"{self._user()} may not ask PING: {words}")
        if isinstance(error, LOGIN_ERRORS):
            if connection.password is None:
                return ProbeFailure(Reason.LOGIN, f"Redis asks for a password and was given none: {words}")
            return ProbeFailure(Reason.LOGIN, f"Redis refused the login of {self._user()}: {words}")
        return ProbeFailure(Reason.ANSWER, f"{run.awaited} is an error: {words}")

    def _user(self) -> str:
        return f"the user {self._spec.username}" if self._spec.username else "the default user"


async def _look_around(connection: _Connection, run: Run) -> None:
    """Note what the server says of itself, as far as the user may ask."""
    try:
        # Without names of sections: before 7.0, Redis takes only one.
        info = await connection.ask(run, "INFO")
    except ResponseError:
        return
    note_info(bytes(info).decode("utf-8", "replace"), run.facts)
    if "store_connections_max" in run.facts:
        return
    try:
        pair = await connection.ask(run, "CONFIG GET", "maxclients")
    except ResponseError:
        return
    if isinstance(pair, list) and len(pair) == 2:
        run.facts["store_connections_max"] = int(pair[1])


class _Connection(AbstractConnection):
    """redis-py's connection on a stream that is open already.

    `on_connect` logs in where there is a user or a password, and says and asks nothing else.
    """

    def __init__(self, stream: StoreStream, username: str | None, password: str | None) -> None:
        super().__init__(
            username=username, password=password, protocol=2, parser_class=_AsyncRESP2Parser, **ANONYMOUS
        )
        self._stream = stream
        if password:
            stream.secrets.add(password)
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

    def shown(self, words: str) -> str:
        """The server's words for a detail, up to where they repeat the password."""
        if self.password:
            before, repeated, _ = words.partition(self.password[:SECRET_START])
            words = before + "***" if repeated else words
        return self._stream.shown(words.encode())

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

    __slots__ = ("_stream",)

    def __init__(self, stream: StoreStream) -> None:
        self._stream = stream

    async def readline(self) -> bytes:
        """The line that an answer begins with. What begins otherwise may have no lines at all."""
        upcoming = await self._stream.upcoming(1)
        if upcoming[0] not in MARKS:
            raise ProbeFailure(
                Reason.PROTOCOL, f"what came back is not Redis's protocol: {self._stream.shown(upcoming)}"
            )
        return await self._stream.until(CRLF)

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
