"""Commands for an environment whose engine is on another host: they run there, with a copy of the files.

Containers mount files of their engine's host: secrets, configuration, the state that the daemon reads. A lock also only
works there. So if docker_host is ssh://, the catalog and the environment's generated files are copied to that host,
each time into a new folder, and the same command runs there. The host needs Docker, Compose, and the exporter or its
image.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from string import Template
from typing import IO, TYPE_CHECKING

from exporter import __version__
from exporter.host.failures import EngineLost, OperationError
from exporter.host.lock import who
from exporter.host.site import HANDED_OVER
from exporter.host.ssh_scripts import COMMAND, UNPACK
from exporter.host.tools import run
from exporter.outputs.monitoring.sidecar import IMAGE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from exporter.host.screen import Screen
    from exporter.host.site import Site

KEPT_SITES = 10
FOLDERS = ("scripts", "dashboards", "alert_rules")
"""Generated folders that all environments share."""
LOCATIONS = ("--config", "-c", "--environment", "-e", "--root")
"""Options that name a place on this host; on the other host, variables replace them."""
FROM_FILE = ("--from-file", "--key")
"""Options that name a file of this host; its content is passed as standard input."""
COPY_SECONDS = 600.0
_BROKE_OFF = 255


def is_elsewhere(site: Site) -> bool:
    """True if the command has to run on another host."""
    return (site.docker_host or "").startswith("ssh://")


def go_to_host(site: Site, arguments: Sequence[str], screen: Screen) -> int:
    """Run `exporter ARGUMENTS` on the environment's host, and return its exit status.

    Raises:
        OperationError: The files cannot be copied to the host; nothing was done.
        EngineLost: The connection was lost while the command ran.
    """
    host = site.docker_host or ""
    if shutil.which("ssh") is None:
        raise OperationError(f"{site.environment} is on {host}, but ssh is not installed here")
    sites = site.state_folder / "sites"
    name = _site_name()
    words, given = there(arguments)
    screen.say(f"copying the catalog and the files of {site.environment} to {host}")
    with packed(site) as archive:
        unpack = ("sh", "-c", UNPACK, "sh", str(sites), name, str(KEPT_SITES))
        argv = ("ssh", host, quoted(unpack))
        done = run(argv, input=archive, seconds=COPY_SECONDS, own_session=False)  # ssh may ask for a password
    if not done.good:
        raise OperationError(
            f"nothing was done: the files cannot be copied to {sites} on {host}; check that ssh works and that the "
            f"user can write there: {done.reason}"
        )
    command = (*_variables(site, sites / name), "sh", "-c", COMMAND, "sh", *_exporter(site), *words)
    terminal = ["-t"] if given is None and sys.stdin.isatty() else []
    status = _call(["ssh", *terminal, host, quoted(command)], given)
    if status == _BROKE_OFF:
        raise EngineLost(f"the connection to {host} was lost")
    return status


def there(arguments: Sequence[str]) -> tuple[list[str], Path | None]:
    """Return the arguments for the other host, and the local file for its standard input.

    Options that name a local place are left out; everything after `--` is kept.
    """
    words: list[str] = []
    given: Path | None = None
    left = list(arguments)
    while left:
        word = left.pop(0)
        if word == "--":
            words += ["--", *left]
            break
        option, found, value = word.partition("=")
        if option in LOCATIONS:
            if not found and left:
                left.pop(0)
            continue
        if word[:2] in LOCATIONS and not word.startswith("--"):
            continue  # -eNAME
        if option in FROM_FILE and (found or left):
            value = value if found else left.pop(0)
            if value != "-":
                given = Path(value)
            words += [option, "-"]
            continue
        words.append(word)
    return words, given


@contextmanager
def packed(site: Site) -> Iterator[IO[bytes]]:
    """Yield a tar of the files that a command needs: the catalog as config.yaml, generated files, the public key."""
    with tempfile.TemporaryFile() as stream:
        try:
            with tarfile.open(fileobj=stream, mode="w") as archive:
                archive.add(site.config.resolve(), "config.yaml")
                archive.addfile(tarfile.TarInfo(HANDED_OVER))
                archive.add(site.folder, f"deploy/{site.environment}")
                for name in FOLDERS:
                    if (site.root / name).is_dir():
                        archive.add(site.root / name, name)
                if key := _public_key(site):
                    archive.add(site.catalog.folder / key, key)
        except OSError as error:
            where = error.filename or "the files"
            raise OperationError(f"nothing was done: {where} cannot be read: {error.strerror}") from None
        stream.seek(0)
        yield stream


def quoted(words: Sequence[str]) -> str:
    """Return the words as one line, quoted for any shell."""
    return " ".join("'" + word.replace("'", "'\\''") + "'" for word in words)


def _public_key(site: Site) -> str | None:
    """Return the path of the key if it is next to the catalog; an absolute path is on the other host."""
    encrypt = site.catalog.backup.encrypt
    if encrypt is None:
        return None
    path = PurePosixPath(encrypt.recipient_file)
    inside = not path.is_absolute() and ".." not in path.parts
    return str(path) if inside and (site.catalog.folder / path).is_file() else None


def _variables(site: Site, place: Path) -> tuple[str, ...]:
    tag = site.tag or site.commit() or ""
    return (
        "env",
        f"ON_BEHALF_OF={who()}@{socket.gethostname()}",
        f"TAG={tag}",
        f"EXPORTER_CONFIG={place}/config.yaml",
        f"EXPORTER_ENVIRONMENT={site.environment}",
        f"EXPORTER_ROOT={place}",
    )


def _exporter(site: Site) -> tuple[str, str, str, str]:
    """Return the other host's command (.env may set it), the version it must have, its image, and folders to mount."""
    image = site.catalog.exporter.image or f"{IMAGE}:{__version__}"
    folders = (site.state_folder, site.backup_folder, site.secrets_folder)
    return (
        site.own_variables.get("EXPORTER") or "exporter",
        ".".join(__version__.split(".")[:2]),
        Template(image).safe_substitute(site.variables),
        "\n".join(map(str, folders)),
    )


def _site_name() -> str:
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    user = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in who())
    return f"{now}-{user}-{os.getpid()}"


def _call(argv: Sequence[str], given: Path | None) -> int:
    """Run ssh with this terminal, where it also gets Ctrl-C, and return its status."""
    try:
        stdin = given.open("rb") if given is not None else None
    except OSError as error:
        raise OperationError(f"{given} cannot be read: {error.strerror}") from None
    process = subprocess.Popen(list(argv), stdin=stdin)  # noqa: S603 - argv, no shell
    try:
        return process.wait()
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
        raise
    finally:
        if stdin is not None:
            stdin.close()
