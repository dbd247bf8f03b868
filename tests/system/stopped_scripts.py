"""Scripts that are stopped at a defined moment, and killed there.

    gate = Gate(folder, site)
    script = gate.start("restore", backup, "--yes", at="*pg_restore*", half=1000)
    script.kill()

Wrappers of the programs that the commands call come first in PATH; `exporter` itself is replaced by gated.py. The
first call whose words match `at` stops before it does anything or, with `half`, after this many bytes of its standard
input. Other calls continue.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.components import require
from tests.docker_engine import DockerEngine
from tests.system.backing_up import ENVIRONMENT, SQLITE, Site
from tests.system.base_images import import_python
from tests.system.local_images import import_postgresql, import_redis
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_PROGRAM = """#!/bin/bash
if [[ -n ${GATE_FOLDER:-} ]]; then printf '%s\\0' "$0" "$@" >>"$GATE_FOLDER/calls"; fi
if [[ -n ${GATE:-} && $* == $GATE ]] && mkdir "$GATE_FOLDER/reached" 2>/dev/null; then
  if [[ -n $GATE_HALF ]]; then
    { head -c "$GATE_HALF" && : >"$GATE_FOLDER/stopped" && cat "$GATE_FOLDER/pipe" - ; } | "$REAL" "$@"
    exit
  fi
  : >"$GATE_FOLDER/stopped"
  cat "$GATE_FOLDER/pipe"
fi
exec "$REAL" "$@"
"""

_EXPORTER = """#!/bin/sh
PYTHONPATH={root} exec {python} {gated} "$@"
"""
_ROOT = Path(__file__).parents[2]
_GATED = Path(__file__).with_name("gated.py")


class Stopped:
    """A script that is stopped, with everything that it has started."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path) -> None:
        self.process = process
        self.folder = folder

    def kill(self) -> None:
        """Kill it and everything that it has started."""
        self.kill_alone()
        kill_all(self.folder)

    def kill_alone(self) -> None:
        """Kill only the script; its child processes continue when the gate is opened."""
        self.process.kill()
        self.process.wait(20)

    def open(self) -> None:
        """Let it continue."""
        with (self.folder / "pipe").open("w"):
            pass

    def end(self) -> tuple[int, str]:
        """Let it run to its end and return its exit status and output."""
        self.open()
        status = self.process.wait(60)
        return status, (self.folder / "said").read_text(errors="replace")


def kill_all(folder: Path) -> None:
    """Kill all processes that a script of this gate started, also those in sessions of their own."""
    sign = f"GATE_FOLDER={folder}".encode()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has exited
            if sign in (process / "environ").read_bytes().split(b"\0"):
                os.kill(int(process.name), signal.SIGKILL)


class Gate:
    """Wrappers of these programs in `folder`, for the scripts of `site`."""

    def __init__(self, folder: Path, site: Site) -> None:
        self.folder = folder
        self._site = site
        self.work = folder / "work"
        """The folder for the scripts' temporary files."""
        (folder / "bin").mkdir(parents=True)
        self.work.mkdir()
        os.mkfifo(folder / "pipe")
        texts = {
            "docker": _PROGRAM.replace("$REAL", require("docker")),
            "docker-compose": _PROGRAM.replace("$REAL", require("docker-compose")),
            "exporter": _EXPORTER.format(python=sys.executable, root=_ROOT, gated=_GATED),
        }
        for name, text in texts.items():
            program = folder / "bin" / name
            program.write_text(text)
            program.chmod(0o755)

    def variables(self, **more: str) -> dict[str, str]:
        """Return the variables, also for scripts that are not to be stopped."""
        place = self.folder / "bin"
        return {
            "PATH": f"{place}:{os.environ['PATH']}",
            "EXPORTER": str(place / "exporter"),
            "TMPDIR": str(self.work),
            "GATE_FOLDER": str(self.folder),
            **more,
        }

    @contextlib.contextmanager
    def start(
        self, name: str, *arguments: str, at: str, half: int = 0, more: Mapping[str, str] | None = None
    ) -> Iterator[Stopped]:
        """Start a script and return it when it has reached its gate. Whatever is left of it at the end of the block
        is killed."""
        for left in ("reached", "stopped"):
            with contextlib.suppress(FileNotFoundError):
                (self.folder / left).rmdir() if left == "reached" else (self.folder / left).unlink()
        with (self.folder / "said").open("wb") as said:
            process = subprocess.Popen(
                [self._site.folder / "scripts" / f"{name}.sh", ENVIRONMENT, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,
                env={
                    **self._site.variables(**self.variables()),
                    "GATE": at,
                    "GATE_HALF": str(half or ""),
                    **(more or {}),
                },
            )
        try:
            until(lambda: (self.folder / "stopped").exists() or process.poll() is not None, at, 60)
            assert process.poll() is None, (self.folder / "said").read_text(errors="replace")
            yield Stopped(process, self.folder)
        finally:
            process.kill()
            process.wait(20)
            kill_all(self.folder)

    def calls(self) -> str:
        """Return the arguments of all programs that were called."""
        return (self.folder / "calls").read_text(errors="replace")

    def leftovers(self) -> set[str]:
        """Return throw-away containers, volumes of drills, unfinished backups and temporary folders that are left."""
        docker = self._site.engine.docker
        found = [path.name for path in (*self.work.iterdir(), *self._site.backups.glob("*.partial"))]
        for label in ("exporter.helper", "exporter.drill"):
            found += docker("ps", "--all", "--quiet", "--filter", f"label={label}").split()
            found += docker("volume", "ls", "--quiet", "--filter", f"label={label}").split()
        return set(found)


@contextlib.contextmanager
def filled_site(folder: Path) -> Iterator[Site]:
    """Run a site with data everywhere, on its own engine."""
    with (
        tempfile.TemporaryDirectory(prefix="docker-") as place,  # must be short: it holds sockets
        DockerEngine(Path(place)) as engine,
    ):
        import_postgresql(engine)
        import_redis(engine)
        import_python(engine)
        site = Site(folder / "a b'c$d", engine)
        site.start()
        try:
            site.fill()
            yield site
        finally:
            site.destroy()


def half_of(site: Site, backup: str, name: str, pattern: str) -> int:
    """Return half the size in bytes of the first such file of a backup."""
    return sorted((site.backups / backup / name).glob(pattern))[0].stat().st_size // 2


def spoil(site: Site, name: str) -> None:
    """Add something that was not there when the backup was made, and remove something that was."""
    if name == "db":
        site.sql("forms", "CREATE TABLE IF NOT EXISTS later (); DROP TABLE IF EXISTS empty")
    elif name == "cache":
        site.redis("DEL", "key 1")
        site.redis("SET", "later", "1")
    elif name == "documents":
        (site.volume("documents") / "later").write_text("later")
        (site.volume("documents") / "link").unlink(missing_ok=True)
    else:
        with contextlib.closing(sqlite3.connect(site.volume("api-data") / Path(SQLITE).name)) as base:
            base.execute('DELETE FROM "d""$x" WHERE id > 10')
            base.commit()
