"""Releases kept for rollbacks: folders in the state folder with Compose files, images, mounted files and the tag.

rollback/ID   the release before deploy ID. `before` has a line `SERVICE IMAGE-ID IMAGE-NAME` per service; `undone`
              the same for the release that a rollback to it replaced
releases/ID   the release of deploy ID, as verified
running       a link to the current one
"""

from __future__ import annotations

import json
import re
import shutil
from typing import TYPE_CHECKING, NamedTuple

from exporter.host.failures import OperationError
from exporter.host.state import RUNNING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from exporter.host.containers import Container
    from exporter.host.state import StateFolder

DEFINITIONS = ("compose.yaml", "compose.monitoring.yaml")
IMAGES = "images.yaml"
TAG = "tag"
FILES = "files"
BEFORE, UNDONE = "before", "undone"
_ROW = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.-]*) (sha256:[0-9a-f]{64}) (\S+)", re.ASCII)


class ImageRow(NamedTuple):
    """The image of one service. `image`: its id. `name`: the name it was started with."""

    service: str
    image: str
    name: str


def images_of(containers: Iterable[Container]) -> list[ImageRow]:
    """Return a row for each service that has a container, from a running one if possible."""
    found: dict[str, ImageRow] = {}
    for each in sorted(containers, key=lambda one: (not one.running, one.name)):
        found.setdefault(each.service, ImageRow(each.service, each.image_id, each.image_name))
    return [found[name] for name in sorted(found)]


def rollback_folder(deploy: str) -> str:
    """Return the folder of the release before `deploy`."""
    return f"rollback/{deploy}"


def release_folder(deploy: str) -> str:
    """Return the folder of the release of `deploy`."""
    return f"releases/{deploy}"


def write_rows(state: StateFolder, name: str, rows: Iterable[ImageRow]) -> None:
    """Write rows, one per line."""
    state.write(name, "".join(f"{' '.join(row)}\n" for row in rows))


def read_rows(state: StateFolder, name: str) -> list[ImageRow]:
    """Read rows; none if there is no file.

    Raises:
        OperationError: A line is not a row.
    """
    rows = []
    for line in (state.read(name) or "").splitlines():
        match = _ROW.fullmatch(line)
        if match is None:
            raise OperationError(f"{state.path / name} is damaged, so the previous release is not known")
        rows.append(ImageRow(*match.groups()))
    return rows


def tag_before(state: StateFolder, deploy: str) -> str | None:
    """Return the tag of the release before `deploy`: empty if it had none, None if nothing ran or it was not kept."""
    folder = rollback_folder(deploy)
    if not state.read(f"{folder}/{BEFORE}"):
        return None
    return (state.read(f"{folder}/{TAG}") or "").strip()


def write_images(state: StateFolder, folder: str, names: Mapping[str, str]) -> None:
    """Write the Compose file that overrides the images of the definitions in `folder`."""
    state.write(f"{folder}/{IMAGES}", images_text(names))


def images_text(names: Mapping[str, str]) -> str:
    """Return a Compose file that gives each service its image."""
    rows = [f"  {json.dumps(service)}: {{image: {json.dumps(name)}}}\n" for service, name in names.items()]
    return "services:\n" + "".join(rows) if rows else "services: {}\n"


def copy_definitions(state: StateFolder, source: Path, folder: str) -> None:
    """Copy Compose files and tag into `folder`."""
    for name in (*DEFINITIONS, TAG):
        try:
            state.write(f"{folder}/{name}", (source / name).read_bytes())
        except FileNotFoundError:
            state.remove(f"{folder}/{name}")


def copy_files(state: StateFolder, folder: str) -> None:
    """Copy the files that containers mount now into `folder`."""
    target = state.path / folder / FILES
    state.remove(f"{folder}/{FILES}")
    if (state.path / FILES).is_dir():
        try:
            shutil.copytree(state.path / FILES, target, symlinks=True)
        except (OSError, shutil.Error) as error:
            raise OperationError(f"the current files cannot be copied to {target}: {error}") from None


def running_link(state: StateFolder) -> str | None:
    """Return the target of `running`, such as releases/ID."""
    link = state.path / RUNNING
    return str(link.readlink()) if link.is_symlink() else None


def folders(state: StateFolder) -> list[str]:
    """Return the folders of all kept releases."""
    return [
        f"{kind}/{path.name}"
        for kind in ("rollback", "releases")
        for path in sorted((state.path / kind).glob("*"))
        if path.is_dir() and not path.is_symlink()
    ]
