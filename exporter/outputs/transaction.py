"""A transaction of files: all are written and removed, or none is."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS}
"""The errors of file systems without hard links."""


@dataclass(frozen=True, slots=True)
class _Step:
    """A step: move `temporary` to `place`; if it is None, remove the file at `place`."""

    place: Path
    temporary: Path | None


class Transaction:
    """A set of changes that `write` and `remove` prepare and `commit` makes.

    After any failure the files are as before, and no temporary files are left. Everything is first written next to its
    place, where a full disk is noticed, and then renamed. A rename can fail too, so the old files are kept until the
    last one has succeeded.
    """

    def __init__(self) -> None:
        self._steps: list[_Step] = []
        self._folders: list[Path] = []
        self._kept: list[tuple[Path, Path | None]] = []
        """Each place that was changed, and the path of its old file, if there was one."""
        self._committed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._committed:
            self._undo()
        for step in self._steps:
            if step.temporary is not None:
                step.temporary.unlink(missing_ok=True)

    def write(self, place: Path, text: str, mode: int) -> None:
        """Write `text` to a temporary file next to its place.

        Raises:
            OSError: it cannot be written.
        """
        self._make_folder(place.parent)
        handle, name = tempfile.mkstemp(prefix=_hidden(place), dir=place.parent)
        temporary = place.with_name(os.path.basename(name))  # noqa: PTH119 - mkstemp gives text
        self._steps.append(_Step(place, temporary))
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode("utf-8", "surrogateescape"))
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(mode)

    def remove(self, place: Path) -> None:
        """Remove the file when `commit` runs."""
        self._steps.append(_Step(place, None))

    def commit(self) -> None:
        """Make all changes.

        Raises:
            OSError: a change failed; all files are as before.
        """
        for step in self._steps:
            old = step.place.with_name(f"{_hidden(step.place)}{secrets.token_hex(4)}")
            if step.temporary is None:
                step.place.rename(old)
                self._kept.append((step.place, old))
            else:
                existed = _keep(step.place, old)
                self._kept.append((step.place, old if existed else None))
                step.temporary.replace(step.place)
        self._committed = True
        for _, kept in self._kept:
            if kept is not None:
                kept.unlink(missing_ok=True)

    def _make_folder(self, folder: Path) -> None:
        missing = []
        while not folder.exists():
            missing.append(folder)
            folder = folder.parent
        for one in reversed(missing):
            one.mkdir()
            self._folders.append(one)

    def _undo(self) -> None:
        for place, old in reversed(self._kept):
            if old is not None:
                old.replace(place)
            else:
                place.unlink(missing_ok=True)
        for step in self._steps:
            if step.temporary is not None:
                step.temporary.unlink(missing_ok=True)
        for folder in reversed(self._folders):
            if not any(folder.iterdir()):
                folder.rmdir()


def _hidden(place: Path) -> str:
    return f".{place.name}."


def _keep(place: Path, old: Path) -> bool:
    """Give the file at `place` a second name; return False if there is no file."""
    if not os.path.lexists(place):
        return False
    try:
        os.link(place, old, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        shutil.copy2(place, old, follow_symlinks=False)
    return True
