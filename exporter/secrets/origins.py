"""Sources of a new value: an option, a prompt, random characters, a variable, or a file.

The sources of all secrets of a command are chosen before anything is read, so that a missing one stops it in time.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from secrets import choice
from string import ascii_letters, digits
from typing import TYPE_CHECKING, Literal

from exporter.catalog.values.secret_text import MAX_SECRET_BYTES
from exporter.files import read_in_time, read_up_to
from exporter.host.failures import WRONG_USAGE, OperationError
from exporter.secrets.prompt import ask

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.secrets.inventory import Secret

STANDARD_INPUT = "-"
CHARACTERS = ascii_letters + digits
"""Characters without a meaning in a shell, a URL or a connection string; each has 5.95 bits."""


@dataclass(frozen=True, slots=True)
class Given:
    """The options for the value: a file (`-` is standard input), or a prompt."""

    file: str | None = None
    prompt: bool = False


@dataclass(frozen=True, slots=True)
class Origin:
    """The source of a secret's value. `place`: a path, a variable, or the number of characters."""

    name: str
    kind: Literal["given", "prompt", "generate", "env", "file"]
    place: str = ""

    def __str__(self) -> str:
        return {
            "given": "from standard input" if self.place == STANDARD_INPUT else f"from {self.place}",
            "prompt": "from a prompt",
            "generate": f"with {self.place} random characters",
            "env": f"from the variable {self.place}",
            "file": f"from {self.place}",
        }[self.kind]


def choose(secret: Secret, given: Given, folder: Path, current: Path | None) -> Origin:
    """Choose the source of the value. `folder`: the catalog's. `current`: the file of the current value, None if it
    cannot be read.

    Raises:
        OperationError: There is no value, and no terminal to ask for one.
    """
    name = secret.name
    if given.file is not None:
        return _given(name, given.file)
    if not given.prompt:
        if secret.kind == "generate":
            return Origin(name, "generate", secret.value)
        if secret.kind == "env" and secret.value in os.environ:
            return Origin(name, "env", secret.value)
        if secret.kind == "file":
            path = folder / secret.value
            # A file that has not changed has no new value.
            if os.access(path, os.R_OK) and not _same(path, current):
                return Origin(name, "file", str(path))
    if not sys.stdin.isatty():
        raise OperationError(
            f"{name} has no new value: its source in the catalog has none, and there is no terminal to ask on; "
            "use --from-file"
        )
    return Origin(name, "prompt")


def value_of(origin: Origin) -> bytes:
    """Read, ask for or generate the value.

    Raises:
        OperationError: It cannot be read, is empty, or is too large.
    """
    value = _READERS[origin.kind](origin)
    if not value:
        raise OperationError(f"{origin.name}: the new value is empty")
    if len(value) > MAX_SECRET_BYTES:
        raise OperationError(f"{origin.name}: the new value is larger than {MAX_SECRET_BYTES} bytes")
    return value


def _given(name: str, file: str) -> Origin:
    if file == STANDARD_INPUT:
        if sys.stdin.isatty():
            raise OperationError(
                f"{name}: standard input is a terminal, which would show the value; use --prompt"
            )
    elif not os.access(file, os.R_OK) or Path(file).is_dir():
        # The name is not repeated: it may be a secret passed by mistake.
        raise OperationError(f"{name}: the file of --from-file cannot be read", WRONG_USAGE)
    return Origin(name, "given", file)


def _read_given(origin: Origin) -> bytes:
    if origin.place == STANDARD_INPUT:
        return _without_line_break(sys.stdin.buffer.read(MAX_SECRET_BYTES + 3))
    try:
        # Also a pipe, such as a shell's <(...).
        with Path(origin.place).open("rb") as stream:
            return _without_line_break(read_up_to(stream.fileno(), MAX_SECRET_BYTES + 2))
    except OSError as error:
        raise OperationError(f"{origin.name}: its value cannot be read: {error.strerror}") from None


def _read_file(origin: Origin) -> bytes:
    try:
        return _without_line_break(read_in_time(origin.place, MAX_SECRET_BYTES + 2))
    except OSError as error:
        raise OperationError(f"{origin.name}: {origin.place} cannot be read: {error.strerror}") from None


def _generated(origin: Origin) -> bytes:
    return "".join(choice(CHARACTERS) for _ in range(int(origin.place))).encode()


_READERS: dict[str, Callable[[Origin], bytes]] = {
    "given": _read_given,
    "file": _read_file,
    "generate": _generated,
    "env": lambda origin: os.environb[origin.place.encode()],
    "prompt": lambda origin: ask(origin.name),
}


def _without_line_break(value: bytes) -> bytes:
    """Remove the line break after a single line, which an editor or `echo` adds; keep texts of more lines."""
    if value.count(b"\n") == 1 and value.endswith(b"\n"):
        return value[:-1].removesuffix(b"\r")
    return value


def _same(path: Path, current: Path | None) -> bool:
    """True if the file has the secret's current value."""
    if current is None:
        return False
    try:
        new = read_in_time(path, MAX_SECRET_BYTES + 2)
        old = read_in_time(current, MAX_SECRET_BYTES + 2)
    except OSError:
        return False
    return old in (new, _without_line_break(new))
