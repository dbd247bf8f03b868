"""A netdata with only its cgroup collector, which keeps its samples in memory and serves them over HTTP."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from benchmarks.programs import BenchmarkError, Program, Programs, find, free_ports

if TYPE_CHECKING:
    from collections.abc import Iterable

CONFIG = """
[global]
  run as user = root
[directories]
  config = {folder}
  stock config = {folder}
  cache = {folder}/cache
  lib = {folder}/lib
  home = {folder}/lib
  lock = {folder}/lib
  registry = {folder}/lib
  log = {folder}/log
[db]
  mode = ram
  retention = 3600
  update every = 1
[logs]
  debug = none
  error = stderr
  access = none
[web]
  bind to = 127.0.0.1
  default port = {port}
[plugins]
  {off}
  cgroups = yes
{sections_off}
[plugin:cgroups]
  use unified cgroups = {unified}
  search for cgroups in subpaths matching = / /{parent} !*
  enable by default cgroups matching = /{parent}/* !*
  run script to rename cgroups matching = !*
  script to get cgroup network interfaces = {nothing}
  enable systemd services = no
  enable cpuacct usage (per core CPU) = no
  enable detailed memory = yes
  enable memory limits fail count = yes
  enable swap memory = yes
"""
"""The last three are on because the daemon exports the same. The network script is off because it takes a second per
container and its counters come from another plugin, which is off."""
OFF = (
    *(
        "proc",
        "diskspace",
        "tc",
        "idlejitter",
        "timex",
        "statsd",
        "apps",
        "perf",
        "slabinfo",
        "nfacct",
        "ebpf",
    ),
    *("charts.d", "python.d", "go.d", "node.d", "fping", "ioping", "cups", "xenstat", "freebsd", "checks"),
    *("profile", "netdata monitoring", "netdata monitoring extended", "enable running new plugins"),
)
SECTIONS_OFF = ("health", "registry", "ml")
CLOUD_OFF = "[global]\n  enabled = no\n"
NO_TELEMETRY = ".opt-out-from-anonymous-statistics"
CHARTS = ("cpu", "mem_usage", "pgfaults")
"""Charts that a container has from its first sample on."""
FIND_SECONDS = 120.0


class Netdata:
    """A netdata that samples every cgroup directly below `parent` once a second."""

    def __init__(self, programs: Programs, parent: str) -> None:
        binary = find("netdata", "netdata")
        port = free_ports(1)[0]
        folder = programs.folder / "netdata"
        for inner in ("cache", "log", "lib/cloud.d"):
            (folder / inner).mkdir(parents=True)
        (folder / "lib/cloud.d/cloud.conf").write_text(CLOUD_OFF)
        (folder / NO_TELEMETRY).touch()
        config = CONFIG.format(
            folder=folder,
            port=port,
            off="\n  ".join(f"{plugin} = no" for plugin in OFF),
            sections_off="\n".join(f"[{section}]\n  enabled = no" for section in SECTIONS_OFF),
            unified="yes" if Path("/sys/fs/cgroup/cgroup.controllers").exists() else "no",
            parent=parent,
            nothing=find("true", "coreutils"),
        )
        self._address = f"http://127.0.0.1:{port}"
        self.program: Program = programs.start(
            "netdata", binary, "-D", "-c", programs.write("netdata/netdata.conf", config)
        )
        self.program.wait_for(f"{self._address}/api/v1/info")

    @property
    def pids(self) -> list[int]:
        """Return its processes, including those that it starts programs with."""
        mine = self.program.pid
        children = Path(f"/proc/{mine}/task/{mine}/children").read_text().split()
        return [mine, *(int(child) for child in children)]

    def wait_for(self, count: int) -> None:
        """Wait until it samples this many containers.

        Raises:
            BenchmarkError: it does not find them.
        """
        end = time.monotonic() + FIND_SECONDS
        while (found := len(self._containers())) < count:
            self.program.check()
            if time.monotonic() > end:
                raise BenchmarkError(
                    f"netdata found {found} of {count} containers within {FIND_SECONDS:.0f} s"
                )
            time.sleep(0.5)

    def samples(self, began: float, ended: float) -> float:
        """Return how often it sampled all containers between two Unix times: the mean over the containers.

        Raises:
            BenchmarkError: more than a tenth of the seconds of a container are missing.
        """
        seconds = ended - began
        counts = [self._filled(f"{container}.cpu", began, ended) for container in self._containers()]
        if not counts or min(counts) < 0.9 * seconds:
            raise BenchmarkError(
                f"netdata sampled a container {min(counts, default=0)} times in {seconds:.0f} s"
            )
        return sum(counts) / len(counts)

    def dimensions(self) -> int:
        """Return the number of its time series."""
        return sum(len(chart["dimensions"]) for chart in self._charts().values())

    def _containers(self) -> set[str]:
        """Return the containers that have all of CHARTS."""
        charts = self._charts()
        return set.intersection(*(_with(charts, kind) for kind in CHARTS))

    def _charts(self) -> dict[str, dict[str, Any]]:
        return dict(self._ask("charts")["charts"])

    def _filled(self, chart: str, began: float, ended: float) -> int:
        """Return the seconds for which a chart has a value."""
        times = {"after": str(int(began) + 1), "before": str(int(ended)), "format": "json"}
        rows = self._ask("data", chart=chart, **times)["data"]
        return sum(row[1] is not None for row in rows)

    def _ask(self, what: str, **parameters: str) -> Any:
        answer = httpx.get(f"{self._address}/api/v1/{what}", params=parameters, timeout=60)
        return answer.raise_for_status().json()


def _with(charts: Iterable[str], kind: str) -> set[str]:
    return {chart.removesuffix(f".{kind}") for chart in charts if chart.endswith(f".{kind}")}
