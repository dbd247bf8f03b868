"""A client of the Docker Engine API that only asks (GET), and is never held up: every call has a deadline."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import logging
import re
import ssl
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import anyio._backends._asyncio  # noqa: F401 - anyio would load it in the first call and hold up every probe for 50 ms
import httpcore

from exporter.containers.engine_info import agreed_api, clock_of, info_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from exporter.catalog.targets import Endpoint
    from exporter.containers.model import EngineInfo

MAX_ANSWER = 32 * 1024 * 1024
_MAX_CONNECTIONS = 8
_KEPT_CONNECTIONS = 4
_KEEP_SECONDS = 60.0
_SHOWN_TEXT = 200

# At its debug level httpcore writes every call.
logging.getLogger("httpcore").setLevel(logging.WARNING)


class EngineError(Exception):
    """The engine was not reached, did not answer, or refused. One sentence."""

    def __init__(self, message: str, status: int | None = None, *, timed_out: bool = False) -> None:
        super().__init__(message)
        self.status = status
        """Of its answer; none if there was no answer."""
        self.timed_out = timed_out


class Engine:
    """One engine. Connections are kept and used again; those of streams are their own, and end with them."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._pool: httpcore.AsyncConnectionPool | None = None
        self._tls: ssl.SSLContext | None = None
        self._api = ""
        self.clock = 0
        """What the engine's clock showed at the last hello: nanoseconds since the epoch."""
        secured = "https" if endpoint.tls else "http"
        host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
        self._base = f"{secured}://{host}:{endpoint.port}" if endpoint.socket is None else "http://docker"

    async def get(self, path: str, params: Mapping[str, str] | None = None, seconds: float = 10.0) -> Any:
        """The JSON that the engine answers, within so many seconds.

        Raises:
            EngineError: anything else happened.
        """
        if not self._api:
            await self.hello()
        return _decoded(await self._ask(f"/v{self._api}{path}", params, seconds), path)

    async def ping(self, seconds: float = 3.0) -> None:
        """Return when the engine answers.

        Raises:
            EngineError: it does not.
        """
        await self._ask("/_ping", None, seconds)

    async def hello(self, seconds: float = 5.0) -> EngineInfo:
        """Agree on a version of the API, and what the engine says of itself. Again after each reconnect: it may be
        another version by then.

        Raises:
            EngineError: it does not answer, or is too old.
        """
        version = _decoded(await self._ask("/version", None, seconds), "/version")
        try:
            self._api = agreed_api(version)
            info = await self.get("/info", seconds=seconds)
            described = info_of(info, self._api, self.endpoint)
            self.clock = clock_of(info)
        except ValueError as error:
            raise EngineError(f"what answers at {self.endpoint.shown} {error}") from None
        return described

    @contextlib.asynccontextmanager
    async def stream(
        self, path: str, params: Mapping[str, str] | None = None, seconds: float = 10.0
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """An answer that goes on, as it comes. Only its beginning has a deadline.

        Raises:
            EngineError: it did not begin; also within the block, when it breaks off.
        """
        if not self._api:
            await self.hello()
        connection = httpcore.AsyncHTTPConnection(
            origin=httpcore.URL(self._base).origin, uds=self.endpoint.socket, ssl_context=self._tls_context()
        )
        url = _url(self._base, f"/v{self._api}{path}", params)
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(connection.aclose)
            with self._in_words():
                async with self._deadline(seconds):
                    response = await stack.enter_async_context(connection.stream("GET", url))
                    if response.status != 200:
                        raise _refusal(path, response.status, await _read(response, path))
            yield self._parts(response)

    async def close(self) -> None:
        """Close the connections that are kept. Streams are closed by those who opened them."""
        if self._pool is not None:
            await self._pool.aclose()
            self._pool = None

    async def _ask(self, path: str, params: Mapping[str, str] | None, seconds: float) -> bytes:
        if self._pool is None:
            self._pool = httpcore.AsyncConnectionPool(
                ssl_context=self._tls_context(),
                uds=self.endpoint.socket,
                max_connections=_MAX_CONNECTIONS,
                max_keepalive_connections=_KEPT_CONNECTIONS,
                keepalive_expiry=_KEEP_SECONDS,
            )
        url = _url(self._base, path, params)
        with self._in_words():
            async with self._deadline(seconds), self._pool.stream("GET", url) as response:
                body = await _read(response, path)
        if response.status != 200:
            raise _refusal(path, response.status, body)
        return body

    async def _parts(self, response: httpcore.Response) -> AsyncIterator[bytes]:
        with self._in_words():
            async for part in response.aiter_stream():
                yield part

    @contextlib.asynccontextmanager
    async def _deadline(self, seconds: float) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError:
            raise EngineError(
                f"the Docker engine at {self.endpoint.shown} did not answer within {seconds:g} s",
                timed_out=True,
            ) from None

    @contextlib.contextmanager
    def _in_words(self) -> Any:
        try:
            yield
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError) as error:
            raise EngineError(
                f"the Docker engine at {self.endpoint.shown} {_why(error, self.endpoint)}"
            ) from None

    def _tls_context(self) -> ssl.SSLContext:
        """Made at the first call, so that files which are missing are asked for again at the next one."""
        if self._tls is None:
            self._tls = _context(self.endpoint)
        return self._tls


