"""Mounts of a service, in the catalog's form."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from exporter.imports.compose.expressions import by_default
from exporter.imports.compose.forms.mounts import BIND
from exporter.imports.mapping.draft import Outcome

if TYPE_CHECKING:
    from exporter.imports.compose.forms.mounts import Mount
    from exporter.imports.compose.forms.service import Service
    from exporter.imports.mapping.draft import Draft
    from exporter.imports.project import ModelPath


def mounts(service: Service, draft: Draft, without: str = "") -> list[Any]:
    """Return the mounts of a service, all but the one at a path of the container."""
    found: list[Any] = []
    for mount in service.volumes:
        here = ("services", service.name, "volumes", *mount.path)
        if mount.target == without and without:
            continue
        if not mount.raw:
            long = draft.converted(draft.plain(here), here)
            if mount.kind == BIND:
                long["source"] = draft.file(mount.source, here)
            found.append(long)
        elif mount.kind == BIND and mount.source:
            rest = mount.raw[len(mount.source) :]
            if mount.source.startswith("$") and not by_default(mount.source):
                draft.row(Outcome.CHANGED, here, "write an absolute path into the variable")
            if _is_created(mount):
                found.append(_created(mount, draft.file(mount.source, here), here, draft))
            else:
                found.append(draft.file(mount.source, here) + draft.text(rest, here))
        else:
            found.append(draft.text(mount.raw, here))
    return found


def _is_created(mount: Mount) -> bool:
    """True if Compose would create it on the host where it is missing: a folder of the application, by its name."""
    name = mount.source.rstrip("/").rpartition("/")[2]
    return not mount.options and not _OF_HOST.match(mount.source) and "." not in name.strip(".")


_OF_HOST = re.compile(
    r"/(?:bin|boot|dev|etc|lib|lib64|proc|run|sbin|sys|usr|var/run|var/lib/docker)(?:/|$)|/$"
)


def _created(mount: Mount, source: str, path: ModelPath, draft: Draft) -> dict[str, Any]:
    long: dict[str, Any] = {"source": source, "target": draft.text(mount.target, path)}
    if mount.read_only is True:
        long["read_only"] = True
    return {**long, "bind": {"create_host_path": True}}
