"""Run one probe as the daemon does, and check the guarantees that hold for every run."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import time
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import uvloop

from exporter.probes.base import ProbeResult, Reason
from exporter.probes.compile import Shared, compile_probe
from exporter.probes.net.resolve import close_resolver

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from typing import Any, Self

    from exporter.catalog.planning.specs import ProbeSpec

T = TypeVar("T")

MARGIN = 1.0
"""Seconds after its deadline within which a probe may end: two busy cores may be late; a probe that hangs is later."""

LEEWAY = 0.1
"""Seconds of a run that may belong to no phase."""


class Prober:
    """A uvloop and the shared state of the probes of one load. Use it as a context."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        self.shared = Shared()

    def __enter__(self) -> Self:
        self._runner.run(asyncio.sleep(0))  # opens the loop's own sockets, before any are counted
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.close()

    def run(self, spec: ProbeSpec, seconds: float = 5.0) -> ProbeResult:
        """Return the result of one run with `seconds` to its deadline. Assert that it ended in time, that its phases
        are consistent, that no task and no socket is left, and that it had no internal failure."""
        return self.wait(self._run(spec, seconds))

    def wait(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(coroutine)

    def run_watched(self, spec: ProbeSpec, seconds: float) -> tuple[ProbeResult, float]:
        """Return the result of one run, and the longest time it blocked the loop, in CPU seconds so that a busy
        machine does not matter."""
        return self.wait(self._run_watched(spec, seconds))

    async def _run_watched(self, spec: ProbeSpec, seconds: float) -> tuple[ProbeResult, float]:
        held = 0.0
        with frozen():
            run = asyncio.ensure_future(compile_probe(spec, self.shared).run(time.monotonic() + seconds))
            mark = time.thread_time()
            while not run.done():
                await asyncio.sleep(0.001)
                now = time.thread_time()
                held, mark = max(held, now - mark), now
            return await run, held

    async def _run(self, spec: ProbeSpec, seconds: float) -> ProbeResult:
        probe = compile_probe(spec, self.shared)
        sockets = open_sockets()
        started = time.monotonic()
        result = await probe.run(started + seconds)
        took = time.monotonic() - started
        assert took < seconds + MARGIN, f"ended {took - seconds:.2f} s after its deadline"
        check(result, took)
        await close_resolver()
        await until(lambda: asyncio.all_tasks() == {asyncio.current_task()}, "tasks are left")
        await until(lambda: open_sockets() <= sockets, "sockets are left open")
        return result


@contextlib.contextmanager
def frozen() -> Iterator[None]:
    """Keep the objects of the test process, which are many more than the daemon has, out of garbage collections."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def check(result: ProbeResult, took: float) -> None:
    """Check what must hold for every result."""
    assert result.success is (result.reason is Reason.OK)
    assert bool(result.detail) is not result.success, f"{result.reason}: {result.detail!r}"
    assert result.reason is not Reason.INTERNAL, result.detail
    assert 0 <= result.duration_seconds <= took
    assert all(seconds >= 0 for seconds in result.phases.values()), result.phases
    unaccounted = result.duration_seconds - sum(result.phases.values())
    assert -1e-6 <= unaccounted < LEEWAY, f"{unaccounted} s in no phase: {result.phases}"


def open_sockets() -> int:
    """Return the number of sockets that this process, including its test servers, has open."""
    count = 0
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # it was closed since it was listed
            count += str(descriptor.readlink()).startswith("socket:")
    return count


async def until(condition: Callable[[], bool], complaint: str, seconds: float = 5.0) -> None:
    """Wait for `condition`, which other threads or callbacks fulfil."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, complaint
        await asyncio.sleep(0.002)
