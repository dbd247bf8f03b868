"""Programs inside a store's container, run for a short answer or with a stream.

A password is read there, from the container's own secret file into the program's environment: it is never an argument,
and never leaves the container.
"""

from __future__ import annotations

import io
import os
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from exporter.backups.engines.answers import ANSWER_BYTES
from exporter.backups.subjects import BackupsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import BinaryIO

    from exporter.backups.engines.shape import Ended, Place, Readable, Writable

ASK_SECONDS = 120.0
"""Time limit for a short answer."""
_PAUSE_SECONDS = 0.3
_ENDING_SECONDS = 10.0

_LOGGED_IN = """
secret=$1
shift
if [ -n "$secret" ] && [ -r "/run/secrets/$secret" ]; then
  password=$(cat "/run/secrets/$secret")
  export PGPASSWORD="$password" REDISCLI_AUTH="$password" MONGO_PASSWORD="$password"
  export SECRET_FILE="/run/secrets/$secret"
fi
exec "$@"
"""


class Bounded:
    """A buffer with a limit. Writing more raises BackupsError."""

    def __init__(self, limit: int, what: str) -> None:
        self.kept = bytearray()
        self._limit = limit
        self._what = what

    def write(self, data: bytes) -> None:
        """Append `data`."""
        if len(self.kept) + len(data) > self._limit:
            raise BackupsError(f"{self._what} failed: the answer is longer than {self._limit:,} bytes")
        self.kept += data


def ask(
    place: Place,
    argv: Sequence[str],
    *,
    given: bytes = b"",
    limit: int = ANSWER_BYTES,
    seconds: float = ASK_SECONDS,
) -> bytes:
    """Return a program's answer to the input `given`. Raises BackupsError if it is too long or the program fails."""
    answer = Bounded(limit, place.steps.current)
    ended = _execute(place, argv, io.BytesIO(given), answer, seconds)
    if ended.status:
        raise place.steps.failed(ended.said)
    return bytes(answer.kept)


def succeeds(place: Place, argv: Sequence[str], *, answer: bytes | None = None) -> bool:
    """True if a program that needs no password succeeds and, if `answer` is given, prints it."""
    said = Bounded(ANSWER_BYTES, place.steps.current)
    ended = place.host.execute(
        place.container, argv, target=said, seconds=min(ASK_SECONDS, place.seconds_left)
    )
    return ended.status == 0 and answer in (None, bytes(said.kept).strip())


def stream(
    place: Place,
    argv: Sequence[str],
    *,
    source: Readable | None = None,
    target: Writable | None = None,
) -> None:
    """Run a program, limited only by the deadline of the whole run. Raises BackupsError if it fails."""
    ended = _execute(place, argv, source or io.BytesIO(), target, place.seconds_left)
    if ended.status:
        raise place.steps.failed(ended.said)


def wait_until_ready(place: Place, ready: Callable[[Place], bool]) -> None:
    """Wait until the store is ready. Raises BackupsError if it stops, or is not ready in time."""
    deadline = time.monotonic() + min(place.ready_seconds, place.seconds_left)
    while not ready(place):
        if not place.host.is_running(place.container):
            raise BackupsError(
                f"{place.name} stopped before it was ready; see: docker logs {place.container[:12]}"
            )
        if time.monotonic() > deadline:
            raise BackupsError(
                f"{place.name} was not ready after {place.ready_seconds:g} s; see: docker logs {place.container[:12]}"
            )
        time.sleep(_PAUSE_SECONDS)


@contextmanager
def reading(run: Callable[[Writable], object]) -> Iterator[BinaryIO]:
    """Yield a readable stream of what `run` writes. At the end of the block, raise the error of `run`.

    If the block itself raises, that error is raised, unless its input ended early because `run` failed.
    """
    near, far = os.pipe()
    failed: list[BaseException] = []

    def work() -> None:
        try:
            run(_Pipe(far))
        except BaseException as error:  # noqa: BLE001 - raised below, in the reader
            failed.append(error)
        finally:
            os.close(far)

    thread = threading.Thread(target=work, name="reading", daemon=True)
    thread.start()
    try:
        with open(near, "rb", buffering=0) as source:  # noqa: PTH123 - a descriptor
            yield source
    except BackupsError as error:
        thread.join(_ENDING_SECONDS)  # a thread that hangs is abandoned
        raise (_cause(failed) or error) from None
    except BaseException:
        thread.join(_ENDING_SECONDS)
        raise
    thread.join()
    if cause := _cause(failed):
        raise cause


class _ReaderGoneError(Exception):
    """The reader has gone. Not an OSError, which would be taken for a broken connection."""


class _Pipe:
    """The write end of a pipe. Writes everything, also when a signal interrupts it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write(self, data: bytes) -> None:
        left = memoryview(data)
        try:
            while left:
                left = left[os.write(self._descriptor, left) :]
        except BrokenPipeError:
            raise _ReaderGoneError from None


def _cause(failed: list[BaseException]) -> BaseException | None:
    return failed[0] if failed and not isinstance(failed[0], _ReaderGoneError) else None


def _execute(
    place: Place,
    argv: Sequence[str],
    source: Readable,
    target: Writable | None,
    seconds: float,
) -> Ended:
    return place.host.execute(
        place.container,
        _logged_in(place, argv),
        source=source,
        target=target,
        seconds=min(seconds, place.seconds_left),
    )


def _logged_in(place: Place, argv: Sequence[str]) -> list[str]:
    return ["sh", "-c", _LOGGED_IN, "sh", place.secret, *argv]
