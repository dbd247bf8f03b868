"""Count of a container's out-of-memory kills since the daemon began to watch, from three incomplete sources.

The engine's events are lost while it is unreachable, its `OOMKilled` is only a flag, and the kernel's count restarts
with each life of the container (from a start to the next end). Within a life the largest of them is right, so lives
must be distinguished: by their start time.

Kills from before the daemon began to watch, as shown by the flag and the kernel, are not counted: otherwise the counter
would increase with each start of the daemon.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

_KEPT_LIVES = 3
"""Events can arrive late, after the restart of the container was seen."""
_KEPT_TIMES = 32
"""Events can also arrive early, before the restart of the container was seen."""
_ONE_KILL_SECONDS = 1.0
"""With cgroup v1 the kernel notifies the engine once per thread that waits for memory, so one kill can cause several
events. If there were two kills within this time without an end of the container between them, the kernel's count shows
both.
"""


@dataclass(slots=True)
class _Life:
    began: float
    events: int = 0
    times: deque[float] = field(default_factory=lambda: deque(maxlen=_KEPT_TIMES))
    flagged: bool = False
    flagged_before: bool = False
    """True if the flag was already set when the daemon began to watch."""
    kills: int = 0
    kills_before: int | None = 0
    """The kernel's count when the daemon began to watch; None until its first reading."""

    @property
    def count(self) -> int:
        return max(self.events, int(self.flagged), self.kills - (self.kills_before or 0))


class OomCount:
    """A count of one container's kills since it was first seen. It never decreases.

    `existed`: True if the container existed when the daemon began to watch, so its first values are from the past.
    """

    __slots__ = ("_ends", "_lives", "_settled", "_unseen", "existed")

    def __init__(self, *, existed: bool = False) -> None:
        self.existed = existed
        self._unseen = existed
        self._lives = [_Life(0.0)]
        self._ends: deque[float] = deque(maxlen=_KEPT_TIMES)
        self._settled = 0

    @property
    def total(self) -> int:
        return self._settled + sum(life.count for life in self._lives)

    def event(self, at: float) -> None:
        """Count an out-of-memory event of the engine at this time, in seconds since the epoch."""
        for life in reversed(self._lives):
            if life.began <= at:
                if not any(self._is_same_kill(at, other) for other in life.times):
                    life.events += 1
                    life.times.append(at)
                return
        self._settled += 1

    def ended(self, at: float) -> None:
        """Record that the container ended at this time, according to the engine."""
        self._ends.append(at)

    def inspected(self, began: float | None, *, oom_killed: bool) -> None:
        """Take the flag of an inspect for the life that began at this time; it may be set only once that life ended."""
        past, self._unseen = self._unseen, False
        if began is None:
            return
        if began != self._lives[-1].began:
            self._begin(began)
        life = self._lives[-1]
        if past:
            life.kills_before, life.flagged_before = None, oom_killed
        life.flagged = life.flagged or (oom_killed and not life.flagged_before)

    def kernel_counted(self, kills: int) -> None:
        """Take the kernel's count for the newest known life."""
        life = self._lives[-1]
        if life.kills_before is None:
            life.kills_before = max(0, kills - life.events)
        life.kills = max(life.kills, kills)

    def _is_same_kill(self, one: float, other: float) -> bool:
        """True if two events are of one kill: close together, without an end of the container between them.

        The ends are from the engine's events, since short lives may not have been seen separately.
        """
        first, last = sorted((one, other))
        return last - first < _ONE_KILL_SECONDS and not any(first < end <= last for end in self._ends)

    def _begin(self, began: float) -> None:
        """Begin a new life, and move its early events here, which were counted for the life before it."""
        before, life = self._lives[-1], _Life(began)
        for at in before.times:
            if at >= began:
                before.events -= 1
                life.events += 1
        self._lives.append(life)
        if len(self._lives) > _KEPT_LIVES:
            self._settled += self._lives.pop(0).count
