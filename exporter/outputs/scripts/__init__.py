"""The scripts in a user's repository: each runs one command of the exporter for a given environment.

They are wrappers from one template, the same for every catalog.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from exporter import __version__
from exporter.outputs.base import File

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.catalog.catalog import Catalog

_FOLDER = Path(__file__).parent
_TEMPLATE = "wrapper.sh.in"


@dataclass(frozen=True, slots=True)
class Wrapper:
    """A script: `about` is one sentence; `words` follow the environment in the usage line."""

    command: str
    about: str
    words: str = "[OPTION]..."


WRAPPERS = {
    "secrets": Wrapper(
        "secrets",
        "Creates, lists, checks, rotates and reverts the secrets of an environment.",
        "create|list|check|rotate|revert [NAME]... [OPTION]...",
    ),
    "backup": Wrapper(
        "backup", "Saves the stores, volumes and configuration of an environment.", "[NAME]... [OPTION]..."
    ),
    "restore": Wrapper(
        "restore",
        "Restores a backup into an environment, or tests it with --drill.",
        "BACKUP|latest [NAME]... [OPTION]...",
    ),
    "deploy": Wrapper(
        "deploy",
        "Deploys a release to an environment, and rolls back if it is not healthy.",
        "[SERVICE] [--tag TAG] [--build | --pull] [--dry-run] [--yes]",
    ),
    "rollback": Wrapper(
        "rollback",
        "Rolls back to the release before the last successful deploy, or to an older one.",
        "[SERVICE] [--to TAG|ID] [--list] [--dry-run] [--yes]",
    ),
    "status": Wrapper("status", "Shows what runs in an environment, and what is wrong.", "[--json]"),
}
"""The scripts by name."""


def render(catalog: Catalog) -> Iterable[File]:  # noqa: ARG001 - the contract of outputs
    """Yield every script."""
    for name, wrapper in sorted(WRAPPERS.items()):
        yield File(f"{name}.sh", wrapped(name, wrapper), executable=True)


def wrapped(name: str, wrapper: Wrapper, version: str = __version__) -> str:
    """Return the text of one wrapper, which accepts any exporter of the same minor version."""
    template = (_FOLDER / _TEMPLATE).read_text(encoding="utf-8")
    return template.format(
        name=name,
        command=wrapper.command,
        about=wrapper.about,
        words=wrapper.words,
        version=version,
        fits=".".join(version.split(".")[:2]),
    )
