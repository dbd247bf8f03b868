"""Files that are written and removed together, or not at all."""

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
"""How a file system says that it has no hard links."""


@dataclass(frozen=True, slots=True)
class _Step:
    """Put `temporary` into `place`, or with none, remove what is there."""

    place: Path
    temporary: Path | None


class Transaction:
    """`write` and `remove` prepare; `commit` does. Whatever fails, the files are as they were, and nothing is left
    beside them.

    Everything is first written beside its place, since a full disk shows there, and then renamed into it. A rename
    can fail too, so the old files are kept until the last one has succeeded.
    """

    def __init__(self) -> None:
        self._steps: list[_Step] = []
        self._folders: list[Path] = []
        self._kept: list[tuple[Path, Path | None]] = []
        """Each place that has been changed, and where its old file is, if it had one."""
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
        """Write `text` beside its place.

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
        """Let the file go at `commit`."""
        self._steps.append(_Step(place, None))

    def commit(self) -> None:
        """Do it all.

        Raises:
            OSError: something failed, and everything is as it was.
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
    """Give what is at `place` a second name; False when nothing is there."""
    if not os.path.lexists(place):
        return False
    try:
        os.link(place, old, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        shutil.copy2(place, old, follow_symlinks=False)
    return True
