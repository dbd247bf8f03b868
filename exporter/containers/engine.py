"""A client of the Docker Engine API that only reads (GET) and never hangs: every call has a deadline."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import anyio
import httpcore

from exporter.containers.answers import AnswerError, Part, decoded
from exporter.containers.engine_failures import why
from exporter.containers.engine_info import agreed_api, clock_of, info_of, product_of
from exporter.peer_text import PeerText, Secrets

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from exporter.catalog.planning.plan import Endpoint
    from exporter.containers.model import EngineInfo, Product

MAX_ANSWER = 4 * 1024 * 1024
"""Bytes: enough for an inspect with a megabyte of labels."""
MAX_REFUSAL = 64 * 1024
TURN_SECONDS = 0.005
"""After this much work on one answer, probes and other tasks get their turn: it may arrive in pieces of one byte."""
_MAX_CONNECTIONS = 8
_KEPT_CONNECTIONS = 4
_KEEP_SECONDS = 60.0
REFUSED = (401, 403)
"""HTTP statuses of a socket proxy that does not allow a request."""

PERMISSIONS = {
    "containers": "CONTAINERS",
    "events": "EVENTS",
    "info": "INFO",
    "version": "VERSION",
    "_ping": "PING",
}
"""docker-socket-proxy's name of the permission for each part of the API that is used."""

# At debug level httpcore logs every call.
logging.getLogger("httpcore").setLevel(logging.WARNING)


def load_backend() -> None:
    """Make anyio load its backend for the running loop. This takes 50 ms; in the first call it would delay every
    probe."""
    anyio.Lock()


class EngineError(Exception):
    """The engine could not be reached, did not answer, or refused. One sentence."""

    def __init__(self, message: str, status: int | None = None, *, timed_out: bool = False) -> None:
        super().__init__(message)
        self.status = status
        """HTTP status of the answer; None if there was no answer."""
        self.timed_out = timed_out


