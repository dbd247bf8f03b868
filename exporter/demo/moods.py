"""Slowness and outages of simulated services: fixed patterns by time since the start, so that a demo is repeatable."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from typing import Literal

Mood = Literal["steady", "slow", "failing"]

FAILING_PERIOD, FAILING_FROM, FAILING_TO = 240.0, 20.0, 80.0
"""Seconds: the outage begins within the first half minute, lasts a minute, and repeats every four minutes."""
SLOW_PERIOD, SLOW_FROM, SLOW_TO = 150.0, 10.0, 75.0
SLOWEST, SLOW = 2.0, 0.8
"""Seconds that an answer takes while a service is slow: a wave from the smaller to the larger value and back."""
SLOW_SHARE_OF_TIMEOUT = 0.6
"""Slow is not down: the delay stays well below the probe's timeout."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Behaviour of one simulated service."""

    mood: Mood
    usual: float
    """Seconds that an answer normally takes."""
    slowest: float = SLOWEST

    def fails(self, elapsed: float) -> bool:
        """True if the service has an outage `elapsed` seconds after the start."""
        return self.mood == "failing" and FAILING_FROM <= elapsed % FAILING_PERIOD < FAILING_TO

    def delay(self, elapsed: float) -> float:
        """Return the seconds to wait before an answer."""
        at = elapsed % SLOW_PERIOD
        if self.mood != "slow" or not SLOW_FROM <= at < SLOW_TO:
            return self.usual
        wave = math.sin((at - SLOW_FROM) / (SLOW_TO - SLOW_FROM) * math.pi)
        return min(SLOW + (SLOWEST - SLOW) * wave, self.slowest)


def behaviour(service: str, mood: Mood, shortest_timeout: float) -> Behaviour:
    """Return the behaviour of a service; each has its own usual latency, between 2 and 40 ms."""
    usual = 0.002 + zlib.crc32(service.encode()) % 39 / 1000
    most = SLOW_SHARE_OF_TIMEOUT * shortest_timeout
    return Behaviour(mood, min(usual, most), min(SLOWEST, most))


def moods(services: list[str]) -> dict[str, Mood]:
    """Return the mood of each HTTP service: one fails and one is slow from time to time, if there are enough.

    In the example catalog the third, form-version-processor, fails and the fourth, layout-backend, is slow: another
    service depends on it, so the page shows that too.
    """
    chosen: dict[str, Mood] = dict.fromkeys(services, "steady")
    if services:
        chosen[services[min(2, len(services) - 1)]] = "failing"
    if len(services) > 1:
        chosen[services[3 if len(services) > 3 else 0]] = "slow"
    return chosen
