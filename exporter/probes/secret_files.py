"""Secret files, read in threads before each run that needs them.

A disk that does not answer delays only the probes that wait for it. A rotated secret is used from the next run on.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from exporter.aside import begin
from exporter.files import no_answer
from exporter.probes.base import ProbeFailure, Reason
from exporter.probes.clock import clock
from exporter.probes.void import void_of

if TYPE_CHECKING:
    from exporter.catalog.values.secret_text import FileReference

_looks: dict[FileReference, asyncio.Future[None]] = {}
"""Running reads. All probes that need a file wait for the same read, so a dead disk blocks one thread per file."""


async def look_at(files: tuple[FileReference, ...], deadline: float) -> None:
    """Read these files. A file that cannot be read fails the probe later, when it uses the secret.

    Raises:
        ProbeFailure: `secret`, if a file system has not answered by the deadline.
        SecretError, RuntimeError: this process is out of descriptors or threads.
    """
    began = clock()
    looks = {file: _look(file) for file in files}
    await asyncio.wait(looks.values(), timeout=deadline - began)
    for file, look in looks.items():
        if not look.done():
            why = no_answer(clock() - began).strerror
            raise ProbeFailure(Reason.SECRET, f"secret file {file.path} cannot be read: {why}")
    for look in looks.values():
        if (error := look.exception()) is not None and void_of(error):
            raise error


def _look(file: FileReference) -> asyncio.Future[None]:
    look = _looks.get(file)
    if look is None or look.get_loop() is not asyncio.get_running_loop():
        look = _looks[file] = begin(file.look)
        look.add_done_callback(lambda done: _forget(file, done))
    return look


def _forget(file: FileReference, look: asyncio.Future[None]) -> None:
    if _looks.get(file) is look:
        del _looks[file]
    if not look.cancelled():
        look.exception()  # without this asyncio would log the failure if no task waits any more
