"""A generated tree with what `scripts/secrets.sh` needs: the scripts, and an `environment.sh` written by hand."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

SCRIPTS = Path(__file__).parents[2] / "exporter" / "outputs" / "scripts"
ENVIRONMENT = "production"


@dataclass(frozen=True, slots=True)
class Entry:
    """A secret of the catalog: `source` is file, env or generate, `value` its path, variable or length."""

    name: str
    source: str = "generate"
    value: str = "32"
    rotate_seconds: int = 0
    used_by: tuple[str, ...] = ()


class Project:
    """The tree in `root`; its secrets are in `folder`, of `owner` (None: the script's own default)."""

    def __init__(
        self,
        root: Path,
        entries: Iterable[Entry],
        folder: Path | None = None,
        owner: str | None = "",
        engine: str = "",
    ) -> None:
        self.root = root
        self.folder = folder or root / "host" / "secrets"
        self._owner = owner
        self._engine = engine
        self.temporary = root / "temporary"
        self.temporary.mkdir(parents=True)
        scripts = root / "scripts"
        scripts.mkdir()
        for name in ("secrets.sh", "lib.sh"):
            shutil.copy(SCRIPTS / name, scripts / name)
        self._write(tuple(entries))

    def command(self, *words: str) -> list[str]:
        return ["bash", str(self.root / "scripts" / "secrets.sh"), ENVIRONMENT, *words]

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        return {**kept, "TMPDIR": str(self.temporary), **(more or {})}

    def run(
        self,
        *words: str,
        given: bytes = b"",
        variables: Mapping[str, str] | None = None,
        prefix: Sequence[str] = (),
    ) -> subprocess.CompletedProcess[bytes]:
        """Without a terminal; `given` is its standard input."""
        return subprocess.run(
            [*prefix, *self.command(*words)],
            input=given,
            capture_output=True,
            env=self.environment(variables),
            timeout=60,
            cwd=self.root,
        )

    def value(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    def files(self) -> dict[str, bytes]:
        """Everything in the secrets folder but the lock."""
        if not self.folder.exists():
            return {}
        return {path.name: path.read_bytes() for path in self.folder.iterdir() if path.name != ".lock"}

    def _write(self, entries: tuple[Entry, ...]) -> None:
        lines = [
            *(f"{name}={shlex.quote(value)}" for name, value in self._plain().items()),
            "SERVICES=(api worker)",
            "STORES=(database)",
            _array("SECRETS", (entry.name for entry in entries)),
            _array("SECRET_SOURCE", (entry.source for entry in entries)),
            _array("SECRET_VALUE", (entry.value for entry in entries)),
            _array("SECRET_ROTATE_SECONDS", (str(entry.rotate_seconds) for entry in entries)),
            _array("SECRET_USED_BY", ("\n".join(entry.used_by) for entry in entries)),
        ]
        deploy = self.root / "deploy" / ENVIRONMENT
        deploy.mkdir(parents=True)
        (deploy / "environment.sh").write_text("\n".join(lines) + "\n")

    def _plain(self) -> dict[str, str]:
        return {
            "PROJECT": "shop",
            "ENVIRONMENT": ENVIRONMENT,
            "COMPOSE_PROJECT": f"shop-{ENVIRONMENT}",
            "PROTECTED": "true",
            "DOCKER_HOST_OF_ENVIRONMENT": self._engine,
            "STATE_FOLDER_DEFAULT": str(self.root / "host" / "state"),
            "BACKUP_FOLDER_DEFAULT": str(self.root / "host" / "backups"),
            "SECRETS_FOLDER_DEFAULT": str(self.folder),
            **({} if self._owner is None else {"SECRETS_OWNER_DEFAULT": self._owner}),
        }


def _array(name: str, values: Iterable[str]) -> str:
    return f"{name}=({' '.join(shlex.quote(value) for value in values)})"
