"""The free space of volumes."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from exporter.catalog.planning.plan import VolumePlan
from exporter.storage.volumes import Space, Volumes, read_space

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MIB = 1024 * 1024


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Path]:
    """Mount a file system of 16 MiB and 100 inodes."""
    if os.geteuid() != 0:
        pytest.skip("mounting a file system needs root")
    place = tmp_path / "volume"
    place.mkdir()
    options = ("-t", "tmpfs", "-o", "size=16m,nr_inodes=100")
    done = subprocess.run(["mount", *options, "tmpfs", str(place)], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"cannot mount a file system here: {done.stderr}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_file_system_that_fills(mount: Path) -> None:
    plan = VolumePlan("data", str(mount))
    assert read_space(plan) == Space(16 * MIB, 16 * MIB, 99, 100)
    (mount / "file").write_bytes(bytes(4 * MIB))
    assert read_space(plan) == Space(12 * MIB, 16 * MIB, 98, 100)


def test_a_folder_without_a_mount_has_the_space_of_its_file_system(tmp_path: Path) -> None:
    space = read_space(VolumePlan("data", str(tmp_path)))
    assert space is not None
    found = os.statvfs(tmp_path)
    assert space.size_bytes == found.f_blocks * found.f_frsize
    assert 0 < space.avail_bytes <= space.size_bytes


def test_what_is_not_there_is_unknown_and_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    here, gone, file = tmp_path / "here", tmp_path / "gone", tmp_path / "file"
    here.mkdir()
    file.touch()
    volumes = Volumes(tuple(VolumePlan(place.name, str(place)) for place in (here, gone, file)))

    async def refresh() -> None:
        await volumes.refresh()
        await volumes.refresh()

    with caplog.at_level(logging.INFO):
        asyncio.run(refresh())
        assert volumes.spaces.keys() == {"here"}
        assert volumes.unreadable == {
            "gone": f"there is no folder {gone}",
            "file": f"{file} cannot be read: not a folder",
        }
        assert len(caplog.messages) == 2
        assert "exporter.volumes in the catalog" in caplog.messages[0]
        gone.mkdir()
        here.rmdir()
        asyncio.run(refresh())
    assert volumes.spaces.keys() == {"gone"}
    assert volumes.unreadable.keys() == {"here", "file"}


def test_a_file_system_that_does_not_answer_holds_up_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Use a pipe that nobody writes to as the hanging call, because a dead server cannot be simulated here."""
    reading, writing = os.pipe()
    real, dead = os.statvfs, tmp_path / "dead"
    dead.mkdir()

    def statvfs(path: str) -> os.statvfs_result:
        if path == str(dead):
            os.read(reading, 1)
        return real(path)

    monkeypatch.setattr(os, "statvfs", statvfs)
    volumes = Volumes((VolumePlan("dead", str(dead)), VolumePlan("data", str(tmp_path))), seconds=0.2)

    async def refresh() -> None:
        await volumes.refresh()
        assert volumes.spaces.keys() == {"data"}
        assert "does not answer (no answer within 0.2 s)" in volumes.unreadable["dead"]
        await volumes.refresh()
        assert volumes.spaces.keys() == {"data"}
        assert "an earlier call has not returned" in volumes.unreadable["dead"]
        os.close(writing)
        async with asyncio.timeout(10):
            while "dead" not in volumes.spaces:
                await asyncio.sleep(0.01)
                await volumes.refresh()

    asyncio.run(refresh())
    assert volumes.unreadable == {}
    os.close(reading)
