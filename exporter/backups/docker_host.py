"""A Docker host for the backup engines: programs in containers, throw-away containers, and lookups."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, cast

from exporter.backups.engines.shape import Ended, Mount
from exporter.backups.subjects import BackupsError
from exporter.catalog.planning.places import fixed_volumes
from exporter.host.containers import PROJECT_LABEL
from exporter.host.engine import Helper, connected
from exporter.host.failures import EngineLost, OperationError, Refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from exporter.backups.engines.shape import Readable, Writable
    from exporter.host.containers import Container
    from exporter.host.engine import Engine
    from exporter.host.site import Site

HELPER_LABEL = "exporter.helper"
DRILL_LABEL = "exporter.drill"
"""Each throw-away container and volume has one of these labels; its value is the Compose project."""
VOLUME_LABEL = "com.docker.compose.volume"
_REMOVE_SECONDS = 60.0


@contextmanager
def docker_host(site: Site, label: str = HELPER_LABEL) -> Iterator[DockerHost]:
    """Connect to an environment's engine. Raises EngineLost."""
    with connected(site.docker_host) as engine:
        yield DockerHost(engine, site.compose_project, label, fixed_volumes(site.catalog))


class DockerHost:
    """The engines' Host on a real Docker engine. `label`: the label of throw-away containers. `fixed`: the engine's
    names of volumes that do not have the name that Compose gives them.
    """

    def __init__(
        self, engine: Engine, project: str, label: str = HELPER_LABEL, fixed: Mapping[str, str] | None = None
    ) -> None:
        self.engine = engine
        self.project = project
        self._label = label
        self._fixed = fixed or {}

    def execute(
        self,
        container: str,
        argv: Sequence[str],
        *,
        source: Readable | None = None,
        target: Writable | None = None,
        seconds: float,
    ) -> Ended:
        """Run a program in a running container."""
        ended = self.engine.execute(
            container, argv, given=_given(source), write=target.write if target else _nowhere, seconds=seconds
        )
        return Ended(ended.status, ended.errors)

    def throw_away(
        self,
        argv: Sequence[str],
        *,
        image: str,
        mounts: Sequence[Mount] = (),
        user: str = "0:0",
        capabilities: Sequence[str] | None = None,
        source: Readable | None = None,
        target: Writable | None = None,
        seconds: float,
    ) -> Ended:
        """Run a program in a new container without a network, and remove the container."""
        helper = Helper(
            image=image,
            argv=tuple(argv),
            labels={self._label: self.project},
            volumes={mount.target: (mount.source, mount.writable) for mount in mounts},
            user=user,
            capabilities=None if capabilities is None else tuple(capabilities),
        )
        ended = self.engine.run_helper(
            helper, given=_given(source), write=target.write if target else _nowhere, seconds=seconds
        )
        return Ended(ended.status, ended.errors)

    def is_running(self, container: str) -> bool:
        """True if the container's first process runs."""
        return self.engine.container(container).running

    def image(self, container: str) -> str:
        """Return the name of the image that the container was started from."""
        return self.engine.container(container).image_name

    def user(self, container: str) -> str:
        """Return the user of the container's image, or an empty text for root."""
        return self.engine.container(container).user

    def mounts(self, container: str) -> tuple[Mount, ...]:
        """Return the container's volumes and bind mounts."""
        return tuple(
            Mount(
                mount.type,
                mount.name if mount.type == "volume" else mount.source,
                mount.destination,
                mount.writable,
            )
            for mount in self.engine.container(container).mounts
        )

    def start(self, container: str) -> None:
        """Start a stopped container."""
        self.engine.start(container)

    def stop(self, container: str) -> None:
        """Stop a container, with its grace period."""
        self.engine.stop(container)

    # --- what is where ---

    def container_of(self, service: str) -> Container | None:
        """Return one container of a Compose service, a running one if possible."""
        found = self.engine.containers(self.project, service)
        return next((each for each in found if each.running), found[0] if found else None)

    def volume_of(self, name: str) -> str | None:
        """Return Docker's name of a volume of the catalog; None if the volume does not exist."""
        if fixed := self._fixed.get(name):
            return fixed if self.engine.volume(fixed) is not None else None
        # Compose 1 labels a volume that has an explicit name with that name, Compose 2 with the key in the file.
        for label in (name, f"{self.project}_{name}"):
            found = self.engine.volumes({PROJECT_LABEL: self.project, VOLUME_LABEL: label})
            if len(found) > 1:
                raise BackupsError(f"{len(found)} volumes match {name}: {', '.join(found)}")
            if found:
                return found[0]
        return None

    def need_image(self, image: str) -> None:
        """Pull an image if it is not on this host. Raises BackupsError."""
        if self.engine.image(image) is not None:
            return
        try:
            self.engine.pull(image)
        except EngineLost:
            raise
        except OperationError as error:
            raise BackupsError(
                f"the image {image}, which reads volumes, cannot be pulled; pull it by hand, or set BACKUP_IMAGE to an "
                f"image with sh, tar, find and stat: {error.sentence}"
            ) from None

    def remove_left(self, *labels: str) -> None:
        """Remove the throw-away containers and volumes of this project that have one of these labels."""
        for label in labels:
            deadline = time.monotonic() + _REMOVE_SECONDS
            while left := self.engine.labelled({label: self.project}):
                try:
                    self.engine.remove(*(each.id for each in left), volumes=True)
                except Refused:  # one that is about to exit is gone a moment later
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(0.2)
            for volume in self.engine.volumes({label: self.project}):
                self.engine.remove_volume(volume)


def _given(source: Readable | None) -> IO[bytes] | None:
    return cast("IO[bytes] | None", source)  # only its read() is used


def _nowhere(data: bytes) -> None:
    """Drop output that nobody asked for."""
