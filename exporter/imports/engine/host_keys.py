"""Keys of a service that say what the engine grants its container: limits, rights, devices, logs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from exporter.catalog.reading.warnings import is_secret_name
from exporter.catalog.values.words import quoted
from exporter.imports.masking import masked
from exporter.imports.project import Note

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.host.engine_values import EngineFacts
    from exporter.imports.engine.answers import Part
    from exporter.imports.engine.found import Found

_UNITS = (("g", 1024**3), ("m", 1024**2), ("k", 1024))
_USUAL_SHM = 64 * 1024**2


@dataclass(frozen=True, slots=True)
class _Field:
    """A field of HostConfig as a key; a value in `usual` is the engine's own and says nothing."""

    read: Callable[[Part], Any]
    usual: tuple[object, ...] = ()


def _size(field: str) -> Callable[[Part], str]:
    return lambda host: _bytes(host.number(field))


def _text(field: str) -> Callable[[Part], str]:
    return lambda host: host.text(field)


def _texts(field: str) -> Callable[[Part], list[str]]:
    return lambda host: [*host.texts(field)]


def _number(field: str) -> Callable[[Part], int]:
    return lambda host: max(host.number(field), 0)


def _flag(field: str) -> Callable[[Part], bool]:
    return lambda host: host.flag(field)


def _cpus(host: Part) -> float:
    if host.number("NanoCpus") > 0:
        return host.number("NanoCpus") / 1e9
    quota, period = host.number("CpuQuota"), host.number("CpuPeriod") or 100_000
    return round(quota / period, 3) if quota > 0 and period > 0 else 0


def _restart(host: Part) -> str:
    policy = host.part("RestartPolicy")
    name, retries = policy.text("Name"), policy.number("MaximumRetryCount")
    return f"{name}:{retries}" if name == "on-failure" and retries > 0 else name


def _swap(host: Part) -> str | int:
    """Return the limit of memory and swap, unless it is the engine's own: twice the memory."""
    swap, memory = host.number("MemorySwap"), host.number("Memory")
    if swap == -1:
        return -1
    return "" if swap == 2 * memory else _bytes(swap)


def _shm(host: Part) -> str:
    return "" if host.number("ShmSize") == _USUAL_SHM else _bytes(host.number("ShmSize"))


def _ulimits(host: Part) -> dict[str, Any]:
    return {
        limit.text("Name"): {"soft": limit.number("Soft"), "hard": limit.number("Hard")}
        for limit in host.parts("Ulimits")
        if limit.text("Name")
    }


def _devices(host: Part) -> list[str]:
    return [
        ":".join(
            (each.text("PathOnHost"), each.text("PathInContainer"), each.text("CgroupPermissions") or "rwm")
        )
        for each in host.parts("Devices")
        if each.text("PathOnHost")
    ]


def _gpus(host: Part) -> list[dict[str, Any]]:
    found = []
    for each in host.parts("DeviceRequests"):
        count, ids = each.number("Count"), [*each.texts("DeviceIDs")]
        request: dict[str, Any] = {"driver": each.text("Driver"), "device_ids": ids}
        if not ids:
            request["count"] = "all" if count < 0 else count
        found.append({key: value for key, value in request.items() if value})
    return found


def _security(host: Part) -> list[str]:
    """Return security options, but not a whole seccomp profile, which the client that made the container read."""
    options = host.texts("SecurityOpt")
    if any("{" in option for option in options):
        host.left_out("SecurityOpt")
    return [option for option in options if "{" not in option]


def _tmpfs(host: Part) -> list[str]:
    return [f"{path}:{options}" if options else path for path, options in host.texts_by_name("Tmpfs").items()]


_FIELDS = {
    "restart": _Field(_restart, ("no",)),
    "cpus": _Field(_cpus),
    "cpu_shares": _Field(_number("CpuShares")),
    "cpuset": _Field(_text("CpusetCpus")),
    "mem_limit": _Field(_size("Memory")),
    "mem_reservation": _Field(_size("MemoryReservation")),
    "memswap_limit": _Field(_swap),
    "pids_limit": _Field(_number("PidsLimit")),
    "oom_kill_disable": _Field(_flag("OomKillDisable")),
    "oom_score_adj": _Field(lambda host: host.number("OomScoreAdj")),
    "shm_size": _Field(_shm),
    "ulimits": _Field(_ulimits),
    "sysctls": _Field(lambda host: host.texts_by_name("Sysctls")),
    "read_only": _Field(_flag("ReadonlyRootfs")),
    "privileged": _Field(_flag("Privileged")),
    "init": _Field(_flag("Init")),
    "cap_add": _Field(_texts("CapAdd")),
    "cap_drop": _Field(_texts("CapDrop")),
    "security_opt": _Field(_security, (["label=disable"],)),
    "group_add": _Field(_texts("GroupAdd")),
    "devices": _Field(_devices),
    "device_cgroup_rules": _Field(_texts("DeviceCgroupRules")),
    "gpus": _Field(_gpus),
    "tmpfs": _Field(_tmpfs),
    "extra_hosts": _Field(_texts("ExtraHosts")),
    "dns": _Field(_texts("Dns")),
    "dns_search": _Field(_texts("DnsSearch")),
    "dns_opt": _Field(_texts("DnsOptions")),
    "pid": _Field(_text("PidMode")),
    "ipc": _Field(_text("IpcMode"), ("private", "shareable")),
    "uts": _Field(_text("UTSMode")),
    "userns_mode": _Field(_text("UsernsMode")),
    "cgroup_parent": _Field(_text("CgroupParent")),
}


def host_keys(found: Found, facts: EngineFacts, notes: list[Note]) -> dict[str, Any]:
    """Return what the container was given besides the engine's own defaults."""
    host = found.described.part("HostConfig")
    keys = {key: field.read(host) for key, field in _FIELDS.items()}
    keys = {key: _escaped(value) for key, value in keys.items() if value and value not in _FIELDS[key].usual}
    if host.text("Runtime") not in ("", "runc", facts.runtime):
        keys["runtime"] = _escaped(host.text("Runtime"))
    logging = _logging(found, host.part("LogConfig"), facts, notes)
    return {**keys, "logging": logging} if logging else keys


def _logging(found: Found, log: Part, facts: EngineFacts, notes: list[Note]) -> dict[str, Any]:
    driver, options = log.text("Type"), log.texts_by_name("Config")
    if not options and driver in ("", "json-file", facts.log_driver):
        return {}
    kept = {}
    for name, value in options.items():
        if is_secret_name(name) or masked(value, lambda _: "") != value:
            sentence = f"the log option {quoted(name)} holds a secret; it is left out"
            notes.append(Note(sentence, place=found.place))
        else:
            kept[name] = _escaped(value)
    return {"driver": driver} | ({"options": kept} if kept else {})


def _bytes(size: int) -> str:
    """Return a size as every Compose reads it; empty for none."""
    if size <= 0:
        return ""
    unit, factor = next((each for each in _UNITS if size % each[1] == 0), ("b", 1))
    return f"{size // factor}{unit}"


def _escaped(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, list):
        return [_escaped(each) for each in value]
    return {key: _escaped(each) for key, each in value.items()} if isinstance(value, dict) else value
