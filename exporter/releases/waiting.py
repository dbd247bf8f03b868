"""Waiting until containers are healthy, with a progress line every few seconds."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from exporter.host.failures import NotThere
from exporter.releases.failing import UnhealthyError
from exporter.releases.judging import judge

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from exporter.host.containers import Container, Json
    from exporter.releases.context import Context
    from exporter.releases.judging import Judgement

LOOK_SECONDS = 1.0
DEFAULT_INTERVAL = timedelta(seconds=30)
"""Docker's default for health checks without an interval."""
_NANOSECONDS = re.compile(r"(\.\d{6})\d*")


def wait_healthy(
    context: Context,
    look: Callable[[], list[Container]],
    end: float,
    wanted: Mapping[str, int] | None = None,
) -> None:
    """Wait until all containers from `look` are healthy, and each service has as many as in `wanted`.

    Raises:
        UnhealthyError: One failed for good, one is missing, or `end` (on the monotonic clock) has passed.
    """
    with context.screen.live("waiting"):
        while True:
            judged = judge(look(), context.jobs, wanted)
            if judged.good:
                return
            if judged.decided or time.monotonic() >= end:
                raise UnhealthyError(judged.reason(), judged.bad)
            context.screen.waiting(_line(context, judged))
            time.sleep(LOOK_SECONDS)


def _line(context: Context, judged: Judgement) -> str:
    line = "; ".join(judged.rows())
    try:
        checks = [next_check(context.engine.inspect(each.id), datetime.now(UTC)) for each in judged.waiting]
    except NotThere:
        return line
    known = [seconds for seconds in checks if seconds is not None]
    return f"{line}, next check in {min(known)} s" if known else line


def next_check(inspected: Json, now: datetime) -> int | None:
    """Return the seconds until the engine runs a container's health check again, or None if it has none."""
    config, state = _part(inspected, "Config"), _part(inspected, "State")
    check, health = _part(config, "Healthcheck"), _part(state, "Health")
    if not health:
        return None
    interval = check.get("Interval")
    every = (
        timedelta(microseconds=interval / 1000)
        if isinstance(interval, int) and interval
        else DEFAULT_INTERVAL
    )
    log = health.get("Log")
    last = log[-1] if isinstance(log, list) and log else None
    since = _moment(last.get("End") if isinstance(last, dict) else state.get("StartedAt"))
    return max(0, round((since + every - now).total_seconds())) if since else None


def _part(value: Json, key: str) -> Json:
    part = value.get(key)
    return part if isinstance(part, dict) else {}


def _moment(text: object) -> datetime | None:
    """Parse the engine's time, which has nanoseconds and the zone of its host."""
    try:
        found = datetime.fromisoformat(_NANOSECONDS.sub(r"\1", str(text)))
    except ValueError:
        return None
    return found if found.tzinfo else None
