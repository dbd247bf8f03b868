"""When a stand-in is slow or fails: fixed patterns of the time since it started, so that a demonstration repeats."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from typing import Literal

Mood = Literal["steady", "slow", "failing"]

FAILING_PERIOD, FAILING_FROM, FAILING_TO = 240.0, 20.0, 80.0
"""Seconds: the outage begins within a newcomer's first half minute, lasts a minute, and comes every fourth."""
SLOW_PERIOD, SLOW_FROM, SLOW_TO = 150.0, 10.0, 75.0
SLOWEST, SLOW = 2.0, 0.8
"""Seconds that an answer takes while a service is slow: as a wave from the lesser to the greater and back."""
SLOW_SHARE_OF_TIMEOUT = 0.6
"""Slow is not down: the wait stays well within the probe's own timeout."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How one stand-in answers the requests of its probes."""

    mood: Mood
    usual: float
    """Seconds that an answer takes when all is well."""
    slowest: float = SLOWEST

    def fails(self, elapsed: float) -> bool:
        """Whether the service is in an outage, `elapsed` seconds after the start."""
        return self.mood == "failing" and FAILING_FROM <= elapsed % FAILING_PERIOD < FAILING_TO

    def delay(self, elapsed: float) -> float:
        """Seconds to wait before an answer."""
        at = elapsed % SLOW_PERIOD
        if self.mood != "slow" or not SLOW_FROM <= at < SLOW_TO:
            return self.usual
        wave = math.sin((at - SLOW_FROM) / (SLOW_TO - SLOW_FROM) * math.pi)
        return min(SLOW + (SLOWEST - SLOW) * wave, self.slowest)


def behaviour(service: str, mood: Mood, shortest_timeout: float) -> Behaviour:
    """The behaviour of a service; each has a usual latency of its own, between 2 and 40 ms."""
    usual = 0.002 + zlib.crc32(service.encode()) % 39 / 1000
    most = SLOW_SHARE_OF_TIMEOUT * shortest_timeout
    return Behaviour(mood, min(usual, most), min(SLOWEST, most))


def moods(services: list[str]) -> dict[str, Mood]:
    """Which of the services that answer HTTP are slow and fail now and then: one each, where there are enough.

    In the example catalog these are the third, form-version-processor, and the fourth, layout-backend: one on which
    another depends, so that the page shows that too.
    """
    chosen: dict[str, Mood] = dict.fromkeys(services, "steady")
    if services:
        chosen[services[min(2, len(services) - 1)]] = "failing"
    if len(services) > 1:
        chosen[services[3 if len(services) > 3 else 0]] = "slow"
    return chosen
