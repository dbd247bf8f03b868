"""The pre-flight checks, one function each: files, space, user, secrets, images, clock.

Each yields findings about a Host. Checks that need more than the site are listed in NEEDS_ENGINE and NEEDS_COMPOSE.
"""

from __future__ import annotations

import os
import re
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING

from exporter import __version__
from exporter.host import lock
from exporter.host.containers import moment
from exporter.host.failures import OperationError
from exporter.host.findings import Finding, State
from exporter.host.shown import shown
from exporter.host.state import CURRENT
from exporter.outputs.compose.secrets import env_file
from exporter.outputs.generate import rendered
from exporter.outputs.registry import OUTPUTS
from exporter.outputs.writer import MANIFEST, PROTECTED, WriteError, compare, read_manifest
from exporter.outputs.writer import State as FileState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from exporter.host.findings import Host
    from exporter.host.site import Site

MIN_FREE_MIB = "MIN_FREE_MIB"
_FREE_MIB = 1024
_SECRET_MODES = {0o400, 0o440}
_ENV_FILE_MODE = 0o400
_DRIFT_SECONDS = 5.0
_ROW = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]* sha256:[0-9a-f]+ \S+", re.ASCII)
"""A line of `rollback/ID/before`: service, image, name."""


def generated_files(host: Host) -> Iterator[Finding]:
    """Check that the generated files match the catalog and this version."""
    site = host.site
    if not (site.folder / MANIFEST).is_file():
        yield Finding(
            "files", State.WARNING, f"{site.folder} was not written by exporter gen, so it cannot be compared"
        )
        return
    outdated, edited = _differing(site)
    if outdated:
        more = f" and {len(outdated) - 1} more" if len(outdated) > 1 else ""
        sentence = (
            f"{outdated[0]}{more}: out of date, because {site.config} or the exporter (now {__version__}) has changed; "
            "run: exporter gen"
        )
        yield Finding("files", State.PROBLEM, sentence)
    if edited:
        more = f" and {len(edited) - 1} more" if len(edited) > 1 else ""
        yield Finding(
            "files",
            State.WARNING,
            f"{edited[0]}{more}: edited or removed by hand, so it may not match the catalog",
        )
    if not outdated and not edited:
        yield Finding("files", State.GOOD, f"{site.folder} matches the catalog and exporter {__version__}")


def folders(host: Host) -> Iterator[Finding]:
    """Check that the folders can be written to and have enough space."""
    site = host.site
    least = site.variables.get(MIN_FREE_MIB) or str(_FREE_MIB)
    if not least.isascii() or not least.isdecimal():
        yield Finding("folders", State.PROBLEM, f"{MIN_FREE_MIB} is {shown(least)}; set it to a number")
        return
    wanted = [
        ("STATE_FOLDER", site.state_folder, True),
        ("BACKUP_FOLDER", site.backup_folder, True),
    ]
    if host.facts and host.facts.root:
        wanted.append(("the engine's data", Path(host.facts.root), False))
    for name, folder, writes in wanted:
        yield from _folder(name, folder, int(least), writes=writes)


def user(host: Host) -> Iterator[Finding]:
    """Check that the user has the permissions for an operation."""
    name = lock.who()
    there = _nearest(host.site.secrets_folder)
    if not os.access(there, os.R_OK | os.X_OK):
        yield Finding(
            "user", State.PROBLEM, f"{shown(name)} cannot read {there}; run as root or as the folder's owner"
        )
        return
    yield Finding("user", State.GOOD, f"{shown(name)} (uid {os.geteuid()})")


def secrets(host: Host) -> Iterator[Finding]:
    """Check that the secret files that containers mount exist, and that other users cannot read them."""
    site = host.site
    names = host.compose.secrets() if host.compose else []
    good = True
    for name in names:
        problem = _secret(site.secrets_folder / name, name, site.environment)
        if problem:
            good = False
            yield Finding("secrets", State.PROBLEM, problem)
    if good:
        yield Finding(
            "secrets",
            State.GOOD,
            f"all {len(names)} are in {site.secrets_folder}" if names else "none needed",
        )


def rollback_images(host: Host) -> Iterator[Finding]:
    """Check that the images needed for a rollback exist."""
    site, engine = host.site, host.engine
    missing, count = [], 0
    for file in sorted((site.state_folder / "rollback").glob("*/before")):
        relative = file.relative_to(site.state_folder)
        for line in (site.state.read(str(relative)) or "").splitlines():
            service, _, rest = line.partition(" ")
            image = rest.partition(" ")[0]
            count += 1
            name = f"{site.compose_project}/{service}:rollback-{file.parent.name}"
            if not _ROW.fullmatch(line):
                missing.append(f"in {file}, which is damaged")
            elif engine and engine.image(name) is None and engine.image(image) is None:
                missing.append(name)
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        sentence = f"missing rollback image {shown(missing[0], 300)}{more}; a rollback to that deploy is not possible"
        yield Finding("rollback images", State.WARNING, sentence)
    else:
        what = f"all {count} are there" if count else "nothing to roll back to yet"
        yield Finding("rollback images", State.GOOD, what)


