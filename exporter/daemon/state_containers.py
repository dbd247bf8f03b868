"""State of containers and the engine for the API, and the state of a service without probes."""

from __future__ import annotations

from signal import Signals
from typing import TYPE_CHECKING

from exporter.containers.start_failures import cause_of
from exporter.peer_text import PeerText, Secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from exporter.containers.model import Container, Limits, State, Status
    from exporter.daemon.snapshot import ContainerState, EngineSummary, ServiceWord
    from exporter.daemon.surroundings import ContainerView, DockerState

ID_DIGITS = 12
"""Digits of an id, as in docker's own commands."""
MAX_NAMED = 3
"""Number of containers that the detail of a service names."""
SHELL_CODES = {126: "the command cannot be run", 127: "the command was not found"}
SIGNAL_BASE = 128
"""Exit code of a process that was ended by a signal: this plus the signal's number."""


def docker_state(docker: DockerState) -> EngineSummary:
    """Return the state of the engine, and the number of running containers by source of their readings."""
    return {
        "up": docker.up,
        "address": docker.address,
        "error": docker.error,
        "version": docker.version,
        "refused": list(docker.refused),
        "sources": dict(docker.sources),
    }


def container_state(view: ContainerView) -> ContainerState:
    """Return the state of one container."""
    container, reading = view.container, view.reading
    identity, status, limits = container.identity, container.status, container.limits
    return {
        "id": identity.id[:ID_DIGITS],
        "name": identity.name,
        "image": identity.image,
        "project": identity.project,
        "old": view.old,
        "state": status.state,
        "health": status.health,
        "detail": detail(status),
        "exit_code": status.exit_code,
        "restarts": status.restarts,
        "oom_killed": status.oom_killed,
        "oom_events": container.oom_events,
        "started": status.started_at,
        "finished": status.finished_at,
        "error": _shown(status.error),
        "source": reading.source if reading else None,
        "measured": reading.taken_at if reading else None,
        "cpu_cores": view.cpu_cores,
        "cpu_limit_cores": _cpu_limit(limits),
        "memory_bytes": reading.memory_working_set if reading else None,
        "memory_limit_bytes": limits.memory or None,
    }


def judge(
    containers: Sequence[Container], *, wanted: int = 0, ends: bool = False, may_end: bool = False
) -> tuple[ServiceWord, str, float | None]:
    """Return state, detail and since of a service without probes, from its containers.

    It is up if one container is running and not unhealthy. While the only running ones have not passed their first
    health check yet, it is unknown. `wanted`: how many must run. `ends`: True for a job, which is done once it has
    ended with exit code 0. `may_end`: it is a job if the engine does not start its containers again.
    """
    running = [each for each in containers if each.status.state == "running"]
    good = [each for each in running if each.status.health in ("none", "healthy")]
    starting = [each for each in running if each.status.health == "starting"]
    done = [each for each in containers if (ends and _is_done(each.status)) or (may_end and each.completed)]
    if not containers:
        return ("down", "it has no containers", None) if wanted else ("unwatched", "", None)
    if done and not running:
        return "up", "", max(_known(each.status.finished_at for each in done), default=None)
    if good:
        return "up", "", min(_known(each.status.started_at for each in good), default=None)
    if starting:
        began = min(_known(each.status.started_at for each in starting), default=None)
        return "unknown", detail(starting[0].status), began
    ended = None if running else max(_known(each.status.finished_at for each in containers), default=None)
    return "down", _why_down(running or containers), ended


def detail(status: Status) -> str:
    """Return what is wrong, in one sentence; empty for a container that runs as it should."""
    words = _WORDS[status.state](status)
    if status.error:
        error = _shown(status.error)
        words = f"{words}: {error}" if words else error
    return words


def _shown(error: str) -> str:
    """Return the engine's error for display, treated as a peer's text, since it repeats the container's settings."""
    return Secrets().shown(PeerText(cause_of(error))) if error else ""


def _is_done(status: Status) -> bool:
    return status.state == "exited" and status.exit_code == 0 and not status.error


def _running(status: Status) -> str:
    if status.health == "unhealthy":
        return "unhealthy, its health check fails"
    return "starting, no health check has passed yet" if status.health == "starting" else ""


def _exit(status: Status) -> str:
    code = status.exit_code
    if code is None:
        return "exited"
    words = f"exited with code {code}"
    if status.oom_killed:
        return f"{words}, out of memory"
    if code in SHELL_CODES:
        return f"{words} ({SHELL_CODES[code]})"
    if code - SIGNAL_BASE in set(Signals):
        return f"{words} ({Signals(code - SIGNAL_BASE).name})"
    return words


_WORDS: dict[State, Callable[[Status], str]] = {
    "created": lambda status: "could not be started" if status.error else "never started",
    "running": _running,
    "paused": lambda _: "paused manually",
    "restarting": lambda status: f"{_exit(status)}, waiting to be restarted",
    "removing": lambda _: "is being removed",
    "exited": _exit,
    "dead": lambda _: "dead: the engine failed to remove it",
}


def _why_down(containers: Sequence[Container]) -> str:
    if len(containers) == 1:
        return detail(containers[0].status)
    named = "; ".join(f"{each.identity.name} {detail(each.status)}" for each in containers[:MAX_NAMED])
    more = f"; and {len(containers) - MAX_NAMED} more" if len(containers) > MAX_NAMED else ""
    return f"all {len(containers)} containers are down: {named}{more}"


def _cpu_limit(limits: Limits) -> float | None:
    return limits.cpu_quota / limits.cpu_period if limits.cpu_quota > 0 and limits.cpu_period > 0 else None


def _known(times: Iterable[float | None]) -> list[float]:
    return [time for time in times if time is not None]
