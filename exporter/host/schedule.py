"""The entry on a host that runs an environment's schedule: a systemd timer, or a cron entry without systemd.

One entry runs all schedules of the catalog: every five minutes it starts whatever is due. So a new store or a changed
schedule needs no change on the host, and a deploy installs the entry if it has the permissions. A scheduler in a
container would need the Docker socket, the folders of secrets, state and backups, and age or gpg in its image, and
would not run when the Docker engine is down.
"""

from __future__ import annotations

import re
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.host.failures import OperationError
from exporter.host.tools import run

if TYPE_CHECKING:
    from exporter.host.screen import Screen
    from exporter.host.site import Site

SYSTEMD = Path("/etc/systemd/system")
CRON = Path("/etc/cron.d")
VARIABLE = "BACKUP_SCHEDULE"
"""`off`: something else runs the schedule, so deploys install nothing."""
_RUNNING = Path("/run/systemd/system")
_CRON_RUNNING = (Path("/usr/sbin/cron"), Path("/usr/sbin/crond"))
_SECONDS = 60.0
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_SERVICE = """\
[Unit]
Description=Backups and drills of {title} that are due

[Service]
Type=oneshot
{environment}
ExecStart={command}
Nice=10
"""
_TIMER = """\
[Unit]
Description=Look every five minutes which backups of {title} are due

[Timer]
OnCalendar=*:0/5
AccuracySec=10s
Persistent=true

[Install]
WantedBy=timers.target
"""
_LINES = """\
# Look every five minutes which backups and drills of {title} are due.
SHELL=/bin/sh
PATH={path}
*/5 * * * * root {command}
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """The schedule's entry on a host: files by path, the commands that activate them, and those that remove them."""

    files: dict[Path, str]
    after: tuple[tuple[str, ...], ...] = ()
    remove: tuple[tuple[str, ...], ...] = ()

    def is_installed(self) -> bool:
        """True if all files exist with the right content."""
        return all(
            path.is_file() and path.read_text(errors="replace") == text for path, text in self.files.items()
        )


def entry_of(site: Site, systemd: Path = SYSTEMD, cron: Path = CRON) -> Entry:
    """Return the entry for this host. Raises OperationError if it has neither systemd nor cron."""
    argv, variables = command_of(site), variables_of(site)
    name = f"{re.sub('[^a-z0-9-]', '-', site.compose_project)}-backups"
    if _RUNNING.is_dir():
        unit, timer = systemd / f"{name}.service", systemd / f"{name}.timer"
        environment = "\n".join(
            f"Environment={_systemd_word(f'{key}={value}')}" for key, value in variables.items()
        )
        return Entry(
            {
                unit: _SERVICE.format(
                    title=site.title,
                    environment=environment,
                    command=" ".join(_systemd_word(word).replace("$", "$$") for word in argv),
                ),
                timer: _TIMER.format(title=site.title),
            },
            (("systemctl", "daemon-reload"), ("systemctl", "enable", "--now", timer.name)),
            (("systemctl", "disable", "--now", timer.name),),
        )
    if cron.is_dir() and any(path.exists() for path in _CRON_RUNNING):
        words = [f"{key}={value}" for key, value in variables.items()]
        line = " ".join(shlex.quote(word) for word in ("env", *words, *argv))
        if "\n" in line:
            raise OperationError("a path with a line break cannot be written into a crontab")
        return Entry(
            {cron / name: _LINES.format(title=site.title, path=_PATH, command=line.replace("%", "\\%"))}
        )
    raise OperationError(
        "this host has neither systemd nor cron; run this every five minutes by other means: "
        + shlex.join(argv)
    )


def ensure(site: Site, screen: Screen) -> None:
    """Install the backup schedule on this host after a deploy, if it is missing."""
    catalog = site.catalog
    schedules = [store.backup for store in catalog.stores.values()] + [
        each.backup for each in catalog.volumes.values()
    ]
    if not (any(schedules) or catalog.backup.configuration):
        return
    if site.variables.get(VARIABLE) == "off":
        return
    try:
        entry = entry_of(site)
        if not entry.is_installed():
            install(entry)
            screen.say(f"installed the backup schedule on this host: {', '.join(map(str, entry.files))}")
    except OperationError as error:
        screen.warn(f"no backups are scheduled on this host: {error.sentence}")


def install(entry: Entry) -> None:
    """Write the entry's files and activate them. Raises OperationError."""
    try:
        for path, text in entry.files.items():
            new = path.with_name(f".{path.name}.new")
            new.write_text(text)
            new.chmod(0o644)
            new.replace(path)
    except OSError as error:
        raise OperationError(
            f"{error.filename}: {error.strerror}; run as root to install the schedule"
        ) from None
    _do(entry.after)


def uninstall(entry: Entry) -> None:
    """Deactivate and remove the files of `install`. Raises OperationError."""
    if any(path.exists() for path in entry.files):
        _do(entry.remove)
    try:
        for path in entry.files:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise OperationError(
            f"{error.filename}: {error.strerror}; run as root to remove the schedule"
        ) from None
    _do(tuple(argv for argv in entry.after if "enable" not in argv))


def command_of(site: Site) -> list[str]:
    """Return the command that runs whatever is due, with absolute paths; for copied files, those of the last copy."""
    root = site.root
    config = site.config
    if site.handed_over:  # each command copies into a new folder; the link points to the last one
        root = site.state_folder / "sites" / "current"
        config = root / config.name
    interpreter = [sys.executable, "-P", "-m", "exporter"]
    return [
        *interpreter,
        "backups",
        "run-due",
        "-c",
        str(config),
        "-e",
        site.environment,
        "--root",
        str(root),
    ]


def variables_of(site: Site) -> dict[str, str]:
    """Return the folders as variables, since they may be set by variables only."""
    return {
        "STATE_FOLDER": str(site.state_folder),
        "BACKUP_FOLDER": str(site.backup_folder),
        "SECRETS_FOLDER": str(site.secrets_folder),
    }


def _do(commands: tuple[tuple[str, ...], ...]) -> None:
    for argv in commands:
        done = run(argv, seconds=_SECONDS)
        if not done.good:
            raise OperationError(f"{shlex.join(argv)} failed: {done.reason}")


def _systemd_word(word: str) -> str:
    """Quote a word for a unit file, where % is also special."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return '"' + escaped.replace("\n", "\\n") + '"'
