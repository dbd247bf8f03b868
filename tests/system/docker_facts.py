"""Expected metrics of a container: from the engine's inspect, the kernel's cgroup v1 files, and the engine's
statistics. None of them is read with the product's code, and each source is read separately."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Key = tuple[str, frozenset[tuple[str, str]]]
"""Family, and the labels of a sample in addition to those of every sample of a container."""
Facts = dict[Key, float]

CGROUPS = Path("/sys/fs/cgroup")
STATES = ("created", "running", "paused", "restarting", "removing", "exited", "dead")
HEALTHS = ("none", "starting", "healthy", "unhealthy")
ACTIVE = ("running", "paused")
COMMON_LABELS = ("id", "image", "name", "service")

_NEVER = "0001-01-01T00:00:00Z"
_NANO = 1e9
_TICKS = 100
"""USER_HZ, which is the same on all Linux systems that run these tests."""
_UNLIMITED = 2**62
_TINY = 1e-6
"""Precision of a float for Unix times."""


class Witnesses:
    """Independent sources of the expected values: the engine's socket and the kernel."""

    def __init__(self, socket: Path) -> None:
        self._http = httpx.Client(
            transport=httpx.HTTPTransport(uds=str(socket)), base_url="http://docker", timeout=20
        )

    def close(self) -> None:
        self._http.close()

    def inspect(self, container: str) -> Any:
        return self._http.get(f"/containers/{container}/json").raise_for_status().json()

    def names(self) -> set[str]:
        """Return the names of all containers."""
        listed = self._http.get("/containers/json", params={"all": "1"}).raise_for_status().json()
        return {one["Names"][0].removeprefix("/") for one in listed}

    def hear(self, container: str) -> dict[str, Facts]:
        """Return what each source reports at this moment. For a stopped container only `inspect` reports something."""
        while True:
            inspected = self.inspect(container)
            heard = {"inspect": _of_inspect(inspected)}
            state = inspected["State"]
            if state["Status"] not in ACTIVE:
                return heard
            try:
                heard["kernel"] = _of_kernel(state["Pid"])
                heard["statistics"] = _of_statistics(self._statistics(container))
            except (OSError, KeyError, ValueError):
                # If the container has exited meanwhile, ignore this; otherwise it is an error.
                until(lambda pid=state["Pid"]: self.inspect(container)["State"]["Pid"] != pid, "its end", 5)  # type: ignore[misc] # a default argument
            else:
                return heard

    def _statistics(self, container: str) -> Any:
        asked = {"stream": "false", "one-shot": "true"}
        return self._http.get(f"/containers/{container}/stats", params=asked).raise_for_status().json()