def clock(host: Host) -> Iterator[Finding]:
    """Check that the clock agrees with the engine's, and was not set back since the last operation."""
    now = time.time()
    engine = moment(host.facts.now) if host.facts else None
    begun, answered = host.asked
    drift = engine.timestamp() - min(max(engine.timestamp(), begun), answered) if engine else 0.0
    if abs(drift) > _DRIFT_SECONDS:
        way = "ahead" if drift > 0 else "behind"
        sentence = f"the engine's clock is {abs(drift):.0f} s {way}; start NTP on both hosts"
        yield Finding("clock", State.PROBLEM, sentence)
        return
    newest = max(
        (_modified(host.site.state_folder / name) for name in ("deploys.jsonl", lock.HOLDER)), default=0.0
    )
    if newest > now + _DRIFT_SECONDS:
        sentence = f"the last operation was {newest - now:.0f} s in the future by this host's clock; correct the clock"
        yield Finding("clock", State.PROBLEM, sentence)
        return
    yield Finding("clock", State.GOOD, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now)))


def unfinished(host: Host) -> Iterator[Finding]:
    """Check that no other command is changing the environment, and that none was left unfinished."""
    state, environment = host.site.state, host.site.environment
    if lock.is_locked(state):
        yield Finding("unfinished", State.WARNING, f"locked by {lock.holder(state) or 'an unknown command'}")
        return
    left = state.restore_left(environment)
    if left:
        yield Finding("unfinished", State.PROBLEM, left)
    step = state.fields(CURRENT).get("step")
    if step:
        sentence = f'a deploy was killed at the step "{shown(step)}"; the next deploy or rollback repairs it'
        yield Finding("unfinished", State.WARNING, sentence)
    if not left and not step:
        yield Finding("unfinished", State.GOOD, "nothing is running or unfinished")


def watched(host: Host) -> Iterator[Finding]:
    """Say what is only watched: no operation touches it."""
    if note := host.site.watched_note:
        yield Finding("watched", State.GOOD, note)


CHECKS: dict[str, Callable[[Host], Iterator[Finding]]] = {
    "files": generated_files,
    "folders": folders,
    "user": user,
    "secrets": secrets,
    "rollback images": rollback_images,
    "clock": clock,
    "unfinished": unfinished,
    "watched": watched,
}
NEEDS_ENGINE = {"rollback images"}
NEEDS_COMPOSE = {"secrets"}


def _differing(site: Site) -> tuple[list[str], list[str]]:
    """Return the files that are out of date, and those that somebody edited or removed."""
    outdated, edited = [], []
    try:
        made = rendered(site.config, OUTPUTS, site.environment, site.root)
        for tree in made.trees:
            written = read_manifest(tree.folder).files
            for change in compare(tree.folder, tree.files, made.project):
                place = str(change.place.relative_to(site.root))
                removed = change.state is FileState.NEW and change.path in written
                if removed or change.state in PROTECTED:
                    edited.append(place)
                elif change.state is not FileState.UNCHANGED:
                    outdated.append(place)
    except WriteError as error:
        raise OperationError(str(error)) from None
    return outdated, edited


def _folder(name: str, folder: Path, least: int, *, writes: bool) -> Iterator[Finding]:
    there = _nearest(folder)
    try:
        space = os.statvfs(there)
    except OSError as error:
        yield Finding("folders", State.PROBLEM, f"{name} {folder} cannot be read: {error.strerror}")
        return
    free = space.f_bavail * space.f_frsize // 1024**2
    if free < least:
        sentence = (
            f"{name} {folder} has {free} MiB left but needs {least}; free some space, or set {MIN_FREE_MIB}"
        )
        yield Finding("folders", State.PROBLEM, sentence)
    elif space.f_files and space.f_favail == 0:
        yield Finding("folders", State.PROBLEM, f"{name} {folder} has no inodes left; remove some files")
    elif writes and not os.access(there, os.W_OK | os.X_OK):
        sentence = f"{name} {folder}: {shown(lock.who())} cannot write to {there}; run as another user, or set {name}"
        yield Finding("folders", State.PROBLEM, sentence)
    else:
        yield Finding("folders", State.GOOD, f"{name} {folder}, {free} MiB free")


def _nearest(folder: Path) -> Path:
    """Return the folder, or its nearest parent that exists."""
    return next(each for each in (folder, *folder.parents) if each.is_dir() or each == each.parent)


def env_file_problem(site: Site, container: str) -> str | None:
    """Return what is wrong with the file of a container's variables that hold secrets; None if nothing is."""
    file = site.secrets_folder / env_file(container)
    try:
        status = file.lstat()
    except FileNotFoundError:
        return (
            f"the env file of {container} is not at {file}; "
            f"make it with: exporter secrets create -e {site.environment}"
        )
    except OSError as error:
        return f"the env file {file} cannot be read: {error.strerror}"
    if not stat.S_ISREG(status.st_mode):
        return f"the env file {file} is not a regular file"
    mode = stat.S_IMODE(status.st_mode)
    return (
        None if mode == _ENV_FILE_MODE else f"the env file {file} has mode {mode:o} and not 400; chmod 400 it"
    )


def _secret(file: Path, name: str, environment: str) -> str | None:
    try:
        status = file.stat()
    except FileNotFoundError:
        return f"the secret {shown(name)} is not at {file}; create it with: exporter secrets create -e {environment}"
    except OSError as error:
        return f"the secret file {file} cannot be read: {error.strerror}"
    if not stat.S_ISREG(status.st_mode):
        return f"the secret {file} is not a regular file"
    mode = stat.S_IMODE(status.st_mode)
    if mode not in _SECRET_MODES:
        return f"the secret file {file} has mode {mode:o} instead of 400 or 440; run: chmod 400 {file}"
    return None if status.st_size else f"the secret file {file} is empty"


def _modified(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0
