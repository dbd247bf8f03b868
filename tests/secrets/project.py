"""A generated tree for `exporter secrets`, whose catalog has exactly the secrets that the test names.

    project = Project(tmp_path, [Entry("key", rotate_seconds=DAY)])
    done = project.run("rotate", "key", "--yes")     # in this process
    project.command("create")                        # a command line for a separate process or terminal

A catalog allows fewer names than a file system, so here the names come from `entries.json`; `test_inventory.py` tests
how they come from a catalog.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

from typer.testing import CliRunner

import exporter.secrets.work
from exporter.cli import main
from exporter.secrets.commands import app
from exporter.secrets.inventory import Login, Secret, checked

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

ENVIRONMENT = "production"
_CATALOG = """
project: shop
services: {api: {image: api, port: 80}, worker: {image: worker, port: 80}}
stores: {database: {engine: postgresql, auth: off}, cache: {engine: redis, auth: off}}
environments: {production: {}}
"""
_ENTRIES = "TEST_SECRETS_ENTRIES"


@dataclass(frozen=True, slots=True)
class Entry:
    """A secret of the catalog: `source` is file, env or generate, `value` its path, variable or length."""

    name: str
    source: str = "generate"
    value: str = "32"
    rotate_seconds: int = 0
    used_by: tuple[str, ...] = ()
    password_of: tuple[str, ...] = ()
    """Stores, by the name of their engine."""
    variable_of: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Done:
    """The outcome of a command."""

    returncode: int
    stdout: bytes
    stderr: bytes


class Project:
    """The tree in `root`; its secrets are in `folder`, owned by `owner` (None: the command's default)."""

    def __init__(
        self,
        root: Path,
        entries: Iterable[Entry],
        folder: Path | None = None,
        owner: str | None = str(os.getuid()),
        engine: str = "",
        catalog: str = _CATALOG,
    ) -> None:
        self.root = root
        self.folder = folder or root / "host" / "secrets"
        self.state = root / "host" / "state"
        self.temporary = root / "temporary"
        self.temporary.mkdir(parents=True)
        self._owner = owner
        self._engine = engine
        (root / "config.yaml").write_text(catalog)
        deploy = root / "deploy" / ENVIRONMENT
        deploy.mkdir(parents=True)
        (deploy / "compose.yaml").touch()
        (root / "entries.json").write_text(json.dumps([asdict(entry) for entry in entries]))

    def words(self, *words: str) -> list[str]:
        """Return the words after `exporter secrets`; the options for the environment go before a `--`."""
        end = words.index("--") if "--" in words else len(words)
        where = (
            () if words in ((), ("--help",)) else ("-e", ENVIRONMENT, "-c", str(self.root / "config.yaml"))
        )
        return [*words[:end], *where, *words[end:]]

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "tests.secrets.project", "secrets", *self.words(*words)]

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        return {**kept, **self._variables(), "PYTHONPATH": str(Path(__file__).parents[2]), **(more or {})}

    def run(self, *words: str, given: bytes = b"", variables: Mapping[str, str] | None = None) -> Done:
        """Run it here, without a terminal; `given` is its standard input."""
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        environment: dict[str, Any] = dict.fromkeys(("EXPORTER_CONFIG", "DOCKER_HOST", "SECRETS_OWNER"))
        environment |= {**self._variables(), **(variables or {})}
        try:
            with entries_of(self.root / "entries.json"):
                result = CliRunner().invoke(app, self.words(*words), input=given, env=environment)
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Done(result.exit_code, result.stdout_bytes, result.stderr_bytes)

    def value(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    def files(self) -> dict[str, bytes]:
        """Return everything in the secrets folder except the lock."""
        if not self.folder.exists():
            return {}
        return {path.name: path.read_bytes() for path in self.folder.iterdir() if path.name != ".lock"}

    def _variables(self) -> dict[str, str]:
        return {
            "TMPDIR": str(self.temporary),
            "STATE_FOLDER": str(self.state),
            "SECRETS_FOLDER": str(self.folder),
            _ENTRIES: str(self.root / "entries.json"),
            **({} if self._owner is None else {"SECRETS_OWNER": self._owner}),
            **({"DOCKER_HOST": self._engine} if self._engine else {}),
        }


_LOGINS = {
    "database": Login("database", "postgresql", "postgres", 5432),
    "cache": Login("cache", "redis", "default", 6379),
}


def entries_of(file: Path) -> Any:
    """Use the secrets of `file` for any catalog inside the block."""
    secrets: Sequence[Secret] = [
        Secret(
            entry["name"],
            entry["source"],
            entry["value"],
            entry["rotate_seconds"] or None,
            tuple(entry["used_by"]),
            tuple(_LOGINS[name] for name in entry["password_of"]),
            tuple(entry["variable_of"]),
        )
        for entry in json.loads(file.read_text())
    ]
    return mock.patch.object(exporter.secrets.work, "inventory", side_effect=lambda _: checked(secrets))


if __name__ == "__main__":
    with entries_of(Path(os.environ[_ENTRIES])):
        main()
