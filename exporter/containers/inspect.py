"""What the engine's inspect says of a container, as a `Container`."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from exporter.containers.model import HEALTHS, STATES, Container, Identity, Limits, Status

if TYPE_CHECKING:
    from exporter.containers.mapping import Place, ServiceMapping
    from exporter.containers.model import EngineInfo, Health, State

DEFAULT_PERIOD = 100_000
"""Microseconds: what the engine takes for `--cpus`, and the kernel for a quota without a period."""

_NEVER = "0001-01-01T00:00:00Z"


def container_of(inspected: Any, info: EngineInfo, mapping: ServiceMapping) -> Container | None:
    """None of a container that is not to be watched. Its `oom_events` are for others to count.

    Raises:
        ValueError: the answer is not as the API has it. One sentence.
    """
    try:
        name = inspected["Name"].lstrip("/")
        place = mapping.place(inspected["Config"].get("Labels") or {}, name)
        if place is None:
            return None
        return Container(
            identity=_identity(inspected, name, place, info),
            status=_status(inspected),
            limits=_limits(inspected["HostConfig"]),
            tty=bool(inspected["Config"].get("Tty")),
            network_mode=inspected["HostConfig"].get("NetworkMode") or "",
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"the engine's description of a container is not as expected: {error!r}") from None


def seconds_of(text: str | None) -> float | None:
    """Seconds since the epoch, of the engine's RFC 3339 with nanoseconds; none of its zero.

    Raises:
        ValueError: it is not a time.
    """
    if not text or text == _NEVER:
        return None
    seconds = datetime.fromisoformat(text).timestamp()
    return seconds if seconds > 0 else None


def cgroup_path(identifier: str, parent: str, info: EngineInfo) -> str:
    """The container's cgroup as the engine names it. `parent`: the container's CgroupParent, empty for the default.

    A default that was changed for the whole engine (dockerd's `--cgroup-parent`) is not known to its API.
    """
    if info.cgroup_driver != "systemd":
        return f"/{(parent or 'docker').strip('/')}/{identifier}"
    group = f"{_slice_path(parent or ('user.slice' if info.rootless else 'system.slice'))}/docker-{identifier}.scope"
    if info.rootless and info.user is not None:
        return f"/user.slice/user-{info.user}.slice/user@{info.user}.service{group}"
    return group


def _slice_path(name: str) -> str:
    """systemd keeps a-b.slice in a.slice; `-.slice` is the root."""
    stem = name.strip("/").removesuffix(".slice")
    if stem in ("", "-"):
        return ""
    steps = stem.split("-")
    return "".join(f"/{'-'.join(steps[: count + 1])}.slice" for count in range(len(steps)))


def _identity(inspected: Any, name: str, place: Place, info: EngineInfo) -> Identity:
    identifier = inspected["Id"]
    return Identity(
        id=identifier,
        name=name,
        image=inspected["Config"].get("Image") or "",
        image_digest=inspected.get("Image") or "",
        cgroup=cgroup_path(identifier, inspected["HostConfig"].get("CgroupParent") or "", info),
        service=place.service,
        labels=place.labels,
        project=place.project,
        slot=place.slot,
    )


def _status(inspected: Any) -> Status:
    state = inspected["State"]
    health = state.get("Health") or {}
    named = _known_state(state["Status"])
    started = seconds_of(state.get("StartedAt"))
    ended = started is not None and named not in ("created", "running", "paused")
    unstartable = named == "created" and bool(state.get("Error"))
    return Status(
        state=named,
        health=_known_health(health.get("Status") or "none"),
        exit_code=state.get("ExitCode") if ended or unstartable else None,
        restarts=inspected.get("RestartCount") or 0,
        oom_killed=bool(state.get("OOMKilled")),
        created_at=seconds_of(inspected.get("Created")),
        started_at=started,
        finished_at=seconds_of(state.get("FinishedAt")),
        pid=state.get("Pid") or 0,
        error=state.get("Error") or "",
    )


def _known_state(named: str) -> State:
    for state in STATES:
        if state == named:
            return state
    raise ValueError(f"the engine has a container in a state that is not known: {named!r}")


def _known_health(named: str) -> Health:
    for health in HEALTHS:
        if health == named:
            return health
    raise ValueError(f"the engine has a container with a health that is not known: {named!r}")


def _limits(host: Any) -> Limits:
    period, quota = _limit(host, "CpuPeriod"), _limit(host, "CpuQuota")
    if nano := _limit(host, "NanoCpus"):
        period = DEFAULT_PERIOD
        quota = nano * DEFAULT_PERIOD // 1_000_000_000
    elif quota:
        period = period or DEFAULT_PERIOD
    return Limits(
        memory=_limit(host, "Memory"),
        memory_swap=_limit(host, "MemorySwap"),
        memory_reservation=_limit(host, "MemoryReservation"),
        cpu_period=period,
        cpu_quota=quota,
        cpu_shares=_limit(host, "CpuShares"),
        processes=_limit(host, "PidsLimit"),
    )


def _limit(host: Any, key: str) -> int:
    """0 where the engine says null, 0 or -1."""
    return max(0, host.get(key) or 0)