def exported(text: str) -> dict[str, tuple[dict[str, str], Facts]]:
    """Return, for each container by name, the labels common to all its samples, and its samples."""
    found: dict[str, tuple[dict[str, str], Facts]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if not sample.name.startswith("container_") or "id" not in sample.labels:
                continue
            common = {
                name: value
                for name, value in sample.labels.items()
                if name in COMMON_LABELS or name.startswith("container_label_")
            }
            labels, facts = found.setdefault(common["name"], (common, {}))
            assert labels == common, f"{sample.name} has other labels: {common}"
            # This parser adds a suffix to the only cAdvisor counter that has none.
            name = sample.name.replace("failcnt_total", "failcnt")
            key = name, frozenset(sample.labels.items() - common.items())
            assert key not in facts, f"{key} is there twice"
            facts[key] = sample.value
    return found


def families(facts: Iterable[Key]) -> set[str]:
    return {family for family, _ in facts}


def differences(before: Mapping[str, Facts], found: Facts, after: Mapping[str, Facts]) -> list[str]:
    """Describe where `found` is not between what each source reported before and after."""
    complaints = []
    for witness, facts in before.items():
        if facts.keys() != after.get(witness, {}).keys():
            complaints.append(f"{witness} says something else already")
            continue
        for key in facts.keys() & found.keys():
            low, high = sorted((facts[key], after[witness][key]))
            if not low - _TINY <= found[key] <= high + _TINY:
                complaints.append(f"{key}: {found[key]}, and {witness} says {low} to {high}")
    return complaints


def strays(heard: Mapping[str, Facts], found: Facts) -> list[str]:
    """Return samples that are exported but unknown, or that inspect or the kernel know and are not exported."""
    known = heard["inspect"].keys() | heard.get("kernel", {}).keys()
    return [f"{key} is not exported" for key in known - found.keys()] + [
        f"{key} is exported" for key in found.keys() - known
    ]


def _key(family: str, **labels: str) -> Key:
    return f"container_{family}", frozenset(labels.items())


def _seconds(text: str) -> float | None:
    return None if text == _NEVER else datetime.fromisoformat(text).timestamp()


def _of_inspect(inspected: Any) -> Facts:
    state, host = inspected["State"], inspected["HostConfig"]
    health = state.get("Health") or {"Status": "none"}
    active = state["Status"] in ACTIVE
    started, finished = _seconds(state["StartedAt"]), _seconds(state["FinishedAt"])
    period, quota = host["CpuPeriod"], host["CpuQuota"]
    if host["NanoCpus"]:
        period, quota = 100_000, host["NanoCpus"] * 100_000 // 1_000_000_000
    facts: dict[Key, float | None] = {
        **{_key("state", state=one): one == state["Status"] for one in STATES},
        **{_key("health_status", status=one): one == health["Status"] for one in HEALTHS},
        _key("exit_code"): state["ExitCode"] if started and not active else None,
        _key("oom_killed"): state["OOMKilled"],
        _key("oom_events_total"): None if active else state["OOMKilled"],
        _key("restarts_total"): inspected["RestartCount"],
        _key("image_info", image_digest=inspected["Image"]): 1,
        _key("start_time_seconds"): started if active else None,
        _key("finish_time_seconds"): None if active else finished,
        _key("creation_time_seconds"): _seconds(inspected["Created"]),
        _key("spec_cpu_period"): period,
        _key("spec_cpu_quota"): quota or None,
        _key("spec_cpu_shares"): host["CpuShares"],
        _key("spec_memory_limit_bytes"): host["Memory"],
        _key("spec_memory_swap_limit_bytes"): max(0, host["MemorySwap"]),
        _key("spec_memory_reservation_limit_bytes"): host["MemoryReservation"],
    }
    return {key: float(value) for key, value in facts.items() if value is not None}


def _of_kernel(pid: int) -> Facts:
    """Return values from the kernel files, by Documentation/admin-guide/cgroup-v1 and cAdvisor's definition of the
    working set."""
    now = time.time()
    groups = {}
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        groups.update(dict.fromkeys(controllers.split(","), path))

    def text(controller: str, file: str) -> str:
        return (CGROUPS / controller / groups[controller].strip("/") / file).read_text()

    def table(controller: str, file: str) -> dict[str, int]:
        rows = (line.split() for line in text(controller, file).splitlines())
        return {name: int(value) for name, value in rows}

    def number(controller: str, file: str) -> int:
        return int(text(controller, file))

    def limit(file: str) -> int:
        bytes_ = number("memory", file)
        return 0 if bytes_ >= _UNLIMITED else bytes_

    memory, usage = table("memory", "memory.stat"), number("memory", "memory.usage_in_bytes")
    throttling, ticks = table("cpu", "cpu.stat"), table("cpuacct", "cpuacct.stat")
    quota, most = number("cpu", "cpu.cfs_quota_us"), text("pids", "pids.max").strip()
    limits = {} if quota < 0 else {
        _key("spec_cpu_quota"): quota, _key("spec_cpu_period"): number("cpu", "cpu.cfs_period_us")
    }  # fmt: skip
    return {
        **limits,
        _key("last_seen"): now,
        _key("oom_events_total"): table("memory", "memory.oom_control")["oom_kill"],
        _key("cpu_usage_seconds_total", cpu="total"): number("cpuacct", "cpuacct.usage") / _NANO,
        _key("cpu_user_seconds_total"): ticks["user"] / _TICKS,
        _key("cpu_system_seconds_total"): ticks["system"] / _TICKS,
        _key("cpu_cfs_periods_total"): throttling["nr_periods"],
        _key("cpu_cfs_throttled_periods_total"): throttling["nr_throttled"],
        _key("cpu_cfs_throttled_seconds_total"): throttling["throttled_time"] / _NANO,
        _key("memory_kernel_usage"): number("memory", "memory.kmem.usage_in_bytes"),
        _key("memory_swap"): memory["total_swap"],
        _key("spec_memory_limit_bytes"): limit("memory.limit_in_bytes"),
        _key("spec_memory_swap_limit_bytes"): limit("memory.memsw.limit_in_bytes"),
        _key("spec_memory_reservation_limit_bytes"): limit("memory.soft_limit_in_bytes"),
        **_of_memory(
            memory,
            usage,
            number("memory", "memory.max_usage_in_bytes"),
            number("memory", "memory.failcnt"),
        ),
        _key("processes"): len(text("pids", "cgroup.procs").split()),
        _key("threads"): number("pids", "pids.current"),
        _key("threads_max"): 0 if most == "max" else int(most),
        **_of_network(Path(f"/proc/{pid}/net/dev").read_text()),
        **_of_devices(
            {
                (kind, words[0], words[1]): int(words[2])
                for kind, file in (("bytes", "io_service_bytes"), ("count", "io_serviced"))
                for line in text("blkio", f"blkio.throttle.{file}_recursive").splitlines()
                if len(words := line.split()) == 3
            }
        ),
    }


def _of_statistics(answer: Any) -> Facts:
    """Return values from the statistics, under the names of cgroup v1. They omit values of 0."""
    cpu, memory, processes = answer["cpu_stats"], answer["memory_stats"], answer["pids_stats"]
    throttling, used = cpu["throttling_data"], cpu["cpu_usage"]
    io = answer["blkio_stats"]
    return {
        _key("cpu_usage_seconds_total", cpu="total"): used["total_usage"] / _NANO,
        _key("cpu_user_seconds_total"): used["usage_in_usermode"] / _NANO,
        _key("cpu_system_seconds_total"): used["usage_in_kernelmode"] / _NANO,
        _key("cpu_cfs_periods_total"): throttling["periods"],
        _key("cpu_cfs_throttled_periods_total"): throttling["throttled_periods"],
        _key("cpu_cfs_throttled_seconds_total"): throttling["throttled_time"] / _NANO,
        **_of_memory(memory["stats"], memory["usage"], memory.get("max_usage", 0), memory.get("failcnt", 0)),
        _key("threads"): processes["current"],
        _key("threads_max"): processes.get("limit", 0),
        **{
            _key(f"network_{name}_total", interface=interface): counts[field]
            for interface, counts in answer["networks"].items()
            for name, field in zip(_NETWORK, _STATISTICS_NETWORK, strict=True)
        },
        **_of_devices(
            {
                (kind, f"{one['major']}:{one['minor']}", one["op"].capitalize()): one["value"]
                for kind, name in (
                    ("bytes", "io_service_bytes_recursive"),
                    ("count", "io_serviced_recursive"),
                )
                for one in io[name] or ()
            }
        ),
    }


def _of_memory(memory: Mapping[str, int], usage: int, most: int, failures: int) -> Facts:
    return {
        _key("memory_usage_bytes"): usage,
        _key("memory_working_set_bytes"): max(0, usage - memory["total_inactive_file"]),
        _key("memory_rss"): memory["total_rss"],
        _key("memory_cache"): memory["total_cache"],
        _key("memory_mapped_file"): memory["total_mapped_file"],
        _key("memory_max_usage_bytes"): most,
        _key("memory_total_active_file_bytes"): memory["total_active_file"],
        _key("memory_total_inactive_file_bytes"): memory["total_inactive_file"],
        _key("memory_failcnt"): failures,
        _key("memory_failures_total", failure_type="pgfault", scope="container"): memory["total_pgfault"],
        _key("memory_failures_total", failure_type="pgmajfault", scope="container"): memory[
            "total_pgmajfault"
        ],
    }


_NETWORK = tuple(
    f"{direction}_{what}"
    for direction in ("receive", "transmit")
    for what in ("bytes", "packets", "errors", "packets_dropped")
)
_STATISTICS_NETWORK = tuple(
    f"{way}_{what}" for way in ("rx", "tx") for what in ("bytes", "packets", "errors", "dropped")
)


def _of_network(table: str) -> Facts:
    """Parse /proc/PID/net/dev: eight columns received, eight sent; the first four of each are needed."""
    facts: Facts = {}
    for line in table.splitlines()[2:]:
        interface, columns = (part.strip() for part in line.split(":"))
        if interface != "lo":
            values = columns.split()
            for name, value in zip(_NETWORK, values[0:4] + values[8:12], strict=True):
                facts[_key(f"network_{name}_total", interface=interface)] = int(value)
    return facts


def _of_devices(counts: Mapping[tuple[str, str, str], int]) -> Facts:
    """Return values by kind (bytes, count), device number and operation."""
    names = {("bytes", "Read"): "reads_bytes", ("bytes", "Write"): "writes_bytes",
             ("count", "Read"): "reads", ("count", "Write"): "writes"}  # fmt: skip
    facts: Facts = {}
    for (kind, device, operation), count in counts.items():
        if name := names.get((kind, operation)):
            node = f"/dev/{Path('/sys/dev/block', device).resolve().name}"
            facts[_key(f"fs_{name}_total", device=node)] = count
    return facts
