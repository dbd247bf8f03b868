"""An engine with scripted answers, on a Unix socket, without root."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs, urlsplit

from exporter.catalog.planning.plan import Endpoint
from exporter.containers.engine import endpoint_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CONTAINERS, EVENTS, INSPECT = "/containers/json", "/events", "/containers/{id}/json"
Answer = tuple[int, bytes]


def container_number(number: int) -> str:
    return f"{number:064x}"


def inspect_of(identifier: str, **changed: Any) -> dict[str, Any]:
    """Return the inspect data of a running container. `changed`: values by dotted path, with `__` for the dot."""
    told: dict[str, Any] = {
        "Id": identifier,
        "Name": f"/c{int(identifier, 16)}",
        "Created": "2026-11-24T02:12:40Z",
        "Image": "sha256:0",
        "RestartCount": 0,
        "Config": {"Image": "busybox", "Labels": {}, "Tty": False},
        "HostConfig": {"NetworkMode": "default", "Memory": 0, "CgroupParent": ""},
        "State": {
            "Status": "running",
            "Pid": 42,
            "ExitCode": 0,
            "OOMKilled": False,
            "Error": "",
            "StartedAt": "2026-11-24T02:12:49.690928155Z",
            "FinishedAt": "0001-01-01T00:00:00Z",
        },
    }
    for path, value in changed.items():
        *steps, last = path.split("__")
        place = told
        for step in steps:
            place = place[step]
        place[last] = value
    return told


def event_of(action: str, identifier: str, **changed: Any) -> dict[str, Any]:
    told = {
        "Type": "container",
        "Action": action,
        "Actor": {"ID": identifier, "Attributes": {}},
        "timeNano": time.time_ns(),
    }
    return told | changed


class ScriptedEngine:
    """A server that answers as an engine does. `answers`, by endpoint such as `/containers/{id}/json`, have priority.

    `asked`: requests so far by endpoint. `closes`: close each connection after its answer, as a proxy may.
    """

    def __init__(self, path: Path) -> None:
        self.endpoint = Endpoint(f"unix://{path}", socket=str(path))
        self.containers: dict[str, Any] = {}
        self.answers: dict[str, Callable[[str], Answer | None]] = {}
        self.version: dict[str, Any] = {"ApiVersion": "1.41", "MinAPIVersion": "1.12", "Version": "20.10"}
        self.info: dict[str, Any] = {
            "ServerVersion": "20.10",
            "CgroupDriver": "cgroupfs",
            "CgroupVersion": "1",
        }
        self.asked: Counter[str] = Counter()
        self.closes = False
        self.replayed: list[dict[str, Any]] = []
        """Events that a stream with `since` starts with."""
        self._path = path
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._server: asyncio.Server | None = None
        self._streams: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[Any] | None] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def start(self) -> None:
        async def begin() -> None:
            self._server = await asyncio.start_unix_server(self._serve, self._path)

        self._do(begin())

    def stop(self) -> None:
        """Break all connections and stop listening."""

        async def end() -> None:
            if self._server is not None:
                self._server.close()
                self._server = None
                self._path.unlink(missing_ok=True)
            tasks = [task for task in self._tasks if task is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        self._do(end())

    def add(self, *numbers: int, **changed: Any) -> list[str]:
        ids = [container_number(number) for number in numbers]
        self.containers |= {each: inspect_of(each, **changed) for each in ids}
        return ids

    def refuse(self, endpoint: str, status: int = 403, body: bytes = b"<h1>403 Forbidden</h1>") -> None:
        self.answers[endpoint] = lambda _: (status, body)

    def emit(self, *told: object) -> None:
        """Send an event to every event stream; bytes are sent unchanged."""
        lines = [each if isinstance(each, bytes) else json.dumps(each).encode() + b"\n" for each in told]
        self._do(self._emit(b"".join(lines)))

    def cut(self) -> int:
        """End every event stream and return how many there were."""

        async def end() -> int:
            streams, self._streams = self._streams, set()
            for stream in streams:
                stream.transport.abort()
            return len(streams)

        return int(self._do(end()))

    def streams(self) -> int:
        return len(self._streams)

    def _do(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _emit(self, data: bytes) -> None:
        for stream in self._streams:
            stream.write(b"%x\r\n%s\r\n" % (len(data), data))
            await stream.drain()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._tasks.add(asyncio.current_task())
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                while await self._answer(reader, writer):
                    pass
        finally:
            self._streams.discard(writer)
            self._tasks.discard(asyncio.current_task())
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        url = urlsplit(head.split()[1].decode())
        path = (
            url.path
            if not url.path.startswith("/v") or url.path == "/version"
            else f"/{url.path.split('/', 2)[2]}"
        )
        endpoint = endpoint_of(path)
        self.asked[endpoint] += 1
        scripted = self.answers.get(endpoint)
        answer = scripted(path) if scripted else None
        if answer is None and endpoint == EVENTS:
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            self._streams.add(writer)
            if "since" in parse_qs(url.query) and self.replayed:
                lines = b"".join(json.dumps(each).encode() + b"\n" for each in self.replayed)
                writer.write(b"%x\r\n%s\r\n" % (len(lines), lines))
            await reader.read()
            return False
        status, body = answer or self._usual(path, endpoint)
        writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()
        return not self.closes

    def _usual(self, path: str, endpoint: str) -> Answer:
        if endpoint == INSPECT:
            found = self.containers.get(path.split("/")[2])
            return (200, _json(found)) if found is not None else (404, b'{"message": "No such container"}')
        usual = {
            "/_ping": b"OK",
            "/version": _json(self.version),
            "/info": _json({"SystemTime": datetime.now(UTC).isoformat()} | self.info),
            CONTAINERS: _json([{"Id": each} for each in self.containers]),
        }
        return (200, usual[endpoint]) if endpoint in usual else (404, b'{"message": "page not found"}')


def _json(value: object) -> bytes:
    return value if isinstance(value, bytes) else json.dumps(value).encode()
