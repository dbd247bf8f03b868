"""References to secrets, which are read when they are needed, and never printed or generated.

A `SecretText` is text with references in it: `${NAME}` (an environment variable) or the contents of a file. Its
`repr` and its pickled form hold only the references, so it can be logged, compared and handed between processes.

A disk may not answer, so no file is read on an event loop. There `read` returns what `FileReference.look` read last,
in a thread, before the run that needs it (`exporter.probes.secret_files`).
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from typing import TYPE_CHECKING

from exporter.files import read_in_time, read_regular

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAX_SECRET_BYTES = 64 * 1024


class SecretError(Exception):
    """A reference that cannot be read. The message is one sentence that names the reference, never a value."""


@dataclass(frozen=True, slots=True)
class _Unreadable:
    sentence: str


_seen: dict[str, str | _Unreadable] = {}
"""Content of each file when it was last read, by path."""


@dataclass(frozen=True, slots=True)
class EnvironmentReference:
    name: str

    def read(self) -> str:
        value = os.environ.get(self.name)
        if value is None:
            raise SecretError(f"environment variable {self.name} is not set")
        if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
            raise SecretError(f"environment variable {self.name} is not UTF-8 text")
        return value


@dataclass(frozen=True, slots=True)
class FileReference:
    path: str
    """Absolute."""

    def read(self) -> str:
        """Return the file's text without its last line break, which editors and `echo` add. Never blocks a loop."""
        if not _on_a_loop():
            return self._text(lambda: read_in_time(self.path, MAX_SECRET_BYTES))
        seen = _seen.get(self.path)
        if isinstance(seen, str):
            return seen
        raise SecretError(seen.sentence if seen else f"secret file {self.path} has not been read yet")

    def look(self) -> None:
        """Read the file for later calls of `read`. Waits for its disk.

        Raises:
            SecretError: it cannot be read; later calls of `read` raise the same.
        """
        try:
            _seen[self.path] = self._text(lambda: read_regular(self.path, MAX_SECRET_BYTES))
        except SecretError as error:
            _seen[self.path] = _Unreadable(str(error))
            raise

    def _text(self, read: Callable[[], bytes]) -> str:
        try:
            raw = read()
        except OSError as error:
            raise SecretError(f"secret file {self.path} cannot be read: {error.strerror}") from None
        if len(raw) > MAX_SECRET_BYTES:
            raise SecretError(f"secret file {self.path} is larger than {MAX_SECRET_BYTES} bytes")
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            raise SecretError(f"secret file {self.path} is not UTF-8 text") from None
        return text.removesuffix("\n").removesuffix("\r")


@dataclass(frozen=True, slots=True)
class SecretText:
    """Literal text and references, in order."""

    parts: tuple[str | EnvironmentReference | FileReference, ...]

    def read(self) -> str:
        """Return the text with every reference read now.

        Raises:
            SecretError: a reference cannot be read.
        """
        return "".join(part if isinstance(part, str) else part.read() for part in self.parts)


def secret_files(value: object) -> tuple[FileReference, ...]:
    """Return the files that any part of a probe's spec refers to, each once."""
    return tuple(dict.fromkeys(_files(value)))


def forget_all_but(files: set[FileReference]) -> None:
    """Forget the content of files that no probe refers to any more."""
    for path in _seen.keys() - {file.path for file in files}:
        del _seen[path]


def _files(value: object) -> Iterator[FileReference]:
    if isinstance(value, FileReference):
        yield value
        return
    items = value if isinstance(value, tuple) else [getattr(value, name) for name in _names(type(value))]  # type: ignore[arg-type] # mypy doubts that a class is hashable
    for item in items:
        if item.__class__ not in _PLAIN:
            yield from _files(item)


_PLAIN = frozenset({str, int, float, bool, type(None)})


@cache
def _names(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind)) if is_dataclass(kind) else ()


def _on_a_loop() -> bool:
    """True if an event loop runs in this thread. asyncio is not imported for this: most commands do not need it."""
    asyncio = sys.modules.get("asyncio")
    if asyncio is None:
        return False
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
