"""The one place that writes generated files, compares them, and removes what is no longer made.

A manifest beside the files lists what was written and the hash of each, so a file that somebody else made or has
edited since is never overwritten or removed without being told to.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import tempfile
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from exporter.outputs.base import File

MANIFEST = ".exporter-manifest.json"
MANIFEST_VERSION = 1
FILE_MODE, EXECUTABLE_MODE = 0o644, 0o755


class State(StrEnum):
    """How a file on disk stands to what was rendered."""

    UNCHANGED = "unchanged"
    NEW = "new"
    CHANGED = "changed"
    EDITED = "edited"
    """Somebody changed it since it was written, or made it: not ours to overwrite."""
    STALE = "stale"
    """Written earlier and no longer made."""
    STALE_EDITED = "stale, edited"
    """As stale, but changed since: not ours to remove."""


WRITTEN = {State.NEW, State.CHANGED}
REMOVED = {State.STALE}
PROTECTED = {State.EDITED, State.STALE_EDITED}


class WriteError(Exception):
    """Files cannot be written. One sentence: what, where, what to do."""


@dataclass(frozen=True, slots=True)
class Change:
    """One file of a folder: what is on disk and what was rendered (None where there is none)."""

    folder: Path
    path: str
    state: State
    before: str | None
    after: str | None
    executable: bool = False

    @property
    def place(self) -> Path:
        return self.folder / self.path

    def diff(self) -> str:
        """The unified diff from disk to what was rendered."""
        names = (f"{self.place} (on disk)", f"{self.place} (from the catalog)")
        return "".join(difflib.unified_diff(_lines(self.before), _lines(self.after), *names))


def compare(folder: Path, files: Iterable[File]) -> list[Change]:
    """How `folder` stands to `files`, which are all that one output makes in it; by path.

    Raises:
        WriteError: something in the folder cannot be read, or is not what it should be.
    """
    known = _read_manifest(folder)
    wanted = {file.path: file for file in files}
    for path in wanted:
        _check_path(path)
    changes = [_compare_one(folder, file, known.get(file.path)) for file in wanted.values()]
    for path, digest in known.items():
        if path in wanted:
            continue
        before, _ = _read(folder / path)
        if before is not None:
            state = State.STALE if _digest(before) == digest else State.STALE_EDITED
            changes.append(Change(folder, path, state, before, None))
    return sorted(changes, key=lambda change: change.path)


def write(changes: Iterable[Change], *, force: bool = False) -> None:
    """Make the folders as was rendered. Files that are not ours stay, unless `force`.

    Everything is first written beside its place and only then renamed into it, so a full disk or a folder that
    cannot be written leaves the old files as they were.

    Raises:
        WriteError: nothing was changed.
    """
    by_folder: dict[Path, list[Change]] = {}
    for change in changes:
        by_folder.setdefault(change.folder, []).append(change)
    touched = WRITTEN | ({State.EDITED} if force else set())
    removed = REMOVED | ({State.STALE_EDITED} if force else set())
    staged: list[tuple[Path, Path]] = []
    gone: list[tuple[Path, str]] = []
    try:
        for folder, here in by_folder.items():
            known = _read_manifest(folder)
            before = dict(known)
            for change in here:
                if change.after is not None and change.state in touched:
                    mode = EXECUTABLE_MODE if change.executable else FILE_MODE
                    staged.append(_stage(change.place, change.after, mode))
                if change.after is not None and change.state in touched | {State.UNCHANGED}:
                    known[change.path] = _digest(change.after)
                elif change.state in removed:
                    known.pop(change.path, None)
                    gone.append((folder, change.path))
            if known and known != before:
                staged.append(_stage(folder / MANIFEST, _manifest_text(known), FILE_MODE))
            elif before and not known:
                gone.append((folder, MANIFEST))
        for temporary, place in staged:
            temporary.replace(place)
        for folder, path in gone:
            _remove(folder, path)
    except OSError as error:
        where = error.filename2 or error.filename or "the files"
        why = error.strerror or str(error)
        raise WriteError(f"cannot write {where}: {why}; nothing was changed") from None
    finally:
        for temporary, _ in staged:
            temporary.unlink(missing_ok=True)


def _manifest_text(files: Mapping[str, str]) -> str:
    return json.dumps({"version": MANIFEST_VERSION, "files": dict(sorted(files.items()))}, indent=1) + "\n"


def _compare_one(folder: Path, file: File, digest: str | None) -> Change:
    before, executable = _read(folder / file.path)
    if before is None:
        state = State.NEW
    elif before == file.text and executable == file.executable:
        state = State.UNCHANGED
    elif digest is not None and digest == _digest(before):
        state = State.CHANGED
    else:
        state = State.EDITED
    return Change(folder, file.path, state, before, file.text, file.executable)


def _read(path: Path) -> tuple[str | None, bool]:
    """A file's text, and whether it may be executed; None when there is none."""
    try:
        text = path.read_bytes().decode("utf-8", "surrogateescape")
        return text, bool(path.stat().st_mode & 0o100)
    except FileNotFoundError:
        return None, False
    except NotADirectoryError:
        raise WriteError(f"{path.parent} is a file; a folder is needed there, so move it away") from None
    except IsADirectoryError:
        raise WriteError(f"{path} is a folder; a file is to be written there, so move it away") from None
    except OSError as error:
        raise WriteError(f"cannot read {path}: {error.strerror}") from None


def _read_manifest(folder: Path) -> dict[str, str]:
    """Hashes by path of what was written earlier."""
    text, _ = _read(folder / MANIFEST)
    if text is None:
        return {}
    try:
        files: Mapping[str, str] = json.loads(text)["files"]
        for path in files:
            _check_path(path)
        return dict(files)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise WriteError(
            f"{folder / MANIFEST} is damaged; remove it, and use --force to take over the files beside it"
        ) from None


def _check_path(path: str) -> None:
    """A path that leads out of the folder is a defect of an output, or of a manifest that somebody changed."""
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts:
        raise ValueError(f"{path!r} leads out of the folder")


def _stage(place: Path, text: str, mode: int) -> tuple[Path, Path]:
    """Write beside `place`; the temporary file and the place."""
    place.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{place.name}.", dir=place.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode("utf-8", "surrogateescape"))
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(mode)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return temporary, place


def _remove(folder: Path, path: str) -> None:
    """Remove a file, and the folders that are empty without it."""
    place = folder / path
    place.unlink(missing_ok=True)
    for parent in place.parents:
        if parent == folder or any(parent.iterdir()):
            return
        parent.rmdir()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _lines(text: str | None) -> list[str]:
    return [] if text is None else text.splitlines(keepends=True)
