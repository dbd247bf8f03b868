"""The lock that allows one command at a time to change an environment: a locked file, and a file that names the holder.

Both are the same as in the old scripts, so a script and a command exclude each other. A tool that a killed command left
running still holds the lock (it inherits the descriptor), and the next command waits for it.
"""

from __future__ import annotations

import fcntl
import getpass
import os
import socket
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.host.failures import OperationError
from exporter.host.shown import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from exporter.host.state import StateFolder

LOCK = "lock"
HOLDER = "lock.holder"
HELD = "LOCK_HELD"
"""The variable that tells a command that it shares the lock of the command that started it."""
_AGAIN_SECONDS = 0.2


def who() -> str:
    """Return the user who runs this; with ssh and sudo, the original user."""
    for name in ("ON_BEHALF_OF", "SUDO_USER"):
        if os.environ.get(name):
            return os.environ[name]
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a uid without a name; OSError since Python 3.13
        return str(os.getuid())


def holder(state: StateFolder) -> str | None:
    """Return a description of the lock's current or last holder, or None."""
    fields = state.fields(HOLDER)
    if not fields:
        return None
    command, pid, user, host, since = (
        shown(fields.get(key, "?")) for key in ("command", "pid", "user", "host", "since")
    )
    return f"{command}, process {pid} of {user} on {host} since {since}"


def is_locked(state: StateFolder) -> bool:
    """True if a command holds the lock now."""
    try:
        descriptor = os.open(state.path / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise OperationError(f"{state.path / LOCK} cannot be opened: {error.strerror}") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


@contextmanager
def locked(
    state: StateFolder, command: str, what: str, waits: Callable[[str], None] = lambda _: None
) -> Iterator[None]:
    """Hold the lock while the block runs. A nested call, also in a command started by this one, shares it.

    `what` names the environment in messages; `waits` is called once if tools of a killed command still run.

    Raises:
        OperationError: Another command holds the lock, or the folder cannot be written to.
    """
    if os.environ.get(HELD) == str(state.path):
        yield
        return
    state.make()
    descriptor = _taken(state, what, waits)
    try:
        state.clear_unfinished()
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        fields = {
            "pid": str(os.getpid()),
            "user": who(),
            "host": socket.gethostname(),
            "since": now,
            "command": command,
        }
        state.write_fields(HOLDER, fields)
        os.environ[HELD] = str(state.path)
        try:
            yield
        finally:
            del os.environ[HELD]
    finally:
        os.close(descriptor)


def _taken(state: StateFolder, what: str, waits: Callable[[str], None]) -> int:
    try:
        descriptor = os.open(state.path / LOCK, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    except OSError as error:
        raise OperationError(f"{state.path / LOCK} cannot be opened: {error.strerror}") from None
    os.set_inheritable(descriptor, True)
    try:
        _wait_for(descriptor, state, what, waits)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _wait_for(descriptor: int, state: StateFolder, what: str, waits: Callable[[str], None]) -> None:
    told = False
    patience = time.monotonic() + 1  # a command that has just started writes its name within that time
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pass
        else:
            return
        if time.monotonic() >= patience:
            if _holder_lives(state):
                raise OperationError(f"{what} is locked by {holder(state)}; try again when it has finished")
            if not told:
                waits(f"waiting for programs that a killed command left running: {holder(state)}")
                told = True
        time.sleep(_AGAIN_SECONDS)


def _holder_lives(state: StateFolder) -> bool:
    """True if the holder's process is alive; one on another host counts as alive, since it cannot be checked."""
    fields = state.fields(HOLDER)
    pid = fields.get("pid", "")
    if not fields:
        return False
    if fields.get("host") != socket.gethostname():
        return True
    return pid.isascii() and pid.isdecimal() and Path(f"/proc/{pid}").is_dir()