def _context(endpoint: Endpoint) -> ssl.SSLContext:
    """Of TLS 1.2 at least. Not Python's default one, which refuses certificates made as Docker's manual says (3.13)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls = endpoint.tls
    if tls is None:
        return context
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    try:
        if tls.ca_file:
            context.load_verify_locations(tls.ca_file)
        else:
            context.load_default_certs()
        if tls.certificate_file:
            context.load_cert_chain(tls.certificate_file, tls.key_file, password=_no_password)
    except (OSError, ValueError) as error:
        files = ", ".join(file for file in (tls.ca_file, tls.certificate_file, tls.key_file) if file)
        raise EngineError(f"the TLS files of the Docker engine cannot be used: {files}: {error}") from None
    return context


def _no_password() -> str:
    """Without it OpenSSL would ask at the terminal."""
    raise ValueError("the key has a password; take one without")


async def _read(response: httpcore.Response, path: str) -> bytes:
    parts, size = [], 0
    async for part in response.aiter_stream():
        size += len(part)
        if size > MAX_ANSWER:
            raise EngineError(f"the Docker engine's answer to {path} has more than {MAX_ANSWER} bytes")
        parts.append(part)
    return b"".join(parts)


def _url(base: str, path: str, params: Mapping[str, str] | None) -> str:
    return f"{base}{path}?{urlencode(params)}" if params else f"{base}{path}"


def _decoded(body: bytes, path: str) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        raise EngineError(f"the Docker engine's answer to {path} is not JSON") from None


def _refusal(path: str, status: int, body: bytes) -> EngineError:
    try:
        said = json.loads(body)["message"]
    except (ValueError, KeyError, TypeError):
        said = body.decode(errors="replace")
    text = " ".join(str(said).split())[:_SHOWN_TEXT]
    return EngineError(f"the Docker engine answers {status} to {path}: {text}", status)


_ERRNO_WORDS = {
    errno.ENOENT: "has no socket there; is it installed, and is the socket mounted?",
    errno.ECONNREFUSED: "is not running: nobody listens there",
    errno.EACCES: "may not be asked: no permission for its socket; run as a member of the socket's group",
    errno.ENOTDIR: "has no socket there; is it installed, and is the socket mounted?",
    errno.EHOSTUNREACH: "cannot be reached: no route to the host",
    errno.ENETUNREACH: "cannot be reached: no route to the network",
}


_CLOSED = re.compile("disconnected|closed connection")
"""In httpcore's and h11's words for an end too soon; the others are of bytes that are no HTTP."""


def _why(error: BaseException, endpoint: Endpoint) -> str:
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLCertVerificationError):
            return f"shows a certificate that is not trusted: {seen.verify_message}"
        if isinstance(seen, ssl.SSLError):
            return f"cannot be spoken with over TLS: {seen.reason or seen}"
        if isinstance(seen, OSError) and seen.errno in _ERRNO_WORDS:
            return _ERRNO_WORDS[seen.errno]
        if isinstance(seen, OSError) and not isinstance(seen, TimeoutError) and seen.strerror:
            return f"cannot be reached: {seen.strerror}"
        seen = seen.__cause__ or seen.__context__
    if isinstance(error, httpcore.ConnectError):
        return "cannot be reached"
    plain = "" if endpoint.tls else "; does it want TLS?"
    if isinstance(error, httpcore.RemoteProtocolError) and not _CLOSED.search(str(error)):
        return f"does not answer in HTTP{plain if endpoint.socket is None else ''}"
    return "closed the connection"
