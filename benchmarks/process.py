"""The resource usage of a process, as Linux counts it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
MB = 1e6


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory in MB of 1,000,000 bytes."""

    rss: float
    peak_rss: float
    """Peak since the process began."""
    pss: float
    """Like `rss`, but a page shared by several processes is counted in parts."""


def cpu_seconds(pid: int) -> float:
    """Return the user and system time of all threads, including ended ones, to a hundredth of a second."""
    # The second field is the program's name in brackets, which may itself contain spaces and brackets.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND


def memory(pid: int) -> Memory:
    status = _kilobytes(Path(f"/proc/{pid}/status"))
    rollup = _kilobytes(Path(f"/proc/{pid}/smaps_rollup"))
    return Memory(*(kb * 1024 / MB for kb in (status["VmRSS"], status["VmHWM"], rollup["Pss"])))


def rss(pid: int) -> float:
    """Return the resident memory in MB."""
    return _kilobytes(Path(f"/proc/{pid}/status"))["VmRSS"] * 1024 / MB


def descriptors(pid: int) -> int:
    """Return the number of open files and sockets."""
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


def threads(pid: int) -> int:
    return sum(1 for _ in Path(f"/proc/{pid}/task").iterdir())


def _kilobytes(path: Path) -> dict[str, int]:
    lines = (line.split() for line in path.read_text().splitlines())
    return {words[0].rstrip(":"): int(words[1]) for words in lines if words[-1] == "kB"}
