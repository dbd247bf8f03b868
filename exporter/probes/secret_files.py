"""Files of secrets, read before each run that needs them, beside the loop: a disk that does not answer holds up only
the probes that wait for it. A secret that was rotated counts from the next run on.
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
"""Under way. All that need a file wait for the same look, so a dead disk keeps one thread for each file."""


async def look_at(files: tuple[FileReference, ...], deadline: float) -> None:
    """Read these files. One that cannot be read fails the probe where it needs the secret.

    Raises:
        ProbeFailure: `secret`, at the deadline: a file system does not answer.
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
        look.exception()  # the task that waited may have gone, and asyncio would log the failure
