"""Programs of the host (docker compose, git, ssh, age): argv, a deadline, and output in a log.

Each program gets its own session, so that Ctrl-C reaches this process first; it is passed on, and a program that does
not exit is killed. Only the lock's descriptor is inheritable, and every program inherits it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from exporter.host.failures import OperationError
from exporter.host.shown import shown, shown_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

TAIL_BYTES = 64 * 1024
OUTPUT_BYTES = 16 * 1024 * 1024
ENDING_SECONDS = 10.0
DEADLINE = 60.0
"""Seconds for a program that only answers a query."""


@dataclass(frozen=True, slots=True)
class Done:
    """The result of a program. `complaint`: the last lines of standard error, safe to print."""

    status: int
    output: bytes
    complaint: tuple[str, ...]

    @property
    def good(self) -> bool:
        """True if the exit status is 0."""
        return self.status == 0

    @property
    def reason(self) -> str:
        """Return the last line of its error output, or the exit status."""
        return self.complaint[-1] if self.complaint else f"exit status {self.status}"


def run(
    argv: Sequence[str],
    *,
    seconds: float = DEADLINE,
    env: Mapping[str, str] | None = None,
    input: bytes | IO[bytes] | None = None,  # noqa: A002 - subprocess' name
    log: Path | None = None,
    cwd: Path | None = None,
    watch: Callable[[], None] | None = None,
    own_session: bool = True,
) -> Done:
    """Run a program and return its result; a status other than 0 is not an error here.

    With `log`, standard output and error are appended to that file, and `Done.complaint` has the end of both. Without
    it, standard output is `Done.output`. `env` is added to this process' environment. `watch` is called every half
    second, to show progress. Without `own_session` the program may prompt on the terminal.

    Raises:
        OperationError: The program is missing, takes longer than `seconds`, or writes more than OUTPUT_BYTES.
    """
    name = argv[0]
    with ExitStack() as stack:
        out: IO[bytes] | int = subprocess.PIPE
        start = 0
        if log is not None:
            out = stack.enter_context(log.open("ab"))
            out.write(f"$ {' '.join(shown(word) for word in argv)}\n".encode())
            out.flush()
            start = out.tell()
        try:
            process = subprocess.Popen(  # noqa: S603 - argv, no shell
                list(argv),
                stdin=_stdin(input),
                stdout=out,
                stderr=subprocess.STDOUT if log is not None else subprocess.PIPE,
                env={**os.environ, **(env or {})},
                cwd=cwd,
                start_new_session=own_session,
                close_fds=False,  # only the lock's descriptor is inheritable
            )
        except FileNotFoundError:
            raise OperationError(f"{name} is not installed") from None
        except OSError as error:
            raise OperationError(f"{name} cannot be started: {error.strerror}") from None
        talk = _Talk(process, input if isinstance(input, bytes) else None)
        try:
            _wait(process, name, seconds, watch)
        except BaseException:
            end(process, group=own_session)
            raise
        finally:
            talk.join()
        if talk.too_much:
            raise OperationError(f"{name} wrote more than {OUTPUT_BYTES // 1024**2} MiB of output")
    if log is not None:
        return Done(process.returncode, b"", tuple(shown_lines(_from(log, start), 20)))
    return Done(process.returncode, talk.output, tuple(shown_lines(talk.errors[-TAIL_BYTES:], 20)))


def end(process: subprocess.Popen[bytes], *, group: bool) -> None:
    """End a program, and with `group` also its child processes: first like Ctrl-C, then by force."""
    for number in (signal.SIGINT, signal.SIGKILL):
        with suppress(ProcessLookupError):
            if group:
                os.killpg(process.pid, number)
            else:
                process.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(ENDING_SECONDS)  # the loop continues with SIGKILL: child processes may still run


def _stdin(given: bytes | IO[bytes] | None) -> IO[bytes] | int:
    if isinstance(given, bytes):
        return subprocess.PIPE
    return subprocess.DEVNULL if given is None else given


def _wait(
    process: subprocess.Popen[bytes],
    name: str,
    seconds: float,
    watch: Callable[[], None] | None,
) -> None:
    end = time.monotonic() + seconds
    while True:
        left = end - time.monotonic()
        try:
            process.wait(min(max(left, 0.0), 0.5))
        except subprocess.TimeoutExpired:
            if left <= 0:
                raise OperationError(f"{name} did not finish within {seconds:.0f} s") from None
            if watch is not None:
                watch()
        else:
            return


def _from(log: Path, start: int) -> bytes:
    with log.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(max(start, size - TAIL_BYTES))
        return stream.read(TAIL_BYTES)


class _Talk:
    """Threads that feed standard input and keep a limited part of the output, so that no pipe fills up."""

    def __init__(self, process: subprocess.Popen[bytes], given: bytes | None) -> None:
        self.output = b""
        self.errors = b""
        self.too_much = False
        self._threads: list[threading.Thread] = []
        if given is not None and process.stdin is not None:
            self._begin(self._feed, process.stdin, given)
        if process.stdout is not None:
            self._begin(self._keep_all, process.stdout)
        if process.stderr is not None:
            self._begin(self._keep_end, process.stderr)

    def join(self) -> None:
        for thread in self._threads:
            thread.join(ENDING_SECONDS)  # a grandchild may hold the pipe for ever

    def _begin(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        thread.start()
        self._threads.append(thread)

    @staticmethod
    def _feed(stream: IO[bytes], given: bytes) -> None:
        with suppress(OSError), stream:  # the program may exit without reading everything
            stream.write(given)

    def _keep_all(self, stream: IO[bytes]) -> None:
        pieces, size = [], 0
        with stream:
            while piece := stream.read1(65536):  # type: ignore[attr-defined] # a BufferedReader
                size += len(piece)
                if size > OUTPUT_BYTES:
                    self.too_much = True
                    return  # the pipe closes
                pieces.append(piece)
        self.output = b"".join(pieces)

    def _keep_end(self, stream: IO[bytes]) -> None:
        with stream:
            while piece := stream.read1(65536):  # type: ignore[attr-defined] # a BufferedReader
                self.errors = (self.errors + piece)[-TAIL_BYTES:]
