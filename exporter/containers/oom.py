"""How often a container ran out of memory since the daemon watches it, from three witnesses that each miss some.

The engine's events are lost while it cannot be reached, its `OOMKilled` says only whether, and the kernel's count
begins anew with each life. Within a life the largest is right, so lives must be told apart: by the time they began.

What the flag and the kernel say of the time before the daemon watched is no event of now. A counter that begins with
it would rise with each start of the daemon, so it is where counting begins and not a part of the count.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

_KEPT_LIVES = 3
"""Events may come late, after the container was seen to live again."""
_KEPT_TIMES = 32
"""Events may come early too, before the container was seen to live again."""
_ONE_KILL_SECONDS = 1.0
"""With cgroup v1 the kernel notifies the engine once for each thread that waits for memory, so one kill may make
several events. If there were two kills within this time, and the container did not end between them, the kernel's own
count says so.
"""


@dataclass(slots=True)
class _Life:
    began: float
    events: int = 0
    times: deque[float] = field(default_factory=lambda: deque(maxlen=_KEPT_TIMES))
    flagged: bool = False
    flagged_before: bool = False
    """It had ended so when the daemon began to watch."""
    kills: int = 0
    kills_before: int | None = 0
    """The kernel's count when the daemon began to watch; None until its first reading."""

    @property
    def count(self) -> int:
        return max(self.events, int(self.flagged), self.kills - (self.kills_before or 0))


class OomCount:
    """Of one container, since it was first seen. Never falls.

    `existed`: the container was there when the daemon began to watch, so what is said of it first is of the past.
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
        """The engine said at this time, in seconds since the epoch, that it ran out of memory."""
        for life in reversed(self._lives):
            if life.began <= at:
                if not any(self._is_same_kill(at, other) for other in life.times):
                    life.events += 1
                    life.times.append(at)
                return
        self._settled += 1

    def ended(self, at: float) -> None:
        """The engine said at this time that it ended."""
        self._ends.append(at)

    def inspected(self, began: float | None, *, oom_killed: bool) -> None:
        """The engine was seen to say this of the life that began at this time, and has ended if it was killed."""
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
        """The kernel's count of the life that is known to be the newest."""
        life = self._lives[-1]
        if life.kills_before is None:
            life.kills_before = max(0, kills - life.events)
        life.kills = max(life.kills, kills)

    def _is_same_kill(self, one: float, other: float) -> bool:
        """Lives that follow quickly may not have been seen apart, but the engine told of the ends between them."""
        first, last = sorted((one, other))
        return last - first < _ONE_KILL_SECONDS and not any(first < end <= last for end in self._ends)

    def _begin(self, began: float) -> None:
        """What was told of this life before it was seen stands with the one before it, and moves."""
        before, life = self._lives[-1], _Life(began)
        for at in before.times:
            if at >= began:
                before.events -= 1
                life.events += 1
        self._lives.append(life)
        if len(self._lives) > _KEPT_LIVES:
            self._settled += self._lives.pop(0).count
