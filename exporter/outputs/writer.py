"""The writer of generated files: compares them with the disk, writes them, and removes those no longer generated.

A manifest next to the files lists each written file with its hash, so a file that somebody created or edited is never
overwritten or removed without `force`.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from exporter.outputs.transaction import Transaction

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from exporter.outputs.base import File

MANIFEST = ".exporter-manifest"
"""Without an extension: Grafana reads every .json file next to its dashboards as a dashboard, hidden or not."""
MANIFEST_VERSION = 1
FILE_MODE, EXECUTABLE_MODE = 0o644, 0o755
_NO_LINE_BREAK = "\\ No newline at end of file"


class State(StrEnum):
    """The state of a file on disk, compared with the rendered one."""

    UNCHANGED = "unchanged"
    NEW = "new"
    CHANGED = "changed"
    EDITED = "edited"
    """Created by somebody, or edited after it was written: not overwritten."""
    STALE = "stale"
    """Written earlier and no longer generated."""
    STALE_EDITED = "stale, edited"
    """Stale, but edited after it was written: not removed."""
    FOREIGN = "of another project"
    """Different, and in a folder of another project's catalog: neither written nor removed."""


WRITTEN = {State.NEW, State.CHANGED}
REMOVED = {State.STALE}
PROTECTED = {State.EDITED, State.STALE_EDITED, State.FOREIGN}


class WriteError(Exception):
    """Files cannot be written. The message says what is wrong, where, and what to do."""


@dataclass(frozen=True, slots=True)
class Change:
    """One file: its text on disk and its rendered text, each None if there is no such file."""

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
        """Return the unified diff from the file on disk to the rendered one."""
        names = (f"{self.place} (on disk)", f"{self.place} (from the catalog)")
        lines = difflib.unified_diff(_lines(self.before), _lines(self.after), *names)
        return "".join(line if line.endswith("\n") else f"{line}\n{_NO_LINE_BREAK}\n" for line in lines)


def compare(folder: Path, files: Iterable[File], project: str = "", *, whole: bool = True) -> list[Change]:
    """Compare `folder` with `files`, which were rendered from the catalog of `project`; return changes by path.

    Args:
        whole: `files` are all files of the folder, so other files in the manifest are stale.

    Raises:
        WriteError: something in the folder cannot be read or is of the wrong kind.
    """
    manifest = read_manifest(folder)
    known, foreign = manifest.files, manifest.is_foreign(project)
    wanted = {file.path: file for file in files}
    for path in (*wanted, *known):
        _check_path(path)
    _check_links(folder, (*wanted, *known))
    changes = [_compare_one(folder, file, known.get(file.path)) for file in wanted.values()]
    for path, digest in known.items() if whole else ():
        if path in wanted:
            continue
        before, _ = _read(folder / path)
        if before is not None:
            ours = _digest(before) == digest and not (folder / path).is_symlink()
            state = State.STALE if ours else State.STALE_EDITED
            changes.append(Change(folder, path, state, before, None))
    if foreign:
        changes = [
            change if change.state is State.UNCHANGED else replace(change, state=State.FOREIGN)
            for change in changes
        ]
    return sorted(changes, key=lambda change: change.path)


def is_foreign(folder: Path, project: str) -> bool:
    """True if the files of `folder` were generated from the catalog of another project."""
    return read_manifest(folder).is_foreign(project)


