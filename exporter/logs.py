"""Logs on standard error, as text for people or as one JSON object per line.

Nothing in a record can act on a terminal or look like another record, and logging never waits for a reader that has
stopped reading.
"""

from __future__ import annotations

import json
import logging
import os
import select
import sys
import threading
from collections import deque
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import TracebackType

FIELDS = ("service", "probe", "reason", "down_seconds")
"""Fields that a record may have besides its message, for programs."""
MOST_CHARACTERS = 64 * 1024
"""Limit of one record; a traceback has a few thousand."""
MOST_WAITING_BYTES = 1024 * 1024
"""Limit of the records that wait for a reader; later ones are dropped and counted."""
AT_ONCE_BYTES = select.PIPE_BUF
"""A pipe that is ready for writing takes this many bytes without blocking."""
CONTINUED = "\n    "
"""Begins each further line of a record."""


def printable(text: str) -> str:
    """Return `text` with escapes for unprintable characters."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


class TextFormatter(logging.Formatter):
    """Formatter for people: time with its zone, level and message; further lines are indented."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created).astimezone().isoformat(" ", "milliseconds")
        lines = _cut("\n".join((record.getMessage(), *self._tracebacks(record)))).split("\n")
        return f"{time} {record.levelname:7} {CONTINUED.join(map(printable, lines))}"

    def _tracebacks(self, record: logging.LogRecord) -> list[str]:
        return [self.formatException(record.exc_info)] if record.exc_info else []


class JsonFormatter(logging.Formatter):
    """Formatter for programs: `time` (RFC 3339, UTC), `level`, `logger`, `message`, the `FIELDS` that the record has,
    and `exception` if there is one.
    """

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _cut(record.getMessage()),
        }
        fields |= {name: record.__dict__[name] for name in FIELDS if name in record.__dict__}
        if record.exc_info:
            fields["exception"] = _cut(self.formatException(record.exc_info))
        text = json.dumps(fields, ensure_ascii=False)
        if text.isprintable():
            return text
        return "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in text)


class Output(logging.Handler):
    """Handler that writes to a descriptor: at once if that does not block, otherwise in a thread."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._dropped = 0
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def emit(self, record: logging.LogRecord) -> None:
        try:
            data = f"{self.format(record)}\n".encode("utf-8", "backslashreplace")
        except Exception:  # noqa: BLE001 - as logging's own handlers: a record with wrong arguments stops nothing
            self.handleError(record)
            return
        with self._changed:
            if not self._waiting:
                data = self._written_at_once(data)
            if data:
                self._put(data)

    def flush(self, seconds: float = 1.0) -> None:
        """Wait until everything is written, for at most `seconds`."""
        with self._changed:
            self._changed.wait_for(lambda: not self._waiting, seconds)

    def _written_at_once(self, data: bytes) -> bytes:
        """Write as much as possible without blocking, and return the rest of `data`."""
        writable = select.poll()
        writable.register(self._descriptor, select.POLLOUT)
        while data and writable.poll(0):
            try:
                data = data[os.write(self._descriptor, data[:AT_ONCE_BYTES]) :]
            except OSError:
                return b""  # the reader is gone or the disk is full: there is no other place to report it
        return data

    def _put(self, data: bytes) -> None:
        if self._size + len(data) > MOST_WAITING_BYTES:
            self._dropped += 1
            return
        self._waiting.append(data)
        self._size += len(data)
        self._changed.notify_all()
        if self._thread is None:
            thread = threading.Thread(target=self._write_waiting, name="log", daemon=True)
            with suppress(RuntimeError):  # no thread is left: the next record tries again
                thread.start()
                self._thread = thread

    def _write_waiting(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting)
                data = self._waiting[0]
            with suppress(OSError):
                while data:
                    data = data[os.write(self._descriptor, data) :]
            with self._changed:
                self._size -= len(self._waiting.popleft())
                dropped = 0 if self._waiting else self._dropped
                self._dropped -= dropped
                self._changed.notify_all()
            if dropped:
                logging.getLogger(__name__).warning("%d records were dropped: nobody read this log", dropped)


def set_up_logs(form: str) -> None:
    """Send all records of level INFO and above to standard error, as `text` or `json`."""
    handler = Output(sys.stderr.fileno())
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for chatty in ("apscheduler", "httpx", "httpcore"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    logging.captureWarnings(True)
    sys.unraisablehook = _log_unraisable
    threading.excepthook = _log_uncaught


def flush(seconds: float) -> None:
    """Wait until everything logged is written, for at most `seconds`."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, Output):
            handler.flush(seconds)


def _log_unraisable(what: sys.UnraisableHookArgs) -> None:
    _log(what.err_msg or "an error could not be raised", what.exc_type, what.exc_value, what.exc_traceback)


def _log_uncaught(what: threading.ExceptHookArgs) -> None:
    _log("a thread failed", what.exc_type, what.exc_value, what.exc_traceback)


def _log(
    message: str, kind: type[BaseException], error: BaseException | None, trace: TracebackType | None
) -> None:
    info = (kind, error or kind(), trace)
    logging.getLogger(__name__).error("%s", message, exc_info=info)


def _cut(text: str) -> str:
    return text if len(text) <= MOST_CHARACTERS else text[:MOST_CHARACTERS] + "… (cut)"
