"""Names of block devices, which cgroups know by number only."""

from __future__ import annotations

import time

from exporter.containers.kernel_files import read

_KEPT = 300.0
"""Seconds; a number can be another device's after one was taken out and another put in."""


class BlockDevices:
    """`sys`: where sysfs is mounted, which shows the host's devices in a container too; None if no name is known."""

    def __init__(self, sys: str | None = "/sys") -> None:
        self._folder = None if sys is None else f"{sys}/dev/block"
        self._names: dict[str, str] = {}
        self._until = 0.0

    def name(self, number: str) -> str:
        """Such as `/dev/sda` of `8:0`; the number itself if the kernel tells no name."""
        if self._folder is None:
            return number
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
                return "/dev/" + value.decode("utf-8", "backslashreplace")
        return number
