"""A measured stretch of time: the CPU used by each process, and the daemon's counters."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.process import cpu_seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.exporters import Counts, Daemon
    from benchmarks.programs import Programs


@dataclass(frozen=True, slots=True)
class Window:
    """A measured window. `cpu`: CPU seconds by process. `end`: Unix time."""

    seconds: float
    end: float
    cpu: dict[int, float]
    counts: Counts

    @property
    def range(self) -> str:
        """Return the window as a PromQL range."""
        return f"{self.seconds * 1000:.0f}ms"


def measure(programs: Programs, daemon: Daemon, pids: Sequence[int], seconds: float) -> Window:
    """Let everything run for this many seconds.

    Raises:
        BenchmarkError: a program has exited by itself.
    """
    before = daemon.scrape()
    cpu = {pid: cpu_seconds(pid) for pid in pids}
    began = time.monotonic()
    time.sleep(seconds)
    programs.check()
    cpu = {pid: cpu_seconds(pid) - used for pid, used in cpu.items()}
    took = time.monotonic() - began
    end = time.time()
    after = daemon.scrape()
    return Window(took, end, cpu, after.counts().since(before.counts()))
