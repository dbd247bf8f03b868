"""The state of each secret: present or missing, its age and its problems, but never its value."""

from __future__ import annotations

import stat
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.secrets.folder import MODE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from exporter.secrets.folder import SecretsFolder
    from exporter.secrets.inventory import Secret

MISSING = "missing"
IRREGULAR = "not a regular file"
_AHEAD_SECONDS = 60
"""Tolerance, since a clock may have been set back."""


@dataclass(frozen=True, slots=True)
class State:
    """A secret's state. `age`: seconds since the value was written, or None. `findings`: problems, as clauses."""

    name: str
    age: float | None
    rotate_seconds: float | None
    findings: tuple[str, ...]

    @property
    def missing(self) -> bool:
        """True if there is no value."""
        return self.findings == (MISSING,)

    @property
    def rotate_in(self) -> float | None:
        """Return the seconds until a new value is due, negative if it is overdue, or None if it never is."""
        return None if self.age is None or not self.rotate_seconds else self.rotate_seconds - self.age

    @property
    def due(self) -> bool:
        """True if a new value is due."""
        return self.rotate_in is not None and self.rotate_in < 0


def file_state(folder: SecretsFolder, secret: Secret) -> State:
    """Return the state of a secret that is a file."""
    found = folder.status(secret.name)
    if found is None:
        return State(secret.name, None, secret.rotate_seconds, (MISSING,))
    if not stat.S_ISREG(found.st_mode):
        return State(secret.name, None, secret.rotate_seconds, (IRREGULAR,))
    wrong = []
    mode, wanted = stat.S_IMODE(found.st_mode), folder.owner.mode
    if not found.st_size:
        wrong.append("empty")
    if mode != wanted:
        wrong.append(f"mode {mode:04o} instead of {wanted:04o}")
    if not folder.owner.owns(found):
        wrong.append(f"owner {found.st_uid}:{found.st_gid} instead of {folder.owner}")
    return aged(secret, time.time() - found.st_mtime, wrong)


def aged(secret: Secret, age: float, wrong: Iterable[str] = ()) -> State:
    """Return the state of a value that is `age` seconds old."""
    state = State(secret.name, age, secret.rotate_seconds, ())
    findings = [*wrong]
    if age < -_AHEAD_SECONDS:
        findings.append("its time is in the future")
    elif state.due:
        findings.append(f"rotation overdue by {span(-(state.rotate_in or 0))}")
    return State(secret.name, age, secret.rotate_seconds, tuple(findings))


def folder_findings(folder: SecretsFolder, names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield problems of the folder, and of files in it that are not secrets in `names`."""
    if not folder.path.is_dir():
        return
    mode = stat.S_IMODE(folder.path.stat().st_mode)
    if mode != MODE:
        yield str(folder.path), f"mode {mode:04o} instead of {MODE:04o}"
    known = set(names)
    for path in sorted(folder.path.iterdir()):
        found = path.lstat()
        mode = stat.S_IMODE(found.st_mode)
        if path.name not in known and path.name[:1] != "." and stat.S_ISREG(found.st_mode) and mode & 0o77:
            yield path.name, f"mode {mode:04o}: users other than the owner can access it"


def span(seconds: float) -> str:
    """Return a duration for people, rounded down."""
    for unit, size in (("days", 86400), ("hours", 3600)):
        if seconds >= 2 * size:
            return f"{int(seconds // size)} {unit}"
    return f"{max(0, int(seconds // 60))} minutes"
