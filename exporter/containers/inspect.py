"""Parser of the engine's inspect: returns a `Container`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from exporter.containers.answers import AnswerError, Part, container_id, plain
from exporter.containers.model import HEALTHS, STATES, Container, Identity, Limits, Status
from exporter.peer_text import PeerText, Secrets

if TYPE_CHECKING:
    from exporter.containers.mapping import Place, ServiceMapping
    from exporter.containers.model import EngineInfo, Health, Product, State

DEFAULT_PERIOD = 100_000
"""Microseconds: the default of the engine for `--cpus`, and of the kernel for a quota without a period."""
MAX_NAME = 256
"""Characters of a name that a user chose."""
MAX_ERROR = 500
MAX_PATH = 1024
_MAX_PID = 2**31

_KEPT_RUNNING = ("always", "unless-stopped")
"""Restart policies that start a container again after it has exited with 0."""
_NEVER = "0001-01-01T00:00:00Z"

_STATES: dict[str, State] = {
    **{state: state for state in STATES},
    "configured": "created",
    "initialized": "created",
    "stopping": "running",
    "stopped": "exited",
}
"""Docker's states, and the additional ones of Podman."""


@dataclass(frozen=True, slots=True)
class _Places:
    """Default places of the cgroups of an engine's containers."""

    folder: str
    folder_prefix: str
    slice: str
    user_slice: str
    scope_prefix: str


_PLACES: dict[Product, _Places] = {
    "docker": _Places("docker", "", "system.slice", "user.slice", "docker-"),
    "podman": _Places("libpod_parent", "libpod-", "machine.slice", "user.slice", "libpod-"),
}


def container_of(inspected: Any, info: EngineInfo, mapping: ServiceMapping) -> Container | None:
    """Return the container; None if it is not to be watched. Its `oom_events` are not set here.

    Raises:
        ValueError: the answer does not match the API. One sentence.
    """
    try:
        answer = Part(inspected)
        config, host = answer.part("Config"), answer.part("HostConfig")
        name = plain(answer.text("Name").lstrip("/"), MAX_NAME)
        place = mapping.place(config.texts("Labels"), name)
        if place is None:
            return None
        return Container(
            identity=_identity(answer, name, place, info),
            status=_status(answer),
            limits=_limits(host),
            tty=config.flag("Tty"),
            network_mode=host.text("NetworkMode"),
            kept_running=host.part("RestartPolicy").text("Name") in _KEPT_RUNNING,
        )
    except AnswerError as error:
        raise ValueError(f"the engine's description of a container {error}") from None


def seconds_of(text: str) -> float | None:
    """Parse the engine's RFC 3339 time with nanoseconds to seconds since the epoch; None for its zero value.

    Raises:
        AnswerError: it is not a time.
    """
    if not text or text == _NEVER:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise AnswerError("has an invalid time") from None
    if moment.tzinfo is None:
        raise AnswerError("has a time without a time zone")
    seconds = moment.timestamp()
    return seconds if seconds > 0 else None


def cgroup_path(identifier: str, parent: str, info: EngineInfo) -> str:
    """Return the container's cgroup as the engine names it. `parent`: its CgroupParent, empty for the default.

    The API does not report a changed default of the engine (dockerd's `--cgroup-parent`), nor the parent of a
    container of Podman.
    """
    places = _PLACES[info.product]
    if info.cgroup_driver != "systemd":
        return f"/{(parent or places.folder).strip('/')}/{places.folder_prefix}{identifier}"
    slice_ = parent or (places.user_slice if info.rootless else places.slice)
    group = f"{_slice_path(slice_)}/{places.scope_prefix}{identifier}.scope"
    if info.rootless and info.user is not None:
        return f"/user.slice/user-{info.user}.slice/user@{info.user}.service{group}"
    return group


def _slice_path(name: str) -> str:
    """Return the path of a systemd slice: a-b.slice is in a.slice, and `-.slice` is the root."""
    stem = name.strip("/").removesuffix(".slice")
    if stem in ("", "-"):
        return ""
    steps = stem.split("-")
    return "".join(f"/{'-'.join(steps[: count + 1])}.slice" for count in range(len(steps)))


def _identity(answer: Part, name: str, place: Place, info: EngineInfo) -> Identity:
    container = container_id(answer.text("Id"))
    return Identity(
        id=container,
        name=name,
        image=plain(answer.part("Config").text("Image"), MAX_NAME),
        image_digest=plain(answer.text("Image"), MAX_NAME),
        cgroup=cgroup_path(container, answer.part("HostConfig").text("CgroupParent")[:MAX_PATH], info),
        service=place.service,
        labels=place.labels,
        project=place.project,
        slot=place.slot,
    )


def _status(answer: Part) -> Status:
    state = answer.part("State")
    named = _known_state(state.text("Status"))
    started = seconds_of(state.text("StartedAt"))
    ended = started is not None and named not in ("created", "running", "paused")
    unstartable = named == "created" and bool(state.text("Error"))
    return Status(
        state=named,
        health=_known_health(state.part("Health").text("Status") or "none"),
        exit_code=state.signed("ExitCode") if ended or unstartable else None,
        restarts=answer.whole("RestartCount") or 0,
        oom_killed=state.flag("OOMKilled"),
        created_at=seconds_of(answer.text("Created")),
        started_at=started,
        finished_at=seconds_of(state.text("FinishedAt")),
        # Podman already has a process for a container that is created but not started.
        pid=0 if named == "created" else _pid(state),
        error=plain(state.text("Error"), MAX_ERROR),
    )


def _pid(state: Part) -> int:
    pid = state.whole("Pid") or 0
    if pid > _MAX_PID:
        raise AnswerError("has a process id that is too large")
    return pid


def _known_state(named: str) -> State:
    found = _STATES.get(named)
    if found is None:
        raise AnswerError(f"has a state that is not known: {Secrets().shown(PeerText(named))}")
    return found


def _known_health(named: str) -> Health:
    for health in HEALTHS:
        if health == named:
            return health
    raise AnswerError(f"has a health that is not known: {Secrets().shown(PeerText(named))}")


def _limits(host: Part) -> Limits:
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


def _limit(host: Part, key: str) -> int:
    """Return a limit; 0 where the engine reports null, 0 or -1."""
    return max(0, host.signed(key) or 0)
