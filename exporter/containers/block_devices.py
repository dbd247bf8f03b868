"""Names of block devices, for which cgroups have only numbers."""

from __future__ import annotations

import time

from exporter.containers.kernel_files import read

_KEPT = 300.0
"""Seconds; after a device was replaced, its number can belong to another device."""


class BlockDevices:
    """A cache of device names.

    `sys`: mount point of sysfs, which shows the host's devices also in a container; None if names cannot be known.
    """

    def __init__(self, sys: str | None = "/sys") -> None:
        self._folder = None if sys is None else f"{sys}/dev/block"
        self._names: dict[str, str] = {}
        self._until = 0.0

    def name(self, number: str) -> str:
        """Return the name of a device, such as `/dev/sda` for `8:0`; the number itself if the kernel has no name."""
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