def write(changes: Iterable[Change], project: str = "", *, force: bool = False) -> None:
    """Make the folders equal to what was rendered, completely or not at all. Protected files stay, unless `force`.

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
                emptied += _prepare(transaction, folder, here, project, force=force)
            transaction.commit()
    except OSError as error:
        where = error.filename2 or error.filename or "the files"
        why = error.strerror or str(error)
        raise WriteError(f"cannot write {where}: {why}; nothing was changed") from None
    for folder, path in emptied:
        remove_empty((folder / path).parent, folder)


def remove_empty(folder: Path, root: Path) -> None:
    """Remove `folder` and its parents while they are empty, up to `root`, which stays."""
    while folder != root:
        try:
            folder.rmdir()
        except OSError:
            return  # not empty, or gone already
        folder = folder.parent


def _prepare(
    transaction: Transaction, folder: Path, changes: list[Change], project: str, *, force: bool
) -> list[tuple[Path, str]]:
    """Prepare the changes of one folder, its manifest last; return the files that will be removed."""
    touched = WRITTEN | (PROTECTED if force else set())
    removed = REMOVED | (PROTECTED if force else set())
    before = read_manifest(folder)
    foreign = before.is_foreign(project)
    if foreign and not force:
        return []
    known = dict(before.files)
    gone = []
    for change in changes:
        if change.after is not None and change.state in touched:
            mode = EXECUTABLE_MODE if change.executable else FILE_MODE
            transaction.write(change.place, change.after, mode)
        if change.after is not None and change.state in touched | {State.UNCHANGED}:
            known[change.path] = _digest(change.after)
        elif change.after is None and change.state in removed:
            del known[change.path]
            transaction.remove(change.place)
            gone.append((folder, change.path))
    after = Manifest(known, project or before.project)
    if known and after != before:
        transaction.write(folder / MANIFEST, after.text(), FILE_MODE)
    elif before.files and not known:
        transaction.remove(folder / MANIFEST)
        gone.append((folder, MANIFEST))
    return gone


@dataclass(frozen=True, slots=True)
class Manifest:
    """The manifest: the hash of each file written earlier, by path, and the project that they belong to."""

    files: dict[str, str]
    project: str = ""

    def is_foreign(self, project: str) -> bool:
        return bool(self.files and self.project and project and self.project != project)

    def text(self) -> str:
        """Return the manifest's text, readable for programs and for reviewers of a commit."""
        document = {
            "version": MANIFEST_VERSION,
            **({"project": self.project} if self.project else {}),
            "files": dict(sorted(self.files.items())),
        }
        return json.dumps(document, indent=1) + "\n"


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
    """Return a file's text, None if there is no file, and whether it is executable."""
    try:
        text = path.read_bytes().decode("utf-8", "surrogateescape")
        return text, bool(path.stat().st_mode & 0o100)
    except FileNotFoundError:
        if path.is_symlink():
            raise WriteError(f"{path} is a broken link; remove it") from None
        return None, False
    except NotADirectoryError:
        blocking = next(parent for parent in path.parents if parent.exists())
        raise WriteError(f"{blocking} is a file, but a folder is needed there; move the file away") from None
    except IsADirectoryError:
        raise WriteError(f"{path} is a folder, but a file is needed there; move the folder away") from None
    except OSError as error:
        raise WriteError(f"cannot read {path}: {error.strerror}") from None


def read_manifest(folder: Path) -> Manifest:
    if (folder / MANIFEST).is_symlink():
        raise WriteError(f"{folder / MANIFEST} is a link, but a file is needed there; remove the link")
    text, _ = _read(folder / MANIFEST)
    if text is None:
        return Manifest({})
    try:
        document = json.loads(text)
        files: Mapping[str, str] = document["files"]
        for path in files:
            _check_path(path)
        return Manifest(dict(files), str(document.get("project", "")))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise WriteError(
            f"{folder / MANIFEST} is damaged; remove it, then use --force to overwrite the files next to it"
        ) from None


def _check_links(folder: Path, paths: Iterable[str]) -> None:
    """Raise WriteError if a link below the folder leads out of it. The folder itself may be a link."""
    root = folder.resolve()
    for parent in {(folder / path).parent for path in paths} | {folder}:
        if not parent.resolve().is_relative_to(root):
            raise WriteError(
                f"{parent} is a link that leads out of {folder}, where nothing is written; remove the link"
            )


def _check_path(path: str) -> None:
    """Raise ValueError if a path leads out of the folder: an output has a bug, or somebody edited the manifest."""
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts:
        raise ValueError(f"{path!r} leads out of the folder")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _lines(text: str | None) -> list[str]:
    """Return the lines to print; bytes that are not UTF-8 are replaced."""
    if text is None:
        return []
    readable = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return [f"{line}\n" for line in readable.split("\n")[:-1]] + [
        line for line in readable.split("\n")[-1:] if line
    ]
