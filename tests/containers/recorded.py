"""A recorded cgroup v2 host (tests/data/cgroup-v2), copied to a folder of the test.

The machines that run the tests may have cgroup v1, and tests must not change their cgroups. The files come from
Debian 12, Linux 6.1 and Docker 20.10, together with the engine's own answers. Four containers use the systemd driver:
`web` (64 MiB, half a CPU), `free` (no limits), `spin` (a tenth of a CPU, always busy) and `oom` (8 MiB, killed again
and again). `web` was also recorded with the cgroupfs driver. The root's `cgroup.controllers` was not recorded.
"""

from __future__ import annotations

import asyncio
import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from exporter.catalog.planning.plan import ContainersPlan, Endpoint
from exporter.containers.engine import Engine
from exporter.containers.model import Container, Identity, Reading, Source, Status
from exporter.containers.readings import Readings

DATA = Path(__file__).parents[1] / "data/cgroup-v2"


@dataclass(frozen=True)
class Recorded:
    name: str
    driver: Literal["systemd", "cgroupfs"]
    id: str
    pid: int

    @property
    def cgroup(self) -> str:
        return f"/docker/{self.id}" if self.driver == "cgroupfs" else f"/system.slice/docker-{self.id}.scope"

    @property
    def recording(self) -> Path:
        return DATA / self.driver / "sys/fs/cgroup" / self.cgroup[1:]

    @property
    def statistics(self) -> Any:
        """Return the engine's statistics from about the same moment."""
        return json.loads((DATA / f"{self.name}.stats.json").read_text())

    @property
    def container(self) -> Container:
        return Container(
            Identity(self.id, self.name, "busybox", "", self.cgroup),
            Status("running", pid=self.pid, started_at=1.0),
            network_mode="default",
        )


WEB = Recorded("web", "systemd", "a62271118aab3fe69d5261dba3d7e4a22d7163dfd2793b6bbad3d1c609a420df", 530)
FREE = Recorded("free", "systemd", "ec04dda66c169103194ab91273ff0f326d083bc612829e1f3d648d5db013b347", 604)
SPIN = Recorded("spin", "systemd", "9876a587e7fea100a8f4daaa90ce53cf62e65ea9f66e8511205d4ce83706daf3", 674)
OOM = Recorded("oom", "systemd", "946f1e542be28bf3d64aab0eeec55db3539bd2542ea5b4fa1dd4422a70da1b20", 746)
WEB_CGROUPFS = Recorded(
    "web", "cgroupfs", "a202d38e17d3203556ac842dc4a5b1742925122556d97229eccd0055f420aa4c", 1215
)


class RecordedHost:
    """The folders `root/cgroup` and `root/proc`, which the test can change."""

    def __init__(self, root: Path, *containers: Recorded) -> None:
        self.cgroup = root / "cgroup"
        self.proc = root / "proc"
        self.cgroup.mkdir()
        (self.cgroup / "cgroup.controllers").write_text("cpuset cpu io memory hugetlb pids rdma misc\n")
        for recorded in containers:
            shutil.copytree(recorded.recording, self.folder(recorded))
            process = self.proc / str(recorded.pid)
            (process / "net").mkdir(parents=True)
            (process / "cgroup").write_text(f"0::{recorded.cgroup}\n")
            name = recorded.name if (DATA / "proc" / recorded.name).exists() else "spin"
            shutil.copy(DATA / "proc" / name / "net_dev", process / "net/dev")

    def folder(self, recorded: Recorded) -> Path:
        return self.cgroup / recorded.cgroup[1:]

    def readings(self, source: Literal["auto", "cgroup"] = "auto", interval: float = 0.0) -> Readings:
        """Return readings for an engine that does not exist and is not queried."""
        plan = ContainersPlan(source=source, interval=interval, cgroup=str(self.cgroup), proc=str(self.proc))
        return Readings(plan, Engine(Endpoint("nowhere", socket="/nonexistent/docker.sock")))

    def read(self, container: Container, source: Literal["auto", "cgroup"] = "cgroup") -> Reading | None:
        """Read once, at time 0."""

        async def once() -> Reading | None:
            readings = self.readings(source)
            await readings.refresh([container])
            reading = readings.latest.get(container.identity.id)
            await readings.close()
            return reading and replace(reading, taken_at=0.0)

        return asyncio.run(once())

    def source_of(self, container: Container) -> Source | None:
        return self.readings("auto").source_of(container)
