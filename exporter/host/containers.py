"""A container of a project as described by the engine, with the type of each value checked.

Names, images and labels are not trusted: print them through `shown`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

PROJECT_LABEL = "com.docker.compose.project"
SERVICE_LABEL = "com.docker.compose.service"
ONEOFF_LABEL = "com.docker.compose.oneoff"
HASH_LABEL = "com.docker.compose.config-hash"
NUMBER_LABEL = "com.docker.compose.container-number"

Json = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Mount:
    """Storage in a container: a volume by `name`, or a folder of the host at `source`."""

    type: str
    name: str
    source: str
    destination: str
    writable: bool


@dataclass(frozen=True, slots=True)
class Container:
    """One container. `health`: empty without a health check. `networks`: its address in each network, or empty."""

    id: str
    name: str
    service: str
    number: int
    state: str
    health: str
    exit_code: int
    error: str
    out_of_memory: bool
    restart_policy: str
    restarts: int
    image_id: str
    image_name: str
    config_hash: str
    user: str
    pid: int
    started: datetime | None
    finished: datetime | None
    health_output: str
    networks: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def running(self) -> bool:
        """True if it is running or paused."""
        return self.state in ("running", "paused")

    @property
    def healthy(self) -> bool:
        """True if it is running and its health check, if any, passes."""
        return self.state == "running" and self.health in ("", "healthy")

    @property
    def completed(self) -> bool:
        """True if it exited with 0 and is not restarted: a completed job."""
        return self.state == "exited" and self.exit_code == 0 and self.restart_policy in ("no", "on-failure")


def container_of(described: Json) -> Container:
    """Parse the engine's answer to `inspect`. Values that are missing or of another type are empty."""
    state, config = _part(described, "State"), _part(described, "Config")
    policy = _part(_part(described, "HostConfig"), "RestartPolicy")
    labels = {name: value for name, value in _part(config, "Labels").items() if isinstance(value, str)}
    networks = _part(_part(described, "NetworkSettings"), "Networks")
    number = labels.get(NUMBER_LABEL, "")
    health = _part(state, "Health")
    check = _text(health, "Status")
    return Container(
        id=_text(described, "Id"),
        name=_text(described, "Name").removeprefix("/"),
        service=labels.get(SERVICE_LABEL, ""),
        number=int(number) if number.isascii() and number.isdecimal() and len(number) < 10 else 0,
        state=_text(state, "Status"),
        health="" if check == "none" else check,
        exit_code=_number(state, "ExitCode"),
        error=_text(state, "Error"),
        out_of_memory=state.get("OOMKilled") is True,
        restart_policy=_text(policy, "Name") or "no",
        restarts=_number(described, "RestartCount"),
        image_id=_text(described, "Image"),
        image_name=_text(config, "Image"),
        config_hash=labels.get(HASH_LABEL, ""),
        user=_text(config, "User"),
        pid=_number(state, "Pid"),
        started=moment(_text(state, "StartedAt")),
        finished=moment(_text(state, "FinishedAt")),
        health_output=_last_output(health),
        networks={name: _text(_as_part(value), "IPAddress") for name, value in networks.items()},
        mounts=tuple(_mount(_as_part(each)) for each in _list(described, "Mounts")),
        labels=labels,
    )


def moment(text: str) -> datetime | None:
    """Parse the engine's time; None for its "never" (the year 1) and for anything that is not a time."""
    if not text.endswith("Z") or text.startswith("0001-"):
        return None
    whole, _, part = text[:-1].partition(".")
    try:
        return datetime.fromisoformat(f"{whole}.{part[:6]:0<6}+00:00")
    except ValueError:
        return None


def _last_output(health: Json) -> str:
    checks = [_as_part(each) for each in _list(health, "Log")]
    return _text(checks[-1], "Output")[:4096] if checks else ""


def _mount(described: Json) -> Mount:
    return Mount(
        _text(described, "Type"),
        _text(described, "Name"),
        _text(described, "Source"),
        _text(described, "Destination"),
        described.get("RW") is True,
    )


def _as_part(value: object) -> Json:
    return value if isinstance(value, Mapping) else {}


def _part(described: Json, key: str) -> Json:
    return _as_part(described.get(key))


def _list(described: Json, key: str) -> list[object]:
    value = described.get(key)
    return value if isinstance(value, list) else []


def _text(described: Json, key: str) -> str:
    value = described.get(key)
    return value if isinstance(value, str) else ""


def _number(described: Json, key: str) -> int:
    value = described.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
