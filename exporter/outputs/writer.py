"""The one place that writes generated files, compares them, and removes what is no longer made.

A manifest beside the files lists what was written and the hash of each, so a file that somebody else made or has
edited since is never overwritten or removed without being told to.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from exporter.outputs.transaction import Transaction

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from exporter.outputs.base import File

MANIFEST = ".exporter-manifest"
"""Without an ending: Grafana takes every .json beside its dashboards for one of them, hidden or not."""
MANIFEST_VERSION = 1
FILE_MODE, EXECUTABLE_MODE = 0o644, 0o755
_NO_LINE_BREAK = "\\ No newline at end of file"


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
        lines = difflib.unified_diff(_lines(self.before), _lines(self.after), *names)
        return "".join(line if line.endswith("\n") else f"{line}\n{_NO_LINE_BREAK}\n" for line in lines)


def compare(folder: Path, files: Iterable[File]) -> list[Change]:
    """How `folder` stands to `files`, which are all that one output makes in it; by path.

    Raises:
        WriteError: something in the folder cannot be read, or is not what it should be.
    """
    known = read_manifest(folder)
    wanted = {file.path: file for file in files}
    for path in (*wanted, *known):
        _check_path(path)
    _check_links(folder, (*wanted, *known))
    changes = [_compare_one(folder, file, known.get(file.path)) for file in wanted.values()]
    for path, digest in known.items():
        if path in wanted:
            continue
        before, _ = _read(folder / path)
        if before is not None:
            ours = _digest(before) == digest and not (folder / path).is_symlink()
            state = State.STALE if ours else State.STALE_EDITED
            changes.append(Change(folder, path, state, before, None))
    return sorted(changes, key=lambda change: change.path)


def write(changes: Iterable[Change], *, force: bool = False) -> None:
    """Make the folders as was rendered: all of it, or nothing. Files that are not ours stay, unless `force`.

    Raises:
        WriteError: nothing was changed.
    """
    by_folder: dict[Path, list[Change]] = {}
    for change in changes:
        by_folder.setdefault(change.folder, []).append(change)
    emptied: list[tuple[Path, str]] = []
    try:
        with Transaction() as transaction:
            for folder, here in by_folder.items():
                emptied += _prepare(transaction, folder, here, force=force)
            transaction.commit()
    except OSError as error:
        where = error.filename2 or error.filename or "the files"
        why = error.strerror or str(error)
        raise WriteError(f"cannot write {where}: {why}; nothing was changed") from None
    for folder, path in emptied:
        remove_empty((folder / path).parent, folder)


def remove_empty(folder: Path, root: Path) -> None:
    """Remove `folder` and those above it, as long as they are empty, up to `root`, which stays."""
    while folder != root:
        try:
            folder.rmdir()
        except OSError:
            return  # not empty, or gone already
        folder = folder.parent


def _prepare(
    transaction: Transaction, folder: Path, changes: list[Change], *, force: bool
) -> list[tuple[Path, str]]:
    """What is to happen in one folder, its manifest last; returns what will be gone."""
    touched = WRITTEN | ({State.EDITED} if force else set())
    removed = REMOVED | ({State.STALE_EDITED} if force else set())
    known = read_manifest(folder)
    before = dict(known)
    gone = []
    for change in changes:
        if change.after is not None and change.state in touched:
            mode = EXECUTABLE_MODE if change.executable else FILE_MODE
            transaction.write(change.place, change.after, mode)
        if change.after is not None and change.state in touched | {State.UNCHANGED}:
            known[change.path] = _digest(change.after)
        elif change.state in removed:
            del known[change.path]
            transaction.remove(change.place)
            gone.append((folder, change.path))
    if known and known != before:
        transaction.write(folder / MANIFEST, _manifest_text(known), FILE_MODE)
    elif before and not known:
        transaction.remove(folder / MANIFEST)
        gone.append((folder, MANIFEST))
    return gone


def _manifest_text(files: Mapping[str, str]) -> str:
    return json.dumps({"version": MANIFEST_VERSION, "files": dict(sorted(files.items()))}, indent=1) + "\n"


def _compare_one(folder: Path, file: File, digest: str | None) -> Change:
    before, executable = _read(folder / file.path)
    if before is None:
        state = State.NEW
    elif before == file.text and executable == file.executable:
        state = State.UNCHANGED
    elif digest is not None and digest == _digest(before) and not (folder / file.path).is_symlink():
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
        if path.is_symlink():
            raise WriteError(f"{path} is a link to nothing; remove it") from None
        return None, False
    except NotADirectoryError:
        blocking = next(parent for parent in path.parents if parent.exists())
        raise WriteError(f"{blocking} is a file; a folder is needed there, so move it away") from None
    except IsADirectoryError:
        raise WriteError(f"{path} is a folder; a file is to be written there, so move it away") from None
    except OSError as error:
        raise WriteError(f"cannot read {path}: {error.strerror}") from None


def read_manifest(folder: Path) -> dict[str, str]:
    """Hashes by path of what was written earlier."""
    if (folder / MANIFEST).is_symlink():
        raise WriteError(f"{folder / MANIFEST} is a link; a file is needed there, so remove it")
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


def _check_links(folder: Path, paths: Iterable[str]) -> None:
    """The folder itself may be a link, for that is its owner's wish; below it, no link may lead out of it."""
    root = folder.resolve()
    for parent in {(folder / path).parent for path in paths} | {folder}:
        if not parent.resolve().is_relative_to(root):
            raise WriteError(
                f"{parent} is a link that leads out of {folder}; nothing is written there, so remove it"
            )


def _check_path(path: str) -> None:
    """A path that leads out of the folder is a defect of an output, or of a manifest that somebody changed."""
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts:
        raise ValueError(f"{path!r} leads out of the folder")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _lines(text: str | None) -> list[str]:
    """Lines to print: of a file that is not UTF-8, what cannot be read as such is replaced."""
    if text is None:
        return []
    readable = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return [f"{line}\n" for line in readable.split("\n")[:-1]] + [
        line for line in readable.split("\n")[-1:] if line
    ]
