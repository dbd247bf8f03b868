"""Interface and cgroup names are arbitrary bytes, which a privileged container can choose."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

from exporter.containers.cgroup import Hierarchy, find_group, find_hierarchy
from exporter.containers.model import Identity
from exporter.metrics.container_families import CONTAINER_FAMILIES, Seen, container_labels
from exporter.metrics.exposition import blocks
from exporter.metrics.items import Items
from tests.containers.recorded import FREE, WEB, RecordedHost

if TYPE_CHECKING:
    from pathlib import Path

HEAD = b"Inter-| Receive | Transmit\n face |bytes ...\n    lo: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n"
COUNTS = b" 1 2 3 4 0 0 0 0 5 6 7 8 0 0 0 0\n"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b"eth0", "eth0"),
        (b"\xff", "\\xff"),
        (b"\xc3\xa9", "é"),
        (b"a\x85b", "a\\x85b"),
        (b"a\xc2\x85", "a\x85"),
        (b"\x01\x1b[2J", "\x01\x1b[2J"),
        (b'a"b\\c{}', 'a"b\\c{}'),
    ],
)
def test_an_interface_of_any_name(tmp_path: Path, name: bytes, shown: str) -> None:
    host = RecordedHost(tmp_path, WEB)
    (host.proc / str(WEB.pid) / "net/dev").write_bytes(HEAD + b"  " + name + b":" + COUNTS)
    reading = host.read(WEB.container)
    assert reading is not None
    (interface,) = reading.interfaces
    assert interface.name == shown
    assert (interface.receive_bytes, interface.transmit_bytes) == (1, 5)
    items = Items(CONTAINER_FAMILIES)
    items.set("x", container_labels(WEB.container.identity), Seen(WEB.container, reading))
    text = b"".join(blocks((), "text", [items])).decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    (sample,) = families["container_network_receive_bytes"].samples
    assert sample.labels["interface"] == shown


@pytest.mark.parametrize(
    "table", [HEAD + b"eth0: 1 2\n", HEAD + b"eth0: x" + COUNTS, b"", b"\xff\xfe", HEAD + b"eth0\n"]
)
def test_a_table_that_is_no_table_is_its_containers_own_failure(tmp_path: Path, table: bytes) -> None:
    host = RecordedHost(tmp_path, WEB, FREE)
    (host.proc / str(WEB.pid) / "net/dev").write_bytes(table)

    async def check() -> None:
        readings = host.readings()
        await readings.refresh([WEB.container, FREE.container])
        assert FREE.id in readings.latest
        failed = WEB.id not in readings.latest
        assert readings.failures == {"cgroup": int(failed), "api": 0}
        await readings.close()

    asyncio.run(check())


@pytest.mark.parametrize("file", ["memory.stat", "cpu.stat", "io.stat", "pids.max", "memory.current"])
@pytest.mark.parametrize(
    "text", [b"\xff\xff\xff", b"a b c\n", b"8:0 rbytes=x wbytes=1 rios=1 wios=1\n", b"9" * 5000]
)
def test_a_file_that_is_not_as_documented_is_its_containers_own_failure(
    tmp_path: Path, file: str, text: bytes
) -> None:
    host = RecordedHost(tmp_path, WEB, FREE)
    (host.folder(WEB) / file).write_bytes(text)

    async def check() -> None:
        readings = host.readings()
        await readings.refresh([WEB.container, FREE.container])
        assert FREE.id in readings.latest
        assert readings.failures["cgroup"] == (WEB.id not in readings.latest)
        await readings.close()

    asyncio.run(check())


@pytest.mark.parametrize("inner", [b"", b"/a\x0bb", b"/\xff", b"/a:b", b"/\xe2\x80\xa8x", b"/..", b"/a\rb"])
def test_a_cgroup_of_any_name_within_the_containers(tmp_path: Path, inner: bytes) -> None:
    host = RecordedHost(tmp_path, WEB)
    (host.proc / str(WEB.pid) / "cgroup").write_bytes(b"0::" + WEB.cgroup.encode() + inner + b"\n")
    identity = replace(WEB.container.identity, cgroup="/elsewhere")
    reading = host.read(replace(WEB.container, identity=identity))
    assert reading is not None
    assert reading.memory_usage


def test_a_parent_of_any_name(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").touch()
    hierarchy = Hierarchy(2, {"": str(tmp_path)})
    for name in ("a\udcffb", "a\x0bb"):
        (tmp_path / name / "f00d").mkdir(parents=True)
        membership = b"0::/" + name.encode("utf-8", "surrogateescape") + b"/f00d\n\n1:name=x:y:/z\nnonsense\n"
        group = find_group(hierarchy, Identity("f00d", "x", "", "", "/nowhere"), membership)
        assert group is not None
        assert group.folders == {"": f"{tmp_path}/{name}/f00d"}


@pytest.mark.parametrize("written", [r"a\040b", r"a\134b", "a\x0bb", "a\x85b", "a\u00a0b"])
def test_a_mount_of_any_name(tmp_path: Path, written: str) -> None:
    mountinfo = tmp_path / "mountinfo"
    other = "20 1 0:1 / /other\x0b rw - tmpfs  rw\n\n21 nonsense\n"
    mountinfo.write_text(f"{other}36 35 0:31 / /mnt/{written} rw,relatime shared:1 - cgroup2 cgroup2 rw\n")
    found = find_hierarchy(None, str(tmp_path / "none"), str(mountinfo))
    assert found is not None
    point = written.replace(r"\040", " ").replace(r"\134", "\\")
    assert found.mounts == {"": f"/mnt/{point}"}