class Engine:
    """One engine. Connections are kept and reused; each stream has its own connection, which ends with it."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._pool: httpcore.AsyncConnectionPool | None = None
        self._tls: ssl.SSLContext | None = None
        self._api = ""
        self.clock = 0
        """The engine's time at the last hello: nanoseconds since the epoch."""
        self.product: Product = "docker"
        """As of the last hello."""
        self.refused: dict[str, str] = {}
        """Endpoints that a socket proxy does not allow, with one sentence each; removed once they are allowed."""
        secured = "https" if endpoint.tls else "http"
        host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
        self._base = f"{secured}://{host}:{endpoint.port}" if endpoint.socket is None else "http://docker"

    async def get(self, path: str, params: Mapping[str, str] | None = None, seconds: float = 10.0) -> Any:
        """Return the JSON that the engine answers, within this many seconds.

        Raises:
            EngineError: anything else happened.
        """
        if not self._api:
            await self.hello()
        return self._decoded(await self._ask(path, params, seconds, f"/v{self._api}"), path)

    async def ping(self, seconds: float = 3.0) -> None:
        """Return when the engine answers.

        Raises:
            EngineError: it does not.
        """
        await self._ask("/_ping", None, seconds)

    async def hello(self, seconds: float = 5.0) -> EngineInfo:
        """Agree on an API version, and return the engine's description. Call it again after each reconnect: the
        engine's version may have changed.

        Raises:
            EngineError: it does not answer, or is too old.
        """
        version = self._decoded(await self._ask("/version", None, seconds), "/version")
        try:
            self._api = agreed_api(version)
            info = await self.get("/info", seconds=seconds)
            described = info_of(info, self._api, self.endpoint, product_of(version))
            self.clock, self.product = clock_of(info), described.product
        except ValueError as error:
            raise EngineError(f"the server at {self.endpoint.shown} {error}") from None
        return described

    @contextlib.asynccontextmanager
    async def stream(
        self, path: str, params: Mapping[str, str] | None = None, seconds: float = 10.0
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open an answer that is streamed. Only its beginning has a deadline.

        Raises:
            EngineError: it did not begin; also inside the block, if it breaks off.
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
                async with self.deadline(seconds):
                    response = await stack.enter_async_context(connection.stream("GET", url))
                    refusal = b"" if response.status == 200 else await self._read(response, path, MAX_REFUSAL)
            self._judge(path, response.status, refusal)
            yield self._parts(response)

    @contextlib.asynccontextmanager
    async def deadline(self, seconds: float) -> AsyncIterator[None]:
        """Raise EngineError if the block takes longer."""
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError:
            raise EngineError(
                f"the Docker engine at {self.endpoint.shown} did not answer within {seconds:g} s",
                timed_out=True,
            ) from None

    async def close(self) -> None:
        """Close the connections that are kept. Streams are closed by their callers."""
        if self._pool is not None:
            await self._pool.aclose()
            self._pool = None

    async def _ask(
        self, path: str, params: Mapping[str, str] | None, seconds: float, version: str = ""
    ) -> bytes:
        """Return the body of a successful answer."""
        url = _url(self._base, f"{version}{path}", params)
        with self._in_words():
            async with self.deadline(seconds):
                try:
                    status, body = await self._exchange(url, path)
                except (httpcore.ReadError, httpcore.WriteError, httpcore.RemoteProtocolError):
                    # A proxy closes idle connections, possibly at the moment at which one is reused.
                    status, body = await self._exchange(url, path)
        self._judge(path, status, body)
        return body

    async def _exchange(self, url: str, path: str) -> tuple[int, bytes]:
        if self._pool is None:
            self._pool = httpcore.AsyncConnectionPool(
                ssl_context=self._tls_context(),
                uds=self.endpoint.socket,
                max_connections=_MAX_CONNECTIONS,
                max_keepalive_connections=_KEPT_CONNECTIONS,
                keepalive_expiry=_KEEP_SECONDS,
            )
        async with self._pool.stream("GET", url) as response:
            most = MAX_ANSWER if response.status == 200 else MAX_REFUSAL
            return response.status, await self._read(response, path, most)

    async def _read(self, response: httpcore.Response, path: str, most: int) -> bytes:
        body = bytearray()
        async for part in self._parts(response):
            body += part
            if len(body) > most:
                raise EngineError(
                    f"the Docker engine's answer to {endpoint_of(path)} has more than {most} bytes"
                )
        return bytes(body)

    async def _parts(self, response: httpcore.Response) -> AsyncIterator[bytes]:
        turn_ends = time.monotonic() + TURN_SECONDS
        with self._in_words():
            async for part in response.aiter_stream():
                yield part
                if time.monotonic() > turn_ends:
                    await asyncio.sleep(0)
                    turn_ends = time.monotonic() + TURN_SECONDS

    def _judge(self, path: str, status: int, body: bytes) -> None:
        """Raise EngineError unless the request was successful."""
        endpoint = endpoint_of(path)
        if status not in REFUSED:
            self.refused.pop(endpoint, None)
        if status == 200:
            return
        said = Secrets().shown(PeerText(_complaint(body)))
        if status in REFUSED:
            permission = PERMISSIONS.get(endpoint.split("/")[1], "")
            hint = f"GET {endpoint} must be allowed; docker-socket-proxy allows it with {permission}=1"
            message = (
                f"the Docker engine at {self.endpoint.shown} refuses {endpoint} ({status}): {said}; {hint}"
            )
            self.refused[endpoint] = message
        else:
            message = f"the Docker engine answers {status} to {endpoint}: {said}"
        raise EngineError(message, status)

    def _decoded(self, body: bytes, path: str) -> Any:
        try:
            return decoded(body)
        except AnswerError as error:
            raise EngineError(f"the Docker engine's answer to {endpoint_of(path)} {error}") from None

    @contextlib.contextmanager
    def _in_words(self) -> Any:
        try:
            yield
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError) as error:
            raise EngineError(
                f"the Docker engine at {self.endpoint.shown} {why(error, self.endpoint)}"
            ) from None

    def _tls_context(self) -> ssl.SSLContext:
        """Return the TLS context. It is created at the first call, so missing files are tried again at the next one."""
        if self._tls is None:
            self._tls = _context(self.endpoint)
        return self._tls


def _context(endpoint: Endpoint) -> ssl.SSLContext:
    """Return a context for TLS 1.2 or newer. Python's default context (3.13) refuses certificates that were created as
    Docker's manual says."""
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
    """Raise ValueError. Without this callback OpenSSL would ask for a password at the terminal."""
    raise ValueError("the key has a password; use a key without one")


def endpoint_of(path: str) -> str:
    """Return the endpoint of a path, such as `/containers/{id}/json` for each container."""
    steps = path.split("/")
    if len(steps) > 3:
        steps[2] = "{id}"
    return "/".join(steps)


def _url(base: str, path: str, params: Mapping[str, str] | None) -> str:
    return f"{base}{path}?{urlencode(params)}" if params else f"{base}{path}"


def _complaint(body: bytes) -> str:
    """Return the message of a refusal, on one line."""
    try:
        said = Part(decoded(body)).text("message")
    except AnswerError:
        said = body.decode("utf-8", "replace")
    return " ".join(said.split())
