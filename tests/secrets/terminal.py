"""A program on a separate terminal, and a check of what other users of the host could see of it."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import termios
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Terminal:
    """A `command` with a terminal as its input and output; at the end it is killed if it is still running."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._command = command
        self._environment = environment
        self._shown = b""
        self._answered = 0

    def __enter__(self) -> Self:
        self._ours, self._theirs = pty.openpty()
        self._process = subprocess.Popen(
            # In a new session the terminal becomes its controlling one, so that ^C is a signal.
            ["setsid", "--ctty", "--wait", *self._command],
            stdin=self._theirs,
            stdout=self._theirs,
            stderr=self._theirs,
            env=dict(self._environment),
            start_new_session=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait(20)
        os.close(self._theirs)
        os.close(self._ours)

    def wait_for(self, text: str) -> None:
        """Wait until `text` is shown after the text of the previous wait."""
        wanted = text.encode()

        def shown() -> bool:
            self._read()
            return wanted in self._shown[self._answered :]

        until(shown, f"{text!r} on the terminal", 20)
        self._answered = self._shown.index(wanted, self._answered) + len(wanted)

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def interrupt(self) -> None:
        self.type("\x03")

    def status(self) -> int:
        def over() -> bool:
            self._read()
            return self._process.poll() is not None

        until(over, "the end of the program", 20)
        self._read()
        return int(self._process.returncode)

    def shown(self) -> str:
        return self._shown.decode(errors="replace")

    def echoes(self) -> bool:
        return bool(termios.tcgetattr(self._theirs)[3] & termios.ECHO)

    def _read(self) -> None:
        while select.select([self._ours], [], [], 0)[0]:
            self._shown += os.read(self._ours, 65536)


class Watch:
    """A search for `marker` in the command line of every process and in every file of `folder`,
    until its block ends."""

    def __init__(self, marker: bytes, folder: Path) -> None:
        self.found: list[str] = []
        self.looked = 0
        self._marker = marker
        self._folder = folder
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.002):
            self.looked += 1
            for path in (*Path("/proc").glob("[0-9]*/cmdline"), *self._folder.rglob("*")):
                try:
                    if self._marker in path.read_bytes():
                        self.found.append(str(path))
                except OSError:
                    continue  # it has ended, or is a folder


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill the program and everything that it started."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(20)
