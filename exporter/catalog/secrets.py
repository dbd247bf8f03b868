"""References to secrets, read when they are needed and never kept, printed or generated.

A `SecretText` is text with references in it: `${NAME}` (an environment variable) or the contents of a file. Its
`repr` and its pickled form hold only the references, so it can be logged, compared and handed between processes.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

MAX_SECRET_BYTES = 64 * 1024


class SecretError(Exception):
    """A reference that cannot be read. Its text is one sentence that names the reference, never a value."""


@dataclass(frozen=True, slots=True)
class EnvironmentReference:
    name: str

    def read(self) -> str:
        value = os.environ.get(self.name)
        if value is None:
            raise SecretError(f"environment variable {self.name} is not set")
        return value


@dataclass(frozen=True, slots=True)
class FileReference:
    path: str
    """Absolute."""

    def read(self) -> str:
        """The file's text without its last line break, which editors and `echo` add."""
        try:
            with Path(self.path).open("rb") as file:
                raw = file.read(MAX_SECRET_BYTES + 1)
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
        """The text with every reference read now.

        Raises:
            SecretError: a reference cannot be read.
        """
        return "".join(part if isinstance(part, str) else part.read() for part in self.parts)
