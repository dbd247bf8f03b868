"""Checks before a restore or a drill: images, secrets, disk space. One sentence for each problem."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.backups.steps import amount
from exporter.backups.subjects import BackupsError
from exporter.host.failures import EngineLost, OperationError
from exporter.host.findings import State
from exporter.host.preflight import Preflight
from exporter.host.shown import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from exporter.backups.docker_host import DockerHost
    from exporter.backups.manifest import Manifest
    from exporter.backups.places import Settings
    from exporter.backups.restore_plan import Item, RestorePlan
    from exporter.host.compose import Compose
    from exporter.host.containers import Json
    from exporter.host.site import Site

_NOT_FOR_RESTORES = {"files", "folders", "secrets", "rollback images", "clock", "unfinished"}
"""Edited files and a wrong clock do not stop a restore; secrets and an unfinished restore are checked here."""


@dataclass(slots=True)
class Checks:
    """The checks of one run. Images that are not on this host are looked up in their registries, not pulled."""

    host: DockerHost
    site: Site
    settings: Settings
    compose: Callable[[Path], Compose]
    """Compose on the files in a folder; used only if the running containers do not answer the question."""
    to_pull: dict[str, None] = field(default_factory=dict)
    """Images that are not on this host but in their registries."""
    _config: Json | None = field(default=None)

    def of_restore(self, plan: RestorePlan, manifest: Manifest) -> list[str]:
        """Return the problems that prevent a restore."""
        if plan.only_configuration:
            return []
        missing = [*self._host(), *self._state()]
        try:
            services = _mapping(self.config().get("services"))
        except OperationError:
            return missing  # the pre-flight check has reported it
        missing += [*self._secrets(), *self._images(services), *self._helpers(plan.items)]
        return [*missing, *self._room(manifest)]

    def of_drill(self, items: Iterable[Item]) -> list[str]:
        """Return the problems that prevent a drill: missing images."""
        items = tuple(items)
        missing = []
        for item in items:
            service = item.subject.service
            if not service or (item.subject.engine == "sqlite" and self.settings.python_image):
                continue
            try:
                image = self.image_of(service)
            except BackupsError as error:
                missing.append(str(error))
            else:
                missing += self._image(image, f"of {service}")
        return [*missing, *self._helpers(items)]

    def image_of(self, service: str) -> str:
        """Return the image of a service, from its container or else from the Compose files. Raises BackupsError."""
        container = self.host.container_of(service)
        if container is not None:
            return container.image_id
        image = _mapping(_mapping(self.config().get("services")).get(service)).get("image")
        if not isinstance(image, str) or not image:
            raise BackupsError(f"{service} has no container here, and no image in the Compose files")
        return image

    def config(self) -> Json:
        """Return the resolved Compose files. Raises OperationError."""
        if self._config is None:
            folder = self.site.state.running or self.site.folder
            self._config = self.compose(folder).config()
        return self._config

    def _host(self) -> list[str]:
        preflight = Preflight(self.site)
        preflight.host.engine = self.host.engine
        findings = preflight.findings(skip=_NOT_FOR_RESTORES)
        return [each.sentence for each in findings if each.state is State.PROBLEM]

    def _state(self) -> list[str]:
        folder = self.site.state_folder
        there = next(each for each in (folder, *folder.parents) if each.is_dir())
        if os.access(there, os.W_OK | os.X_OK):
            return []
        return [
            f"the folder {folder} cannot be written to; run as a user with write access, or set STATE_FOLDER"
        ]

    def _images(self, services: Mapping[str, object]) -> list[str]:
        missing = []
        for name in services:
            try:
                missing += self._image(self.image_of(str(name)), f"of {shown(str(name))}")
            except BackupsError as error:
                missing.append(str(error))
        return missing

    def _helpers(self, items: Iterable[Item]) -> list[str]:
        missing = []
        if any(item.saved.kind == "volume" or item.saved.engine == "redis" for item in items):
            missing += self._image(
                self.settings.helper_image,
                "that writes volumes; set BACKUP_IMAGE to one with sh, tar, find and stat",
            )
        if self.settings.python_image and any(item.saved.engine == "sqlite" for item in items):
            missing += self._image(self.settings.python_image, "that SQLITE_IMAGE names")
        return missing

    def _image(self, image: str, what: str) -> list[str]:
        engine = self.host.engine
        if engine.image(image) is not None:
            return []
        try:
            engine.find_in_registry(image)
        except EngineLost:
            raise
        except OperationError as error:
            return [f"the image {shown(image)} {what}: it is not on this host, and {error.sentence}"]
        self.to_pull[image] = None
        return []

    def _secrets(self) -> list[str]:
        missing = []
        for name, secret in _mapping(self.config().get("secrets")).items():
            file = _mapping(secret).get("file")
            if isinstance(file, str) and not Path(file).is_file():
                command = f"exporter secrets create -e {self.site.environment}"
                missing.append(
                    f"the secret {shown(str(name))}: there is no {shown(file, 4096)}; create it with: {command}"
                )
        return missing

    def _room(self, manifest: Manifest) -> list[str]:
        engine = self.host.engine
        root = Path(engine.facts().root)
        if not engine.is_local or not root.is_dir():
            return []
        free = shutil.disk_usage(root).free
        if free >= manifest.bytes:
            return []
        return [
            f"disk space: {root} has {amount(free)} free, but the backup alone needs {amount(manifest.bytes)}"
        ]


def _mapping(value: object) -> Json:
    return value if isinstance(value, dict) else {}
