"""Counts of log lines of a real engine's containers, through discovery as in the daemon."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import TYPE_CHECKING, Self

import psutil
import pytest

from exporter.catalog.planning.plan import LogsPlan
from exporter.containers.discovery import Discovery
from exporter.containers.endpoint import resolve_endpoint
from exporter.containers.engine import Engine
from exporter.containers.logs import LogWatch
from exporter.containers.mapping import ServiceMapping
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from exporter.containers.model import Container
    from tests.docker_engine import DockerEngine

PLANS = {
    "app": LogsPlan((("all", ""), ("broken", "it broke"), ("end", "(?i)end$")), 1024),
    "other": LogsPlan((("all", ""),), 1024),
}


class Watched:
    """A LogWatch that gets its containers from a Discovery, in its own loop."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self.watch: LogWatch
        self.discovery: Discovery

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        until(lambda: self.discovery.up, "discovery")
        return self

    def __exit__(self, *_: object) -> None:
        self.do(self._over.set)
        self._thread.join(20)
        assert not self._thread.is_alive()

    def do(self, act: Callable[[], object]) -> None:
        """Run a function in the loop's thread."""
        self.loop.call_soon_threadsafe(act)

    def unreadable(self) -> dict[str, str]:
        async def ask() -> dict[str, str]:
            return self.watch.unreadable

        return asyncio.run_coroutine_threadsafe(ask(), self.loop).result(10)

    def count(self, pattern: str = "all") -> int | None:
        return self.watch.counts.get(("app", pattern))

    def comes_to(self, number: int, pattern: str = "all") -> None:
        """Wait for the count, and check that it does not exceed it."""
        until(
            lambda: (self.count(pattern) or 0) >= number, f"{number} lines of {pattern}, {self.watch.counts}"
        )
        assert self.count(pattern) == number

    async def _run(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._over = asyncio.Event()
        engine = Engine(resolve_endpoint(self._host))
        self.watch = LogWatch(engine, PLANS)
        self.discovery = Discovery(engine, ServiceMapping(PLANS), self._changed)
        async with asyncio.TaskGroup() as group:
            running = group.create_task(self.discovery.run())
            self._ready.set()
            await self._over.wait()
            running.cancel()
        await self.watch.stop()
        await engine.close()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    def _changed(self, container_id: str, container: Container | None) -> None:
        if container is None:
            self.watch.unfollow(container_id)
        else:
            self.watch.follow(container)


class Relay:
    """A socket in front of the engine's, whose connections can be cut."""

    def __init__(self, path: Path, engine: Path) -> None:
        self.path, self._engine = path, engine
        self._writers: list[asyncio.StreamWriter] = []

    async def start(self) -> None:
        self._server = await asyncio.start_unix_server(self._relay, self.path)

    async def stop(self) -> None:
        self._server.close()
        self.cut()

    def cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_unix_connection(self._engine)
        self._writers += (writer, back)
        await asyncio.gather(self._copy(reader, back), self._copy(there, writer))

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(1000):  # small, so that frames are split
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        writer.close()


def run(engine: DockerEngine, script: str, *options: str) -> str:
    return engine.run("--label", "exporter.service=app", *options, command=("sh", "-c", script))


@pytest.fixture
def engine(docker_engine: DockerEngine) -> Iterator[DockerEngine]:
    yield docker_engine
    docker_engine.remove_all()


@pytest.fixture
def watched(engine: DockerEngine) -> Iterator[Watched]:
    with Watched(engine.host) as watched:
        yield watched


@pytest.mark.parametrize("options", [(), ("--tty",), ("--log-driver", "local")], ids=" ".join)
def test_lines_of_both_streams(
    engine: DockerEngine, watched: Watched, options: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    script = "echo one; echo it broke >&2; echo; printf 'no end'; echo; echo at the END; sleep 1000"
    run(engine, script, *options)
    watched.comes_to(5)
    watched.comes_to(1, "broken")
    watched.comes_to(2, "end")
    assert watched.watch.skipped == {"app": 0}
    assert watched.unreadable() == {}
    assert "broke" not in caplog.text


def test_a_life_of_a_moment_is_counted(engine: DockerEngine, watched: Watched) -> None:
    """Check a log that ends after its container, possibly without a newline."""
    run(engine, "echo one; printf 'it broke'; exit 1")
    watched.comes_to(1, "broken")
    watched.comes_to(2)


def test_a_pattern_begins_at_0_and_lines_before_the_watch_are_not_counted(engine: DockerEngine) -> None:
    container = run(engine, "echo it broke; read line < /tmp/go; echo it broke; sleep 1000")
    until(lambda: engine.docker("logs", container), "the line")
    with Watched(engine.host) as watched:
        until(lambda: watched.watch.counts, "counts")
        assert watched.watch.counts == {("app", "all"): 0, ("app", "broken"): 0, ("app", "end"): 0}
        engine.docker("exec", container, "sh", "-c", "echo > /tmp/go")
        engine.docker("restart", "--time", "0", container)
        watched.comes_to(2, "broken")


@pytest.mark.parametrize("driver", ["json-file", "local"])
@pytest.mark.parametrize("terminal", [(), ("--tty",)], ids=["frames", "tty"])
def test_of_a_long_line_the_beginning_counts_once(
    engine: DockerEngine, watched: Watched, terminal: tuple[str, ...], driver: str
) -> None:
    """Check that the next line is not lost. A line of exactly one part's length is followed by an empty part."""
    lines = (
        "for size in 16384 40000 40001; do head -c $size /dev/zero | tr '\\0' x; echo; echo it broke; done"
    )
    script = (
        f"printf 'it broke '; {lines}; head -c 20000 /dev/zero | tr '\\0' y; echo it broke; echo at the end"
    )
    run(engine, f"{script}; sleep 1000", *terminal, "--log-driver", driver)
    watched.comes_to(1, "end")
    watched.comes_to(8)
    watched.comes_to(4, "broken")


def test_a_log_that_is_rotated_loses_nothing(engine: DockerEngine, watched: Watched) -> None:
    script = "i=0; while [ $i -lt 3000 ]; do echo $i it broke; i=$((i+1)); [ $((i%20)) -gt 0 ] || usleep 20000; done"
    run(
        engine,
        f"{script}; echo end; sleep 1000",
        *("--log-opt", "max-size=20k", "--log-opt", "max-file=5"),
    )
    until(lambda: watched.count("end"), f"the end, {watched.watch.counts}", 40)
    assert (watched.count("broken"), watched.count()) == (3000, 3001)


def test_a_burst_is_counted_or_skipped_and_takes_no_memory(engine: DockerEngine, watched: Watched) -> None:
    run(engine, "echo end; sleep 1000")
    watched.comes_to(1, "end")
    before = psutil.Process().memory_info().rss
    run(engine, "yes 'a line of a log that is as long as many others are' | head -n 50000; sleep 1000")

    def seen() -> int:
        return (watched.count() or 0) + watched.watch.skipped["app"]

    until(lambda: seen() > 50_000, f"all lines, {watched.watch.counts} {watched.watch.skipped}", 60)
    assert seen() == 50_001
    assert watched.watch.skipped["app"] > 10_000
    assert psutil.Process().memory_info().rss - before < 10_000_000


def test_restarts_lose_nothing_and_count_nothing_twice(engine: DockerEngine, watched: Watched) -> None:
    container = run(engine, "echo it broke; echo end; sleep 1000")
    watched.comes_to(1, "end")
    for number in (2, 3):
        engine.docker("restart", "--time", "0", container)
        watched.comes_to(number, "end")
    watched.comes_to(6)


def test_a_container_that_is_removed_leaves_its_counts_and_no_task(
    engine: DockerEngine, watched: Watched
) -> None:
    container = run(engine, "echo one; sleep 1000")
    watched.comes_to(1)
    engine.remove(container)
    until(lambda: not watched.watch.following, "the end of the tail")
    assert watched.count() == 1


def test_the_engine_goes_and_comes_back(engine: DockerEngine, watched: Watched) -> None:
    """Check that the containers end with the engine; this one is started again by its restart policy."""
    container = run(engine, "i=0; while :; do echo $((i++)); usleep 20000; done", "--restart=always")
    until(lambda: (watched.count() or 0) > 20, "lines")
    engine.restart()
    until(lambda: watched.discovery.up, "discovery", 30)
    until(lambda: engine.docker("logs", "--tail=1", container) not in ("", "0"), "lines of the new life")
    engine.docker("stop", "--time", "0", container)
    written = len(engine.docker("logs", container).splitlines())
    watched.comes_to(written)


def test_connections_that_break_lose_nothing_and_count_nothing_twice(
    engine: DockerEngine, tmp_path: Path
) -> None:
    """Use a relay of the test in front of a real engine."""

    async def count() -> int:
        relay = Relay(tmp_path / "relay", engine.socket)
        await relay.start()
        client = Engine(resolve_endpoint(f"unix://{relay.path}"))
        watch = LogWatch(client, PLANS)
        told = Discovery(client, ServiceMapping(PLANS), lambda _, one: watch.follow(one) if one else None)
        discovering = asyncio.create_task(told.run())
        script = "i=0; while [ $i -lt 400 ]; do echo $i; echo it broke >&2; i=$((i+1)); usleep 5000; done"
        await asyncio.to_thread(run, engine, f"{script}; echo end; sleep 1000")
        async with asyncio.timeout(60):
            while not watch.counts.get(("app", "end")):
                await asyncio.sleep(0.3)
                relay.cut()
        discovering.cancel()
        await asyncio.gather(discovering, return_exceptions=True)
        await watch.stop()
        await client.close()
        await relay.stop()
        assert watch.counts["app", "broken"] == 400
        return watch.counts["app", "all"]

    assert asyncio.run(count()) == 801


def test_a_log_that_cannot_be_read_is_said_once(
    engine: DockerEngine, watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        run(engine, "sleep 1000", "--log-driver", "none")
        until(watched.unreadable, "the refusal")
        run(engine, "sleep 1000", "--log-driver", "none", "--label", "exporter.service=other")
        until(lambda: len(watched.unreadable()) == 2, "the other's")
    why = "the Docker engine answers 501: 'configured logging driver does not support reading'"
    assert watched.unreadable() == {"app": why, "other": why}
    said = [record.getMessage() for record in caplog.records if record.name == "exporter.containers.logs"]
    assert [line.split(":")[0] for line in said] == [
        *("the log of app is not counted", "the log of other is not counted"),
    ]


def test_another_plan(engine: DockerEngine, watched: Watched) -> None:
    container = run(engine, "echo it broke; sleep 1000")
    watched.comes_to(1, "broken")
    changed = LogsPlan((("broken", "it broke"), ("new", "broke")), 1024)
    watched.do(lambda: watched.watch.replan({"app": changed}))
    until(lambda: watched.watch.counts == {("app", "broken"): 1, ("app", "new"): 0}, "the new patterns")
    engine.docker("restart", "--time", "0", container)
    watched.comes_to(2, "broken")
    watched.comes_to(1, "new")
    watched.do(lambda: watched.watch.replan({}))
    until(lambda: not watched.watch.following, "the end of the tail")
    assert watched.watch.counts == {}
    assert watched.watch.skipped == {}
