"""Names of block devices, which cgroups know by number only."""

from __future__ import annotations

import time

from exporter.containers.kernel_files import read

_KEPT = 300.0
"""Seconds; a number can be another device's after one was taken out and another put in."""


class BlockDevices:
    """`sys`: where sysfs is mounted. A container without one of its own sees the host's, so it is seldom elsewhere."""

    def __init__(self, sys: str = "/sys") -> None:
        self._folder = f"{sys}/dev/block"
        self._names: dict[str, str] = {}
        self._until = 0.0

    def name(self, number: str) -> str:
        """Such as `/dev/sda` of `8:0`; the number itself if the kernel tells no name."""
        now = time.monotonic()
        if now > self._until:
            self._names.clear()
            self._until = now + _KEPT
        name = self._names.get(number)
        if name is None:
            name = self._names[number] = self._look_up(number)
        return name

    def _look_up(self, number: str) -> str:
        for line in (read(f"{self._folder}/{number}/uevent") or b"").splitlines():
            key, _, value = line.partition(b"=")
            if key == b"DEVNAME":
                return f"/dev/{value.decode(errors='replace')}"
        return number
